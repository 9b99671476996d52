//! The share of the memory pool that one statement may have.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// The pool as one statement sees it: all operators of the statement together get at most `limit`. What can spill
/// does so when it is reached; what can't fails.
#[derive(Debug)]
pub(super) struct StatementPool {
    pool: Arc<dyn MemoryPool>,
    limit: usize,
    reserved: AtomicUsize,
}

impl StatementPool {
    pub(super) fn new(pool: Arc<dyn MemoryPool>, limit: usize) -> Self {
        Self { pool, limit, reserved: AtomicUsize::new(0) }
    }
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement({})", self.limit)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.reserved.fetch_add(additional, Ordering::Relaxed);
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.reserved.fetch_sub(shrink, Ordering::Relaxed);
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let fits = |reserved: usize| reserved.checked_add(additional).filter(|sum| *sum <= self.limit);
        if let Err(reserved) = self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            return resources_err!(
                "a statement may have {} MiB of memory (memory.statement_limit), {} bytes are reserved, {} more were \
                 asked for by {}",
                self.limit >> 20,
                reserved,
                additional,
                reservation.consumer().name()
            );
        }
        self.pool.try_grow(reservation, additional).inspect_err(|_| {
            self.reserved.fetch_sub(additional, Ordering::Relaxed);
        })
    }

    fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn a_statement_gets_its_share_and_no_more() {
        let whole: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let pool: Arc<dyn MemoryPool> = Arc::new(StatementPool::new(Arc::clone(&whole), 60));
        let first = MemoryConsumer::new("first").register(&pool);
        let second = MemoryConsumer::new("second").register(&pool);
        first.try_grow(40).unwrap();
        assert!(second.try_grow(30).is_err());
        second.try_grow(20).unwrap();
        assert_eq!((whole.reserved(), pool.reserved()), (60, 60));
        drop(first);
        assert_eq!((whole.reserved(), pool.reserved()), (20, 20));
        // What the whole pool refuses is not counted.
        let other = MemoryConsumer::new("other").register(&whole);
        other.try_grow(80).unwrap();
        assert!(second.try_grow(10).is_err());
        assert_eq!(pool.reserved(), 20);
    }
}

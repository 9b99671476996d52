//! The live connections by process id, so that a cancel request can find the one it names.
//!
//! A cancel request comes on a connection of its own, with no login: the secret key handed out at
//! startup is its only proof. It never gets an answer, right or wrong.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use parking_lot::Mutex;

/// What a cancel request does to the connection it names.
type Cancel = Arc<dyn Fn() + Send + Sync>;

/// The live connections.
#[derive(Clone, Default)]
pub(super) struct Backends(Arc<Mutex<HashMap<i32, Backend>>>);

struct Backend {
    key: Vec<u8>,
    cancel: Cancel,
}

/// A place among the live connections; dropping it gives the place back.
pub(super) struct Registration {
    pid: i32,
    key: Vec<u8>,
    backends: Backends,
}

impl Backends {
    /// Enters the connection with the process id `pid`, which no live one may have, under a fresh
    /// random key of `key_length` bytes: 4 in protocol 3.0, more (at most 32) since 3.2.
    pub(super) fn register(
        &self,
        pid: i32,
        key_length: usize,
        cancel: impl Fn() + Send + Sync + 'static,
    ) -> Registration {
        let random: [u8; 32] = rand::random();
        let key = random[..key_length.min(random.len())].to_vec();
        let backend = Backend { key: key.clone(), cancel: Arc::new(cancel) };
        self.0.lock().insert(pid, backend);
        Registration { pid, key, backends: self.clone() }
    }

    /// Cancels what the connection `pid` is running, if `key` is its key.
    pub(super) fn cancel(&self, pid: i32, key: &[u8]) {
        // Called without the lock: what it does is not ours to hold others up for.
        let cancel = self
            .0
            .lock()
            .get(&pid)
            .filter(|backend| same(&backend.key, key))
            .map(|backend| Arc::clone(&backend.cancel));
        if let Some(cancel) = cancel {
            cancel();
        }
    }
}

impl Registration {
    /// The process id of this connection.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// The secret that a cancel request must show.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.backends.0.lock().remove(&self.pid);
    }
}

/// Compares in a time that doesn't tell how many leading bytes were right.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (l, r)| black_box(difference | (l ^ r))) == 0
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counted(backends: &Backends, pid: i32, key_length: usize) -> (Registration, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let registration = backends.register(pid, key_length, move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        (registration, count)
    }

    #[test]
    fn only_the_named_connection_and_only_with_its_key() {
        let backends = Backends::default();
        let (first, first_count) = counted(&backends, 1, 4);
        let (second, second_count) = counted(&backends, 2, 32);
        assert_eq!((first.key().len(), second.key().len()), (4, 32));

        backends.cancel(second.pid(), first.key());
        backends.cancel(second.pid(), &second.key()[..31]);
        let mut wrong = second.key().to_vec();
        wrong[31] ^= 1;
        backends.cancel(second.pid(), &wrong);
        backends.cancel(second.pid(), &[]);
        assert_eq!(second_count.load(Ordering::SeqCst), 0);

        backends.cancel(second.pid(), second.key());
        assert_eq!(second_count.load(Ordering::SeqCst), 1);
        assert_eq!(first_count.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_closed_connection_is_forgotten() {
        let backends = Backends::default();
        let (gone, count) = counted(&backends, 1, 4);
        let (pid, key) = (gone.pid(), gone.key().to_vec());
        drop(gone);
        backends.cancel(pid, &key);
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}

//! Bitmaps that are being combined to one: the union or the intersection of all.

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, AsArray};
use roaring::RoaringTreemap;

use super::bitmap::{decode, encode, size};
use super::gathering::Gathered;

/// How bitmaps are combined.
pub(super) trait Combination: std::fmt::Debug + Send + Sync + 'static {
    /// The SQL function.
    const NAME: &'static str;

    /// Combines the sets so far with another.
    fn combine(all: &mut RoaringTreemap, next: RoaringTreemap);
}

/// The bitmaps so far.
#[derive(Debug)]
pub(super) struct Combined<C: Combination> {
    set: Option<RoaringTreemap>,
    set_size: usize,
    combination: std::marker::PhantomData<C>,
}

impl<C: Combination> Gathered for Combined<C> {
    type Plan = ();

    fn new((): &()) -> Result<Self> {
        Ok(Self { set: None, set_size: 0, combination: std::marker::PhantomData })
    }

    fn add(&mut self, column: &dyn Array, row: usize) -> Result<()> {
        self.merge(column.as_binary_view().value(row))
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let next = decode(C::NAME, state)?;
        match &mut self.set {
            None => self.set = Some(next),
            Some(set) => C::combine(set, next),
        }
        self.set_size = self.set.as_ref().map_or(0, size);
        Ok(())
    }

    fn to_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        self.set.as_mut().map(|set| encode(C::NAME, set)).transpose()
    }

    fn size(&self) -> usize {
        self.set_size
    }
}

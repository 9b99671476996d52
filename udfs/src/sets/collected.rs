//! Ids that are being collected to a bitmap.

use datafusion_common::arrow::array::{Array, AsArray};
use datafusion_common::arrow::datatypes::Int64Type;
use datafusion_common::{Result, internal_datafusion_err};
use roaring::RoaringTreemap;

use super::bitmap::{decode, encode, id, size};
use super::gathering::Gathered;

/// Ids wait until there are some, and go into the set sorted: one by one each would be searched for its place.
#[derive(Debug, Default)]
pub(super) struct Collected {
    waiting: Vec<u64>,
    set: RoaringTreemap,
    /// How many ids wait at most; 0 before the first row.
    limit: usize,
    set_size: usize,
}

const FEWEST: usize = 64;
const MOST: usize = 1 << 18;

impl Collected {
    fn settle(&mut self) -> Result<()> {
        self.waiting.sort_unstable();
        self.waiting.dedup();
        let sorted = RoaringTreemap::from_sorted_iter(self.waiting.drain(..));
        let sorted = sorted.map_err(|error| internal_datafusion_err!("sorted ids are not in order: {error}"))?;
        if self.set.is_empty() {
            self.set = sorted;
        } else {
            self.set |= sorted;
        }
        self.set_size = size(&self.set);
        self.limit = usize::try_from(self.set.len() / 2).unwrap_or(MOST).clamp(FEWEST, MOST);
        Ok(())
    }
}

impl Gathered for Collected {
    type Plan = ();

    fn new(_: &Self::Plan) -> Result<Self> {
        Ok(Self::default())
    }

    fn add(&mut self, column: &dyn Array, row: usize) -> Result<()> {
        self.limit = self.limit.max(FEWEST);
        self.waiting.push(id("bitmap_agg", column.as_primitive::<Int64Type>().value(row))?);
        if self.waiting.len() >= self.limit {
            self.settle()?;
        }
        Ok(())
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        self.limit = self.limit.max(FEWEST);
        let other = decode("bitmap_agg", state)?;
        // Of many small groups each state is a few ids: they wait like others.
        if other.len() <= FEWEST as u64 {
            self.waiting.extend(other);
            if self.waiting.len() >= self.limit {
                self.settle()?;
            }
            return Ok(());
        }
        self.set |= other;
        self.set_size = size(&self.set);
        Ok(())
    }

    fn to_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        if self.limit == 0 {
            return Ok(None);
        }
        self.settle()?;
        encode("bitmap_agg", &mut self.set).map(Some)
    }

    fn size(&self) -> usize {
        self.waiting.capacity() * size_of::<u64>() + self.set_size
    }
}

#[cfg(test)]
mod tests {
    use datafusion_common::arrow::array::Int64Array;

    use super::*;

    #[test]
    fn ids_in_any_order() {
        let ids: Int64Array = (0..300_000_i64).map(|i| Some(i * 7_919 % 100_003)).collect();
        let mut all = Collected::default();
        let mut parts = [Collected::default(), Collected::default()];
        for row in 0..ids.len() {
            all.add(&ids, row).unwrap();
            parts[row % 2].add(&ids, row).unwrap();
        }
        let mut merged = Collected::default();
        assert_eq!(merged.to_bytes().unwrap(), None);
        for part in &mut parts {
            merged.merge(&part.to_bytes().unwrap().unwrap()).unwrap();
        }
        let bytes = all.to_bytes().unwrap().unwrap();
        assert_eq!(merged.to_bytes().unwrap().unwrap(), bytes);
        assert_eq!(decode("f", &bytes).unwrap(), (0..100_003).collect::<RoaringTreemap>());
        assert!(all.size() > 0);
        assert!(all.add(&Int64Array::from(vec![-5]), 0).unwrap_err().to_string().contains("-5"));
    }
}

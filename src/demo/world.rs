//! What all parts of the demo share: its size, its seed, its calendar and its assortment.

use super::calendar::Calendar;
use super::chance::Weights;
use super::places;
use super::products::Assortment;
use super::street::SLOTS;

/// The setting of one demo warehouse. The same seed and size give the same one.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) profiles: u64,
    pub(super) calendar: Calendar,
    pub(super) assortment: Assortment,
    pub(super) cities: Weights,
}

impl World {
    pub(super) fn new(seed: u64, profiles: u64) -> Self {
        Self { seed, profiles, calendar: Calendar::new(), assortment: Assortment::new(seed), cities: places::by_size() }
    }

    /// How many streets its people live in.
    pub(super) fn streets(&self) -> u64 {
        self.profiles.div_ceil(SLOTS)
    }
}

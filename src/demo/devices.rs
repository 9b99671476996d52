//! What people are recognised by: cookies that come and go, apps, cards, and the addresses they connect from.

use super::calendar::{self, DAY};
use super::chance::{Chance, Topic, scramble};
use super::world::World;

/// Twelve characters that stand for a browser, an app or a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identifier([u8; 12]);

impl Identifier {
    /// A letter for its kind, and eleven characters that tell nothing.
    fn random(kind: u8, mut bits: u64) -> Self {
        let mut text = [kind; 12];
        for at in &mut text[1..] {
            *at = b"0123456789abcdefghjkmnpqrstvwxyz"[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(text)
    }

    /// The loyalty card of a profile: `29`, nine digits, and a check digit (Luhn).
    pub(super) fn card(profile: u64) -> Self {
        // The factor shares no divisor with 10⁹, so no two profiles get the same digits.
        let mut rest = profile % 1_000_000_000 * 387_420_489 % 1_000_000_000;
        let mut text = *b"290000000000";
        for at in (2..11).rev() {
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let mut sum = 0;
        for (at, digit) in text[..11].iter().rev().map(|c| c - b'0').enumerate() {
            sum += if at % 2 == 1 { digit } else { digit * 2 / 10 + digit * 2 % 10 };
        }
        text[11] = b'0' + (10 - sum % 10) % 10;
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As the table `identities` calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self.0[0] {
            b'c' => "cookie",
            b'd' => "device",
            _ => "loyalty_card",
        }
    }
}

/// Where a device is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    Work,
    Anywhere,
}

/// A browser on something, or the brand's app on a telephone.
#[derive(Clone)]
pub(super) struct Device {
    key: u64,
    /// `mobile`, `desktop`, `tablet` or `app`.
    pub(super) label: &'static str,
    pub(super) place: Place,
    /// How much it is used beside its owner's other devices.
    pub(super) weight: f64,
    /// When its cookies are cleared.
    resets: Vec<i64>,
}

impl Device {
    /// The `number`th device of a person.
    pub(super) fn new(world: &World, person: u64, number: u64, label: &'static str, place: Place, weight: f64) -> Self {
        let key = scramble(world.seed, person * 8 + number);
        let mut chance = Chance::new(world.seed, Topic::Device, key);
        // Telephones forget cookies on their own.
        let year = calendar::year();
        let clearings = chance.count(if label == "mobile" { 1.2 } else { 0.5 });
        let mut resets: Vec<i64> = (0..clearings).map(|_| chance.between(year.start, year.end)).collect();
        resets.sort_unstable();
        Self { key, label, place, weight, resets }
    }

    /// The screen of a household.
    pub(super) fn shared(world: &World, home: u64, chance: &mut Chance) -> Self {
        let label = if chance.happens(0.5) { "tablet" } else { "desktop" };
        Self::new(world, home, 7, label, Place::Home, 0.6)
    }

    /// The brand's app.
    pub(super) fn app(world: &World, person: u64) -> Self {
        let key = scramble(world.seed, person * 8 + 6);
        Self { key, label: "app", place: Place::Anywhere, weight: 2.0, resets: Vec::new() }
    }

    pub(super) fn is_app(&self) -> bool {
        self.label == "app"
    }

    /// What it is recognised by at that moment.
    pub(super) fn identifier(&self, at: i64) -> Identifier {
        let generation = self.resets.iter().filter(|reset| **reset <= at).count() as u64;
        Identifier::random(if self.is_app() { b'd' } else { b'c' }, scramble(self.key, generation))
    }

    /// Whether it is at hand: what belongs to an office is there from nine to six.
    pub(super) fn is_at_hand(&self, at: i64) -> bool {
        let (day, second) = calendar::paris(at);
        self.place != Place::Work || (calendar::weekday(day) < 5 && (9 * 3_600..18 * 3_600).contains(&second))
    }

    /// The IPv4 address from which it connects, all from ranges that are nobody's on the internet.
    pub(super) fn address(&self, world: &World, home: u64, city: &str, at: i64, chance: &mut Chance) -> u32 {
        let town = city.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        match self.place {
            // An office of some thirty people: 172.16.0.0/12.
            Place::Work => {
                let office = scramble(world.seed ^ u64::from(town), self.key % (world.profiles / 400 + 3));
                0xac10_0000 | (office as u32 & 0x000f_ffff)
            }
            // Behind the gateway of a telephone company, with thousands of others: 100.64.0.0/10.
            Place::Anywhere if chance.happens(0.4) => 0x6440_0000 | (town % 64) << 8 | chance.below(4),
            // A home has its address for itself, and some get another one in the course of the year: 10.0.0.0/8.
            Place::Home | Place::Anywhere => {
                let moved = scramble(world.seed, home) % 4 == 0;
                let moved_at = calendar::year().start + (scramble(home, world.seed) % 365) as i64 * DAY;
                let number = home * 2 + u64::from(moved && at >= moved_at);
                // An odd factor keeps different homes apart.
                0x0a00_0000 | (number.wrapping_mul(0x009e_3779) & 0x00ff_ffff) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cards_differ_and_check() {
        let cards: BTreeSet<Identifier> = (0..10_000).map(Identifier::card).collect();
        assert_eq!(cards.len(), 10_000);
        for card in cards {
            let digits = card.as_str().bytes().rev().map(|c| u32::from(c - b'0')).enumerate();
            let sum: u32 = digits.map(|(at, d)| if at % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }).sum();
            assert_eq!((card.as_str().len(), sum % 10), (12, 0), "{card:?}");
            assert_eq!(card.kind(), "loyalty_card");
        }
    }

    #[test]
    fn a_cookie_lasts_until_it_is_cleared() {
        let world = World::new(1, 100);
        let devices = (0..50).map(|person| Device::new(&world, person, 0, "mobile", Place::Anywhere, 1.0));
        for device in devices {
            let year = calendar::year();
            let months = (0..=12).map(|month| year.start + month * 30 * DAY);
            let cookies: BTreeSet<Identifier> = months.map(|at| device.identifier(at)).collect();
            assert!(cookies.len() <= device.resets.len() + 1);
            assert!(cookies.iter().all(|cookie| cookie.kind() == "cookie"));
        }
        let app = Device::app(&world, 1);
        assert_eq!(app.identifier(0), app.identifier(i64::MAX));
        assert_eq!(app.identifier(0).kind(), "device");
    }
}

//! A person's year: what brings him to the brand, in the order of time, and what comes of each.
//!
//! First his prompts are gathered (letters he clicks, advertisements he sees, days he thinks of the brand by himself,
//! the day he joins), then he lives through them one after the other, because a visit depends on what was before: a
//! cookie that has been recognised stays so, and nobody is at two places at a time.

use super::calendar::{self, FIRST_DAY, SECOND};
use super::campaigns::{ADVERTISEMENTS, LETTERS};
use super::chance::{Chance, Topic};
use super::devices::{Device, Identifier};
use super::event::{Event, Year};
use super::letters::{Timeline, moment};
use super::street::{BEFORE_JOINING, Home, Person, Profile, Street};
use super::world::World;

/// Visits of the web shop in a year by somebody of zeal 1.
const VISITS: f64 = 1.22;
/// Visits of a store in a year by somebody of zeal 1 who lives beside it.
const STORE_VISITS: f64 = 0.45;
/// A pause that ends a session, as web trackers have it.
pub(super) const SESSION_GAP: i64 = 30 * 60 * SECOND;

/// A person on his way through the year.
pub(super) struct Journey<'a> {
    pub(super) world: &'a World,
    pub(super) street: &'a Street,
    pub(super) home: &'a Home,
    pub(super) person: &'a Person,
    pub(super) chance: Chance,
    pub(super) year: Year,
    /// Browsers in which he has said who he is.
    pub(super) known: Vec<Identifier>,
    /// When the last visit ended.
    pub(super) busy_until: i64,
    pub(super) sessions: u64,
    pub(super) orders: u64,
}

/// Something that brings a person to the brand at a moment.
pub(super) struct Prompt {
    pub(super) at: i64,
    pub(super) entry: Entry,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nothing but a thought.
    Thought,
    /// The wish to have an account.
    Joining,
    /// A link in a letter.
    Letter(usize),
    /// An advertisement seen, and perhaps clicked.
    Advertisement { campaign: usize, clicked: bool },
}

impl<'a> Journey<'a> {
    /// The year of one of the people of a home.
    pub(super) fn through(world: &'a World, street: &'a Street, home: &'a Home, person: &'a Person) -> Year {
        let mut journey = Self {
            world,
            street,
            home,
            person,
            chance: Chance::new(world.seed, Topic::Journey, person.number),
            year: Year::default(),
            known: Vec::new(),
            busy_until: i64::MIN,
            sessions: 0,
            orders: 0,
        };
        journey.remember();
        let mut prompts = Vec::new();
        for (position, profile) in person.profiles.iter().enumerate() {
            journey.letters(profile, &mut prompts);
            let advertising = journey.other_consents(profile);
            if position == 0 {
                journey.advertisements(&advertising, &mut prompts);
            }
        }
        journey.thoughts(&mut prompts);
        prompts.sort_by_key(|prompt| prompt.at);
        for prompt in prompts {
            match prompt.entry {
                Entry::Advertisement { campaign, clicked: false } => journey.see(prompt.at, campaign),
                entry => journey.visit(prompt.at, entry),
            }
        }
        journey.store_visits();
        let mut year = journey.year;
        year.events.retain(|event| calendar::year().contains(&event.at));
        year
    }

    pub(super) fn profile(&self) -> Option<&'a Profile> {
        self.person.profiles.first()
    }

    /// The account that he can log in to at that moment. A card alone is none: it takes an e-mail address.
    pub(super) fn account(&self, at: i64) -> Option<&'a Profile> {
        self.profile().filter(|profile| profile.joined <= at && profile.email.is_some())
    }

    /// Browsers in which he had logged in before the year began.
    fn remember(&mut self) {
        let start = calendar::year().start;
        let Some(profile) = self.account(start) else { return };
        let logged_in = if profile.via == "store" { 0.4 } else { 0.8 };
        for device in &self.person.devices {
            if self.chance.happens(logged_in) {
                self.known.push(device.identifier(start));
            }
        }
    }

    /// Days on which he comes to the web shop by himself.
    fn thoughts(&mut self, prompts: &mut Vec<Prompt>) {
        let year = calendar::year();
        let (mut first, mut fondness) = (0, 1.0);
        if let Some(profile) = self.profile() {
            if profile.joined >= year.start {
                first = calendar::day_of_year((profile.joined - BEFORE_JOINING).max(year.start)).unwrap_or(0);
                if profile.via != "store" {
                    let at = profile.joined - i64::from(30 + self.chance.below(200)) * SECOND;
                    prompts.push(Prompt { at, entry: Entry::Joining });
                }
            }
            fondness = match profile.via {
                "store" => 0.55,
                "web" => 1.35,
                _ => 1.8,
            };
        }
        let end = calendar::day_of_year(self.person.left).unwrap_or(calendar::DAYS);
        let end = if self.person.left <= year.start { 0 } else { end };
        let days = &self.world.calendar.web;
        let visits = self.chance.count(VISITS * self.person.zeal * fondness * days.share(first, end));
        for _ in 0..visits {
            let Some(day) = days.draw_within(first, end, &mut self.chance) else { break };
            let at = self.world.calendar.web_moment(FIRST_DAY + day as i32, &mut self.chance);
            prompts.push(Prompt { at, entry: Entry::Thought });
        }
    }

    /// Advertisements that are shown to him, by campaign: few to most, many to some.
    fn advertisements(&mut self, granted: &Timeline, prompts: &mut Vec<Prompt>) {
        // Networks find their members by e-mail address.
        let Some(profile) = self.profile().filter(|profile| profile.email.is_some()) else { return };
        for (number, campaign) in ADVERTISEMENTS.iter().enumerate() {
            if !self.chance.happens(campaign.share) {
                continue;
            }
            let shown = self.chance.lognormal(2.2, 0.9).ceil().min(60.0) as u32;
            let clicks = match campaign.channel {
                "social" => 0.016,
                "display" => 0.006,
                _ => 0.003,
            };
            for _ in 0..shown {
                let mut chance = std::mem::replace(&mut self.chance, Chance::new(0, Topic::Journey, 0));
                let at = moment(self, campaign.days, &mut chance);
                self.chance = chance;
                let clicked = self.chance.happens(clicks);
                if let Some(at) = at.filter(|at| granted.is_granted(*at) && *at >= profile.joined) {
                    let campaign = LETTERS.len() + number;
                    prompts.push(Prompt { at, entry: Entry::Advertisement { campaign, clicked } });
                }
            }
        }
    }

    /// An advertisement passes by.
    fn see(&mut self, at: i64, campaign: usize) {
        let device = self.device(at);
        let mut event = self.on_device(at, "ad_impression", ADVERTISEMENTS[campaign - LETTERS.len()].channel, device);
        event.profile = self.recognised(event.identifier, at);
        event.campaign = Some(campaign);
        self.year.events.push(event);
    }

    /// The device that he has in his hands at a moment.
    pub(super) fn device(&mut self, at: i64) -> &'a Device {
        let person = self.person;
        let weight = |device: &Device| if device.is_at_hand(at) { device.weight } else { 0.0 };
        let mut left = self.chance.unit() * person.devices.iter().map(weight).sum::<f64>();
        for device in &person.devices {
            left -= weight(device);
            if left < 0.0 {
                return device;
            }
        }
        &person.devices[0]
    }

    /// An event on a device, as far as the device says it.
    pub(super) fn on_device(&mut self, at: i64, kind: &'static str, channel: &'static str, device: &Device) -> Event {
        let address = device.address(self.world, self.home.number, self.street.city.name, at, &mut self.chance);
        Event {
            device: Some(device.label),
            identifier: Some(device.identifier(at)),
            address: Some(address),
            ..Event::new(at, kind, channel)
        }
    }

    /// The profile that an identifier stands for by now.
    pub(super) fn recognised(&self, identifier: Option<Identifier>, at: i64) -> Option<u64> {
        let profile = self.account(at)?;
        identifier.filter(|identifier| self.known.contains(identifier)).map(|_| profile.number)
    }

    /// Store visits: tickets of the loyalty card.
    fn store_visits(&mut self) {
        let cards: Vec<&Profile> = self.person.profiles.iter().filter(|profile| profile.card.is_some()).collect();
        for (position, profile) in cards.iter().enumerate() {
            let closeness = self.street.city.nearness * if profile.via == "store" { 1.7 } else { 0.6 };
            // Who has two cards shows either.
            let rate = STORE_VISITS * self.person.zeal * closeness / cards.len() as f64;
            let first = calendar::day_of_year(profile.joined);
            if first.is_some() && profile.via == "store" {
                self.ticket(profile, profile.joined);
            }
            let first = first.map_or(0, |day| day + 1);
            let mut end = calendar::day_of_year(self.person.left).unwrap_or(calendar::DAYS);
            if self.person.left <= calendar::year().start {
                end = 0;
            }
            let days = &self.world.calendar.store;
            // A card made in haste is forgotten again.
            let rate = if position > 0 { rate * 0.8 } else { rate };
            for _ in 0..self.chance.count(rate * days.share(first, end)) {
                let Some(day) = days.draw_within(first, end, &mut self.chance) else { break };
                let at = self.world.calendar.store_moment(FIRST_DAY + day as i32, &mut self.chance);
                self.ticket(profile, at);
            }
        }
    }
}

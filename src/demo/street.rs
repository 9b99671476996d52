//! Streets of households of people: who they are, and under which profiles the brand knows them.
//!
//! A street is what is made at a time. It has [`SLOTS`] profiles; some people have two of them (a card got at the till
//! besides an account on the web), and some people who come by have none.

use super::calendar::{self, DAY, DAYS, FIRST_DAY};
use super::chance::{Chance, Topic};
use super::devices::{Device, Identifier, Place};
use super::names;
use super::places::{CITIES, City};
use super::products::DEPARTMENTS;
use super::world::World;

/// Profiles of a street.
pub(super) const SLOTS: u64 = 12;
/// Numbers that a street has for its homes and people, those without a profile included.
const NUMBERS: u64 = 20;

/// Homes in one place.
pub(super) struct Street {
    pub(super) city: &'static City,
    pub(super) homes: Vec<Home>,
}

/// People who share an address, a connection and perhaps a screen.
pub(super) struct Home {
    pub(super) number: u64,
    pub(super) postcode: String,
    pub(super) people: Vec<Person>,
}

/// Somebody, whatever the brand knows of him.
pub(super) struct Person {
    pub(super) number: u64,
    /// The profile that he uses first, then one that duplicates it. Nobody knows a visitor: he has none.
    pub(super) profiles: Vec<Profile>,
    /// How much he has to do with the brand; 1 is the median, some have fifty.
    pub(super) zeal: f64,
    /// How easily he puts things into the cart.
    pub(super) eagerness: f64,
    /// How probably he opens a letter.
    pub(super) openness: f64,
    pub(super) tastes: [f64; DEPARTMENTS.len()],
    pub(super) devices: Vec<Device>,
    /// When he turns away from the brand.
    pub(super) left: i64,
}

/// What the brand wrote down about somebody.
#[derive(Clone)]
pub(super) struct Profile {
    pub(super) number: u64,
    pub(super) title: Option<&'static str>,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: Option<String>,
    pub(super) birth_date: Option<i32>,
    pub(super) city: String,
    pub(super) language: &'static str,
    /// When and by which channel it was made: `web`, `app` or `store`.
    pub(super) joined: i64,
    pub(super) via: &'static str,
    pub(super) card: Option<Identifier>,
    pub(super) tier: Option<&'static str>,
}

impl Profile {
    pub(super) fn id(&self) -> String {
        profile_id(self.number)
    }
}

/// The key of the profile of that number.
pub(super) fn profile_id(number: u64) -> String {
    format!("p{number:07}")
}

impl Home {
    pub(super) fn id(&self) -> String {
        format!("h{:07}", self.number)
    }
}

impl Person {
    pub(super) fn id(&self) -> String {
        format!("n{:07}", self.number)
    }
}

impl Street {
    pub(super) fn new(world: &World, number: u64) -> Self {
        let mut chance = Chance::new(world.seed, Topic::Street, number);
        let city = &CITIES[world.cities.draw(&mut chance)];
        let mut numbers = number * NUMBERS..(number + 1) * NUMBERS;
        let mut slots = (number * SLOTS..((number + 1) * SLOTS).min(world.profiles)).peekable();
        let mut homes = Vec::new();
        while slots.peek().is_some() {
            let size = match chance.unit() {
                u if u < 0.36 => 1,
                u if u < 0.74 => 2,
                u if u < 0.88 => 3,
                _ => 4,
            };
            let members = slots.by_ref().take(size).collect();
            let home = number * NUMBERS + homes.len() as u64;
            homes.push(household(world, city, home, &mut numbers, members, &mut chance));
        }
        for _ in 0..3 + usize::from(chance.happens(0.6)) {
            let Some(person) = numbers.next() else { break };
            let person = visitor(world, person, &mut chance);
            if chance.happens(0.3) {
                let at = chance.below(homes.len() as u32) as usize;
                homes[at].people.push(person);
            } else {
                let home = number * NUMBERS + homes.len() as u64;
                homes.push(Home { number: home, postcode: city.postcode(&mut chance), people: vec![person] });
            }
        }
        Self { city, homes }
    }
}

/// People under one roof: one or two adults, then their grown-up children or those they share a flat with.
fn household(
    world: &World,
    city: &'static City,
    number: u64,
    numbers: &mut impl Iterator<Item = u64>,
    slots: Vec<u64>,
    chance: &mut Chance,
) -> Home {
    let mut home = Home { number, postcode: city.postcode(chance), people: Vec::new() };
    let shared = (slots.len() > 1 && chance.happens(0.55)).then(|| Device::shared(world, home.number, chance));
    let name = names::last_name(chance);
    let age = adult_age(chance);
    let female = chance.happens(0.62);
    for (position, slot) in slots.into_iter().enumerate() {
        if position > 0 && chance.happens(0.085) {
            let twice = chance.below(home.people.len() as u32) as usize;
            let person = &mut home.people[twice];
            if person.profiles.len() == 1 {
                let duplicate = duplicate(world, city, &person.profiles[0], slot, chance);
                person.profiles.push(duplicate);
                continue;
            }
        }
        let mut sketch = Sketch { age, female, last_name: name.to_owned() };
        match position {
            0 => {}
            1 => {
                sketch.age = (age + chance.normal() * 3.5).clamp(18.0, 92.0);
                sketch.female = if chance.happens(0.94) { !female } else { female };
                sketch.last_name = match chance.below(20) {
                    0..14 => name.to_owned(),
                    14 => format!("{name}-{}", names::last_name(chance)),
                    _ => names::last_name(chance).to_owned(),
                };
            }
            _ if age >= 40.0 => {
                sketch.age = 16.0 + chance.unit() * (age - 38.0).min(12.0);
                sketch.female = chance.happens(0.55);
            }
            _ => {
                sketch.age = (age + chance.normal() * 2.5).clamp(18.0, 45.0);
                sketch.female = chance.happens(0.55);
                sketch.last_name = names::last_name(chance).to_owned();
            }
        }
        if let Some(number) = numbers.next() {
            let mut person = Person::new(world, number, &sketch, shared.as_ref(), chance);
            let profile = profile(world, city, &person, &sketch, slot, chance);
            person.know(world, profile);
            home.people.push(person);
        }
    }
    home
}

/// Somebody whom the brand has no profile of. Three or four to a street, some of them living with customers.
fn visitor(world: &World, number: u64, chance: &mut Chance) -> Person {
    let last_name = names::last_name(chance).to_owned();
    let sketch = Sketch { age: adult_age(chance), female: chance.happens(0.55), last_name };
    let mut person = Person::new(world, number, &sketch, None, chance);
    person.zeal = chance.lognormal(1.0, 0.7);
    person
}

/// What is decided about somebody before he is.
struct Sketch {
    age: f64,
    female: bool,
    last_name: String,
}

fn adult_age(chance: &mut Chance) -> f64 {
    loop {
        let age = 44.0 + chance.normal() * 15.5;
        if (18.0..92.0).contains(&age) {
            return age;
        }
    }
}

impl Person {
    fn new(world: &World, number: u64, sketch: &Sketch, shared: Option<&Device>, chance: &mut Chance) -> Self {
        let mut tastes = DEPARTMENTS.map(|department| department.interest);
        for taste in &mut tastes {
            *taste *= chance.lognormal(1.0, 0.9);
        }
        tastes[1] *= if sketch.female { 1.6 } else { 0.12 };
        tastes[2] *= if sketch.female { 0.35 } else { 2.2 };
        tastes[3] *= if (27.0..46.0).contains(&sketch.age) { 2.0 } else { 0.5 };
        tastes[6] *= if sketch.age > 45.0 { 1.5 } else { 0.7 };
        let zeal = chance.lognormal(1.0, 1.3);
        // Some have turned away long ago, some do so in the course of the year.
        let year = calendar::year();
        let left = match chance.unit() {
            u if u < 0.18 => year.start,
            u if u < 0.36 => chance.between(year.start, year.end),
            _ => i64::MAX,
        };
        Self {
            number,
            profiles: Vec::new(),
            zeal,
            eagerness: chance.lognormal(1.0, 0.4),
            openness: chance.lognormal(0.2, 0.7).min(0.85),
            tastes,
            devices: devices(world, number, sketch.age, shared, chance),
            left,
        }
    }

    /// Gives him his first profile, and what he does differently for having it.
    fn know(&mut self, world: &World, profile: Profile) {
        if profile.via == "app" {
            let app = Device::app(world, self.number);
            self.devices.push(app);
        }
        if profile.joined >= self.left {
            self.left = i64::MAX;
        }
        self.profiles.push(profile);
    }
}

fn devices(world: &World, person: u64, age: f64, shared: Option<&Device>, chance: &mut Chance) -> Vec<Device> {
    let mut devices = Vec::new();
    if chance.happens(if age < 60.0 { 0.94 } else { 0.7 }) {
        devices.push(Device::new(world, person, 0, "mobile", Place::Anywhere, 1.0));
    }
    if chance.happens(0.45) || devices.is_empty() {
        devices.push(Device::new(world, person, 1, "desktop", Place::Home, 0.7));
    }
    if chance.happens(0.2) {
        devices.push(Device::new(world, person, 2, "tablet", Place::Home, 0.4));
    }
    if (22.0..63.0).contains(&age) && chance.happens(0.25) {
        devices.push(Device::new(world, person, 3, "desktop", Place::Work, 0.6));
    }
    devices.extend(shared.cloned());
    devices
}

fn profile(
    world: &World,
    city: &'static City,
    person: &Person,
    sketch: &Sketch,
    number: u64,
    chance: &mut Chance,
) -> Profile {
    let birth_date = FIRST_DAY - (sketch.age * 365.25) as i32;
    let (born, _) = calendar::civil(birth_date);
    let first_name = names::first_name(sketch.female, born, chance);
    let (by_store, by_web) = if city.nearness > 0.4 { (0.52, 0.34) } else { (0.14, 0.66) };
    let via = match chance.unit() {
        u if u < by_store => "store",
        u if u < by_store + by_web => "web",
        _ => "app",
    };
    let has_email = via != "store" || chance.happens(0.62);
    let has_card = via == "store" || chance.happens(if via == "app" { 0.7 } else { 0.4 });
    Profile {
        number,
        title: Some(if sketch.female { "Mme" } else { "M." }),
        email: has_email.then(|| names::email(first_name, &sketch.last_name, born, chance)),
        first_name: first_name.to_owned(),
        last_name: sketch.last_name.clone(),
        birth_date: chance.happens(0.86).then_some(birth_date),
        city: city.name.to_owned(),
        language: match chance.below(100) {
            0..94 => "fr",
            94..97 => "en",
            97 => "es",
            98 => "pt",
            _ => "de",
        },
        joined: joined(world, via, birth_date, chance),
        via,
        card: has_card.then(|| Identifier::card(number)),
        tier: has_card.then(|| match person.zeal * chance.lognormal(1.0, 0.3) {
            z if z > 9.0 => "platine",
            z if z > 3.5 => "or",
            z if z > 1.3 => "argent",
            _ => "bronze",
        }),
    }
}

/// A second profile of somebody: a card that was filled in at the till, in haste, without an e-mail address.
fn duplicate(world: &World, city: &City, original: &Profile, number: u64, chance: &mut Chance) -> Profile {
    let birth_date = original.birth_date.filter(|_| chance.happens(0.6)).map(|date| {
        // One in eight is off by a month or a few days, which is how dates are misread.
        if chance.happens(0.125) { date + [30, -31, 9, -9][chance.below(4) as usize] } else { date }
    });
    Profile {
        number,
        title: original.title.filter(|_| chance.happens(0.8)),
        first_name: names::misspelt(&original.first_name, chance),
        last_name: names::misspelt(&original.last_name, chance),
        email: None,
        birth_date,
        city: if chance.happens(0.2) { names::misspelt(city.name, chance) } else { city.name.to_owned() },
        language: "fr",
        joined: joined(world, "store", FIRST_DAY - 40 * 365, chance),
        via: "store",
        card: Some(Identifier::card(number)),
        tier: Some("bronze"),
    }
}

/// When a profile was made: a fifth of them during the year, the others in the eight years before, recent ones first.
fn joined(world: &World, via: &str, birth_date: i32, chance: &mut Chance) -> i64 {
    let days = if via == "store" { &world.calendar.store } else { &world.calendar.web };
    let mut day = if chance.happens(0.2) {
        FIRST_DAY + days.draw(chance) as i32
    } else {
        FIRST_DAY - 1 - (chance.unit().powi(2) * 8.0 * DAYS as f64) as i32
    };
    // Nobody joins before his sixteenth birthday, and stores are closed on Sundays.
    day = day.max(birth_date + 16 * 366);
    if via != "store" {
        return world.calendar.web_moment(day, chance);
    }
    while calendar::weekday(day) == 6 && day < FIRST_DAY {
        day -= 1;
    }
    world.calendar.store_moment(day, chance)
}

/// Long enough for a customer to have made up his mind before he joins.
pub(super) const BEFORE_JOINING: i64 = 45 * DAY;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn streets_have_every_profile_once() {
        let world = World::new(1, 1_000);
        let streets: Vec<Street> = (0..world.streets()).map(|number| Street::new(&world, number)).collect();
        let homes = || streets.iter().flat_map(|street| &street.homes);
        let people = || homes().flat_map(|home| &home.people);
        let profiles: Vec<u64> = people().flat_map(|p| &p.profiles).map(|p| p.number).collect();
        assert_eq!(profiles.len(), 1_000);
        assert_eq!(profiles.iter().collect::<BTreeSet<_>>().len(), 1_000);
        let count = people().count();
        assert_eq!(people().map(Person::id).collect::<BTreeSet<_>>().len(), count);
        assert_eq!(homes().map(Home::id).collect::<BTreeSet<_>>().len(), homes().count());
        let visitors = people().filter(|p| p.profiles.is_empty()).count();
        assert!((200..400).contains(&visitors), "{visitors}");
        let twice = people().filter(|p| p.profiles.len() == 2).count();
        assert!((20..70).contains(&twice), "{twice}");
        assert!(people().all(|p| !p.devices.is_empty()));
    }

    #[test]
    fn a_street_is_made_without_the_others() {
        let of = |profiles| Street::new(&World::new(1, profiles), 3);
        let (small, large) = (of(500), of(50_000));
        let names = |street: &Street| -> Vec<String> {
            let people = street.homes.iter().flat_map(|home| &home.people);
            people.flat_map(|p| &p.profiles).map(|p| format!("{} {}", p.first_name, p.last_name)).collect()
        };
        assert_eq!(names(&small), names(&large));
        assert_eq!(small.city.name, large.city.name);
    }
}

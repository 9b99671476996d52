//! The rows of each table: what a street, the assortment or the year's campaigns put into it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use datafusion::arrow::error::ArrowError;
use sha2::{Digest, Sha256};

use super::batch::{Batch, Kind, Value};
use super::calendar::{DAYS, FIRST_DAY};
use super::campaigns;
use super::devices::Identifier;
use super::event::{Event, Page, Year};
use super::journey::Journey;
use super::products::DEPARTMENTS;
use super::street::{Home, Person, Street, profile_id};
use super::world::World;

/// A table of the demo and where its rows come from.
pub(super) struct Table {
    pub(super) schema: &'static str,
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) rows: Rows,
}

/// Whether rows are made at once or street by street.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    Once(fn(&World, &mut Batch) -> Result<(), ArrowError>),
    ByStreet(fn(&World, &Street, &mut Batch) -> Result<(), ArrowError>),
}

/// All tables, in the order in which they are made. `warehouse.sql` creates them with the same columns.
pub(super) const TABLES: [Table; 8] = [
    Table {
        schema: "public",
        name: "products",
        columns: &[
            ("product_id", Kind::Text),
            ("name", Kind::Text),
            ("department", Kind::Text),
            ("line", Kind::Text),
            ("price", Kind::Money(10)),
            ("cost", Kind::Money(10)),
            ("reduced_in_sales", Kind::Boolean),
        ],
        rows: Rows::Once(products),
    },
    Table {
        schema: "public",
        name: "campaigns",
        columns: &[
            ("campaign_id", Kind::Text),
            ("name", Kind::Text),
            ("channel", Kind::Text),
            ("purpose", Kind::Text),
            ("department", Kind::Text),
            ("first_day", Kind::Date),
            ("last_day", Kind::Date),
            ("cost", Kind::Money(12)),
        ],
        rows: Rows::Once(all_campaigns),
    },
    Table {
        schema: "public",
        name: "profiles",
        columns: &[
            ("profile_id", Kind::Text),
            ("title", Kind::Text),
            ("first_name", Kind::Text),
            ("last_name", Kind::Text),
            ("birth_date", Kind::Date),
            ("email", Kind::Text),
            ("email_sha256", Kind::Text),
            ("postcode", Kind::Text),
            ("city", Kind::Text),
            ("region", Kind::Text),
            ("household_id", Kind::Text),
            ("language", Kind::Text),
            ("signed_up_at", Kind::Timestamptz),
            ("signup_channel", Kind::Text),
            ("loyalty_card", Kind::Text),
            ("loyalty_tier", Kind::Text),
            ("store", Kind::Text),
        ],
        rows: Rows::ByStreet(profiles),
    },
    Table {
        schema: "public",
        name: "consents",
        columns: &[
            ("profile_id", Kind::Text),
            ("purpose", Kind::Text),
            ("granted", Kind::Boolean),
            ("at", Kind::Timestamptz),
        ],
        rows: Rows::ByStreet(consents),
    },
    Table {
        schema: "public",
        name: "identities",
        columns: &[
            ("identifier", Kind::Text),
            ("kind", Kind::Text),
            ("profile_id", Kind::Text),
            ("device", Kind::Text),
            ("ip", Kind::Text),
            ("first_seen", Kind::Timestamptz),
            ("last_seen", Kind::Timestamptz),
            ("events", Kind::Integer),
        ],
        rows: Rows::ByStreet(identities),
    },
    Table {
        schema: "truth",
        name: "persons",
        columns: &[
            ("identifier", Kind::Text),
            ("kind", Kind::Text),
            ("person_id", Kind::Text),
            ("household_id", Kind::Text),
        ],
        rows: Rows::ByStreet(truth),
    },
    Table {
        schema: "public",
        name: "events",
        columns: &[
            ("profile_id", Kind::Text),
            ("ts", Kind::Timestamptz),
            ("kind", Kind::Text),
            ("channel", Kind::Text),
            ("device", Kind::Text),
            ("identifier", Kind::Text),
            ("session_id", Kind::BigInt),
            ("url", Kind::Text),
            ("campaign_id", Kind::Text),
            ("product_id", Kind::Text),
            ("order_id", Kind::Text),
            ("quantity", Kind::Integer),
            ("amount", Kind::Money(12)),
            ("store", Kind::Text),
        ],
        rows: Rows::ByStreet(events),
    },
    Table {
        schema: "truth",
        name: "demo",
        columns: &[
            ("seed", Kind::BigInt),
            ("profiles", Kind::BigInt),
            ("first_day", Kind::Date),
            ("today", Kind::Date),
        ],
        rows: Rows::Once(demo),
    },
];

fn demo(world: &World, batch: &mut Batch) -> Result<(), ArrowError> {
    // Both came from the command line and were checked there to fit.
    let number = |n: u64| Value::BigInt(i64::try_from(n).unwrap_or(i64::MAX));
    batch.push([
        number(world.seed),
        number(world.profiles),
        Value::Date(FIRST_DAY),
        Value::Date(FIRST_DAY + DAYS as i32),
    ])
}

fn products(world: &World, batch: &mut Batch) -> Result<(), ArrowError> {
    for product in &world.assortment.products {
        batch.push([
            Value::Text(&product.id),
            Value::Text(&product.name),
            Value::Text(DEPARTMENTS[product.department].name),
            Value::Text(product.line),
            Value::Cents(product.price),
            Value::Cents(product.cost),
            Value::Boolean(product.reduced_in_sales),
        ])?;
    }
    Ok(())
}

fn all_campaigns(world: &World, batch: &mut Batch) -> Result<(), ArrowError> {
    for campaign in campaigns::all() {
        batch.push([
            Value::Text(campaign.id),
            Value::Text(campaign.name),
            Value::Text(campaign.channel),
            Value::Text(campaign.purpose()),
            campaign.department.map(|number| DEPARTMENTS[number].name).into(),
            Value::Date(FIRST_DAY + campaign.days.0 as i32),
            Value::Date(FIRST_DAY + campaign.days.1 as i32),
            Value::Cents(i64::from(campaign.cost) * world.profiles as i64 / 1_000),
        ])?;
    }
    Ok(())
}

fn profiles(_: &World, street: &Street, batch: &mut Batch) -> Result<(), ArrowError> {
    for (home, person) in people(street) {
        for profile in &person.profiles {
            batch.push([
                Value::Text(&profile.id()),
                profile.title.into(),
                Value::Text(&profile.first_name),
                Value::Text(&profile.last_name),
                profile.birth_date.map_or(Value::Null, Value::Date),
                profile.email.as_ref().into(),
                profile.email.as_ref().map(|email| hashed(email)).as_ref().into(),
                Value::Text(&home.postcode),
                Value::Text(&profile.city),
                Value::Text(street.city.region),
                Value::Text(&home.id()),
                Value::Text(profile.language),
                Value::Moment(profile.joined),
                Value::Text(profile.via),
                profile.card.as_ref().map(Identifier::as_str).into(),
                profile.tier.into(),
                Value::Text(street.city.store),
            ])?;
        }
    }
    Ok(())
}

fn consents(world: &World, street: &Street, batch: &mut Batch) -> Result<(), ArrowError> {
    for (home, person) in people(street) {
        for consent in Journey::through(world, street, home, person).consents {
            batch.push([
                Value::Text(&profile_id(consent.profile)),
                Value::Text(consent.purpose),
                Value::Boolean(consent.granted),
                Value::Moment(consent.at),
            ])?;
        }
    }
    Ok(())
}

fn events(world: &World, street: &Street, batch: &mut Batch) -> Result<(), ArrowError> {
    for (home, person) in people(street) {
        let ids: Vec<(u64, String)> = person.profiles.iter().map(|p| (p.number, p.id())).collect();
        for event in &Journey::through(world, street, home, person).events {
            let product = event.product.map(|number| world.assortment.products[number].id.as_str());
            let path;
            let url = match event.page {
                Page::None => None,
                Page::Path(path) => Some(path),
                Page::Product(number) => {
                    path = format!("/p/{}", world.assortment.products[number].id);
                    Some(path.as_str())
                }
            };
            let profile = event.profile.and_then(|number| ids.iter().find(|(own, _)| *own == number));
            batch.push([
                profile.map(|(_, id)| id).into(),
                Value::Moment(event.at),
                Value::Text(event.kind),
                Value::Text(event.channel),
                event.device.into(),
                event.identifier.as_ref().map(Identifier::as_str).into(),
                event.session.map_or(Value::Null, |number| Value::BigInt(number as i64)),
                url.into(),
                event.campaign.map(|number| campaigns::numbered(number).id).into(),
                product.into(),
                event.order.map(|number| format!("o{number:09}")).as_ref().into(),
                event.quantity.map_or(Value::Null, Value::Integer),
                event.cents.map_or(Value::Null, Value::Cents),
                event.store.into(),
            ])?;
        }
    }
    Ok(())
}

/// When and how often something was seen.
#[derive(Clone, Copy)]
struct Sighting {
    device: Option<&'static str>,
    first: i64,
    last: i64,
    events: i32,
}

impl Sighting {
    fn again(&mut self, at: i64) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.events += 1;
    }
}

fn identities(world: &World, street: &Street, batch: &mut Batch) -> Result<(), ArrowError> {
    for (home, person) in people(street) {
        let Year { events, .. } = Journey::through(world, street, home, person);
        for ((identifier, profile, address), seen) in sightings(person, &events) {
            batch.push([
                Value::Text(identifier.as_str()),
                Value::Text(identifier.kind()),
                profile.map(profile_id).as_ref().into(),
                seen.device.into(),
                address.map(|bits| Ipv4Addr::from_bits(bits).to_string()).as_ref().into(),
                Value::Moment(seen.first),
                Value::Moment(seen.last),
                Value::Integer(seen.events),
            ])?;
        }
        for profile in &person.profiles {
            let Some(email) = &profile.email else { continue };
            let mut seen = Sighting { device: None, first: profile.joined, last: profile.joined, events: 0 };
            for event in &events {
                if event.channel == "email" && event.identifier.is_none() && event.profile == Some(profile.number) {
                    seen.again(event.at);
                }
            }
            batch.push([
                Value::Text(&hashed(email)),
                Value::Text("email_sha256"),
                Value::Text(&profile.id()),
                Value::Null,
                Value::Null,
                Value::Moment(seen.first),
                Value::Moment(seen.last),
                Value::Integer(seen.events),
            ])?;
        }
    }
    Ok(())
}

/// Cookies, apps and cards by what they were seen with. A card has been known since it was handed out.
fn sightings(person: &Person, events: &[Event]) -> BTreeMap<(Identifier, Option<u64>, Option<u32>), Sighting> {
    let mut seen = BTreeMap::new();
    for profile in &person.profiles {
        if let Some(card) = profile.card {
            let new = Sighting { device: None, first: profile.joined, last: profile.joined, events: 0 };
            seen.insert((card, Some(profile.number), None), new);
        }
    }
    for event in events {
        if let Some(identifier) = event.identifier {
            let new = Sighting { device: event.device, first: event.at, last: event.at, events: 0 };
            seen.entry((identifier, event.profile, event.address)).or_insert(new).again(event.at);
        }
    }
    seen
}

fn truth(world: &World, street: &Street, batch: &mut Batch) -> Result<(), ArrowError> {
    for (home, person) in people(street) {
        let (person_id, household_id) = (person.id(), home.id());
        let mut is = |identifier: &str, kind: &str| {
            batch.push([identifier.into(), kind.into(), Value::Text(&person_id), Value::Text(&household_id)])
        };
        for profile in &person.profiles {
            is(&profile.id(), "profile")?;
            if let Some(email) = &profile.email {
                is(&hashed(email), "email_sha256")?;
            }
        }
        let Year { events, .. } = Journey::through(world, street, home, person);
        let identifiers: BTreeSet<Identifier> =
            sightings(person, &events).into_keys().map(|(identifier, _, _)| identifier).collect();
        for identifier in identifiers {
            is(identifier.as_str(), identifier.kind())?;
        }
    }
    Ok(())
}

fn people(street: &Street) -> impl Iterator<Item = (&Home, &Person)> {
    street.homes.iter().flat_map(|home| home.people.iter().map(move |person| (home, person)))
}

/// What stands for an e-mail address where the address itself must not: its SHA-256, in hexadecimal digits.
fn hashed(email: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(email.as_bytes()) {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(half)]));
        }
    }
    text
}

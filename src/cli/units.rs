//! Sizes and times as people write them in a configuration file: `4GB`, `60%`, `10min`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, with PostgreSQL's units: kB, MB, GB, TB of 1024 each. A number alone is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// Bytes, or a part of this machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Percent(u8),
    Bytes(u64),
}

/// A time, with PostgreSQL's units: us, ms, s, min, h, d. A number alone is seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

/// A time that may be absent; `off` or a negative number says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) Option<Duration>);

const SIZES: [(&str, u64); 5] = [("B", 1), ("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];
const TIMES: [(&str, u64); 6] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("min", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// A number and its unit.
fn scaled(text: &str, units: &[(&str, u64)], bare: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim();
    let factor = if unit.is_empty() { bare } else { units.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(factor)
}

/// The largest unit that divides `value`.
fn shown(value: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().rev().find(|(_, factor)| value.is_multiple_of(*factor) && value > 0);
    fitting.map_or_else(|| value.to_string(), |(name, factor)| format!("{}{name}", value / factor))
}

/// A value that is written as text, or as a number that counts in its smallest or usual unit.
trait Written: Sized {
    const WANTED: &'static str;
    fn read(text: &str) -> Option<Self>;
    fn write(&self) -> String;
}

impl Written for Size {
    const WANTED: &'static str = "a size such as \"4GB\", \"512MB\" or a number of bytes";

    fn read(text: &str) -> Option<Self> {
        scaled(text, &SIZES, 1).map(Self)
    }

    fn write(&self) -> String {
        shown(self.0, &SIZES)
    }
}

impl Written for Share {
    const WANTED: &'static str = "a size such as \"4GB\", or a part of this machine's memory such as \"60%\"";

    fn read(text: &str) -> Option<Self> {
        match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().filter(|p| (1..=100).contains(p)).map(Self::Percent),
            None => scaled(text, &SIZES, 1).map(Self::Bytes),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Percent(percent) => format!("{percent}%"),
            Self::Bytes(bytes) => shown(*bytes, &SIZES),
        }
    }
}

impl Written for Time {
    const WANTED: &'static str = "a time such as \"60s\", \"500ms\", \"10min\" or a number of seconds";

    fn read(text: &str) -> Option<Self> {
        scaled(text, &TIMES, 1_000_000).map(|micros| Self(Duration::from_micros(micros)))
    }

    fn write(&self) -> String {
        shown(u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX), &TIMES)
    }
}

impl Written for Limit {
    const WANTED: &'static str = "\"off\", or a time such as \"60s\", \"500ms\", \"10min\" or a number of seconds";

    fn read(text: &str) -> Option<Self> {
        match text.trim() {
            "off" | "-1" => Some(Self(None)),
            text => Time::read(text).map(|time| Self(Some(time.0))),
        }
    }

    fn write(&self) -> String {
        self.0.map_or_else(|| "off".to_owned(), |time| Time(time).write())
    }
}

struct Reader<T>(std::marker::PhantomData<T>);

impl<T: Written> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::read(&number.to_string()).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::read(&number.to_string()).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
}

macro_rules! written {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Reader::<Self>(std::marker::PhantomData))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.write())
            }
        }
    )*};
}

written!(Size, Share, Time, Limit);

//! What each platform wants of each identifier, as its documentation said at a date.
//!
//! | rule set | source |
//! |---|---|
//! | meta@2026-01 | Conversions API, customer information parameters (9 January 2026), and custom audiences for device ids |
//! | google@2026-07 | Data Manager API, formatting of user data: dots and +tags of Gmail addresses are removed |
//! | google@2025-01 | Google Ads API, Customer Match: addresses of Gmail are left as they are |
//! | tiktok@2025-09 | Customer file audiences, September 2025: +tags are kept, phones have their + |
//! | tiktok@2025-08 | the same list, August 2025: +tags are removed, phones are digits alone |
//! | tiktok@2025-06 | the same list, June 2025: +tags are removed, phones have their + |
//! | uid2@2026-07 | UID2, normalization and encoding (7 July 2026) |
//!
//! A name without a date is the newest set of the platform. A set never changes once it is here: new rules are a new
//! set, so that a list can be refreshed with the hashes it was made with.

use std::fmt::Write;

/// What an identifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Email,
    Phone,
    FirstName,
    LastName,
    Street,
    City,
    State,
    Zip,
    Country,
    BirthDate,
    Gender,
    ExternalId,
    Maid,
}

impl Field {
    /// With what a user calls them: a name, and Meta's abbreviation.
    const NAMES: [(&'static str, &'static str, Self); 13] = [
        ("email", "em", Self::Email),
        ("phone", "ph", Self::Phone),
        ("first_name", "fn", Self::FirstName),
        ("last_name", "ln", Self::LastName),
        ("street", "street_address", Self::Street),
        ("city", "ct", Self::City),
        ("state", "st", Self::State),
        ("zip", "zp", Self::Zip),
        ("country", "country_code", Self::Country),
        ("birth_date", "db", Self::BirthDate),
        ("gender", "ge", Self::Gender),
        ("external_id", "extern_id", Self::ExternalId),
        ("maid", "madid", Self::Maid),
    ];

    fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Self::NAMES.iter().find(|(long, short, _)| [*long, *short].contains(&lower.as_str())).map(|(.., field)| *field)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(.., field)| *field == self).map_or("", |(name, ..)| *name)
    }
}

/// What is done to an e-mail address beside trimming and lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Email {
    /// White space within it is removed; otherwise it makes the address invalid.
    pub(super) spaces: bool,
    /// The domains where dots before the @ are removed.
    pub(super) dots: &'static [&'static str],
    /// Where a + and what follows it up to the @ is removed.
    pub(super) tags: Tags,
}

/// Whose +tags are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    Of(&'static [&'static str]),
    All,
}

/// How a value is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Email(Email),
    /// E.164, with or without its +.
    Phone {
        plus: bool,
    },
    /// Trimmed, lower case, without punctuation; letters of every script are kept.
    Name,
    /// Trimmed, lower case, runs of white space made one space.
    Lower,
    /// Lower case, letters and digits alone.
    Compact,
    /// As `Compact`, and the names of the states of the USA become their two letters.
    State,
    /// Lower case without spaces and dashes; the first five digits in the USA.
    Zip,
    /// Two letters, in lower or upper case.
    Country {
        lower: bool,
    },
    /// `YYYYMMDD`
    BirthDate,
    /// `f` or `m`
    Gender,
    /// Trimmed.
    AsIs,
    /// Lower case, hyphens kept.
    Device,
}

/// In what form it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// SHA-256 in lower-case hexadecimal.
    Hex,
    /// The Base64 of the 32 bytes of the SHA-256.
    Base64,
    /// Not hashed: the platform wants it so.
    Clear,
}

struct RuleSet {
    platform: &'static str,
    version: &'static str,
    fields: &'static [(Field, Rule, Form)],
}

const GMAIL: &[&str] = &["gmail.com", "googlemail.com"];
const PLAIN: Email = Email { spaces: false, dots: &[], tags: Tags::Of(&[]) };

/// Google's fields; its versions differ in how e-mail addresses are read.
const fn google(email: Email) -> [(Field, Rule, Form); 11] {
    [
        (Field::Email, Rule::Email(email), Form::Hex),
        (Field::Phone, Rule::Phone { plus: true }, Form::Hex),
        (Field::FirstName, Rule::Lower, Form::Hex),
        (Field::LastName, Rule::Lower, Form::Hex),
        (Field::Street, Rule::Lower, Form::Hex),
        (Field::City, Rule::AsIs, Form::Clear),
        (Field::State, Rule::AsIs, Form::Clear),
        (Field::Zip, Rule::AsIs, Form::Clear),
        (Field::Country, Rule::Country { lower: false }, Form::Clear),
        (Field::ExternalId, Rule::AsIs, Form::Clear),
        (Field::Maid, Rule::Device, Form::Clear),
    ]
}

/// TikTok's fields; its versions differ in what becomes of e-mail addresses and of the + of phones.
const fn tiktok(email: Email, plus: bool) -> [(Field, Rule, Form); 4] {
    [
        (Field::Email, Rule::Email(email), Form::Hex),
        (Field::Phone, Rule::Phone { plus }, Form::Hex),
        (Field::ExternalId, Rule::AsIs, Form::Hex),
        (Field::Maid, Rule::Device, Form::Hex),
    ]
}

/// The newest of a platform first.
const RULE_SETS: [RuleSet; 7] = [
    RuleSet {
        platform: "meta",
        version: "2026-01",
        fields: &[
            (Field::Email, Rule::Email(PLAIN), Form::Hex),
            (Field::Phone, Rule::Phone { plus: false }, Form::Hex),
            (Field::FirstName, Rule::Name, Form::Hex),
            (Field::LastName, Rule::Name, Form::Hex),
            (Field::City, Rule::Compact, Form::Hex),
            (Field::State, Rule::State, Form::Hex),
            (Field::Zip, Rule::Zip, Form::Hex),
            (Field::Country, Rule::Country { lower: true }, Form::Hex),
            (Field::BirthDate, Rule::BirthDate, Form::Hex),
            (Field::Gender, Rule::Gender, Form::Hex),
            (Field::ExternalId, Rule::AsIs, Form::Hex),
            (Field::Maid, Rule::Device, Form::Clear),
        ],
    },
    RuleSet {
        platform: "google",
        version: "2026-07",
        fields: &google(Email { spaces: true, dots: GMAIL, tags: Tags::Of(GMAIL) }),
    },
    RuleSet { platform: "google", version: "2025-01", fields: &google(Email { spaces: true, ..PLAIN }) },
    RuleSet { platform: "tiktok", version: "2025-09", fields: &tiktok(Email { spaces: true, ..PLAIN }, true) },
    RuleSet { platform: "tiktok", version: "2025-08", fields: &tiktok(Email { tags: Tags::All, ..PLAIN }, false) },
    RuleSet { platform: "tiktok", version: "2025-06", fields: &tiktok(Email { tags: Tags::All, ..PLAIN }, true) },
    RuleSet {
        platform: "uid2",
        version: "2026-07",
        fields: &[
            (
                Field::Email,
                Rule::Email(Email { spaces: false, dots: &["gmail.com"], tags: Tags::Of(&["gmail.com"]) }),
                Form::Base64,
            ),
            (Field::Phone, Rule::Phone { plus: true }, Form::Base64),
        ],
    },
];

/// The rule and the form of a field on a platform, which may be pinned to a version: `meta@2026-01`.
///
/// # Errors
/// What is unknown, and what is known instead.
pub(super) fn rule(platform: &str, field: &str) -> Result<(Rule, Form), String> {
    let (name, version) = match platform.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (platform, None),
    };
    let matches = |set: &&RuleSet| {
        set.platform.eq_ignore_ascii_case(name) && version.is_none_or(|version| version == set.version)
    };
    let Some(set) = RULE_SETS.iter().find(matches) else {
        let known: Vec<String> = RULE_SETS.iter().map(|set| format!("{}@{}", set.platform, set.version)).collect();
        return Err(format!("unknown platform \"{platform}\", there are {}", known.join(", ")));
    };
    let wanted = Field::named(field);
    if let Some((_, rule, form)) = set.fields.iter().find(|(field, ..)| Some(*field) == wanted) {
        return Ok((*rule, *form));
    }
    let mut message = format!("{} takes no field \"{field}\", it takes ", set.platform);
    for (number, (field, ..)) in set.fields.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = write!(message, "{}{}", if number == 0 { "" } else { ", " }, field.name());
    }
    Err(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_unless_pinned() {
        assert_eq!(rule("tiktok", "phone").unwrap().0, Rule::Phone { plus: true });
        assert_eq!(rule("TikTok@2025-08", "ph").unwrap().0, Rule::Phone { plus: false });
        assert_eq!(rule("meta", "fn").unwrap(), (Rule::Name, Form::Hex));
        assert_eq!(rule("google", "zip").unwrap().1, Form::Clear);
        assert!(rule("meta@2020-01", "email").unwrap_err().contains("meta@2026-01"));
        assert!(rule("uid2", "zip").unwrap_err().ends_with("it takes email, phone"));
        for pair in RULE_SETS.windows(2).filter(|pair| pair[0].platform == pair[1].platform) {
            assert!(pair[0].version > pair[1].version);
        }
    }
}

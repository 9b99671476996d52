//! One identifier for one platform: read, normalised, hashed; and how SQL's arguments become them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::arrow::array::{Array, AsArray, StringArray};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use phonenumber::country;
use sha2::{Digest, Sha256};

use super::clean;
use super::rules::{Form, Rule, rule};
use crate::InvalidArgument;
use crate::arguments::text;
use crate::phone;
use crate::rows::{constant_for_constants, row_count};

/// SHA-256 of no bytes: what careless programs send for a missing value.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What a value is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing, white space, or the hash of nothing.
    Empty,
    /// Not a value of its field.
    Invalid,
    /// A hash already, in the platform's form.
    Hashed(String),
    /// In the clear, normalised.
    Clear(String),
}

/// What is done to the values of a field for a platform.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identifiers {
    rule: Rule,
    form: Form,
}

impl Identifiers {
    /// # Errors
    /// [`InvalidArgument`] if the platform or the field is unknown.
    pub(super) fn of(function: &str, platform: &ScalarValue, field: &ScalarValue) -> Result<Self> {
        let platform = text(function, "the platform", platform)?;
        let field = text(function, "the field", field)?;
        let (rule, form) = rule(platform, field).map_err(|why| invalid(function, &why))?;
        Ok(Self { rule, form })
    }

    /// What `value` is, where numbers and codes without their country are of `region`.
    pub(super) fn read(&self, value: &str, region: Option<country::Id>) -> Reading {
        let value = clean::trimmed(value);
        if value.is_empty() {
            return Reading::Empty;
        }
        if let Some(hash) = self.hash_in(value) {
            return if hash == HASH_OF_NOTHING { Reading::Empty } else { Reading::Hashed(self.encoded(&hash)) };
        }
        let letters = region.as_ref().map(AsRef::as_ref);
        let clear = match self.rule {
            Rule::Email(email) => clean::email(value, &email),
            Rule::Phone { plus } => {
                let number = phone::e164(value, region);
                if plus { number } else { number.and_then(|number| number.strip_prefix('+').map(str::to_owned)) }
            }
            Rule::Name => clean::name(value),
            Rule::Lower => clean::lower_spaced(value),
            Rule::Compact => clean::compact(value),
            Rule::State => clean::state(value, letters == Some("US")),
            Rule::Zip => clean::zip(value, letters),
            Rule::Country { lower } => clean::country(value, lower),
            Rule::BirthDate => clean::birth_date(value),
            Rule::Gender => clean::gender(value),
            Rule::AsIs => Some(value.to_owned()),
            Rule::Device => clean::device(value),
        };
        clear.map_or(Reading::Invalid, Reading::Clear)
    }

    /// What the platform gets of it.
    pub(super) fn sent(&self, reading: Reading) -> Option<String> {
        match reading {
            Reading::Empty | Reading::Invalid => None,
            Reading::Hashed(hash) => Some(hash),
            Reading::Clear(clear) => Some(match self.form {
                Form::Clear => clear,
                Form::Hex => hex(&Sha256::digest(clear.as_bytes())),
                Form::Base64 => STANDARD.encode(Sha256::digest(clear.as_bytes())),
            }),
        }
    }

    /// The hash, in hexadecimal, that a value is already; none where the platform wants it clear.
    fn hash_in(&self, value: &str) -> Option<String> {
        let is_hex = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
        match self.form {
            Form::Clear => None,
            _ if is_hex => Some(value.to_ascii_lowercase()),
            Form::Base64 if value.len() == 44 => {
                STANDARD.decode(value).ok().filter(|bytes| bytes.len() == 32).map(|bytes| hex(&bytes))
            }
            _ => None,
        }
    }

    fn encoded(&self, hash: &str) -> String {
        match self.form {
            Form::Base64 => {
                let digit = |place: usize| hash.get(place..place + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
                STANDARD.encode((0..32).filter_map(|byte| digit(2 * byte)).collect::<Vec<u8>>())
            }
            _ => hash.to_owned(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    bytes.iter().flat_map(digits).collect()
}

pub(super) fn invalid(function: &str, why: &str) -> DataFusionError {
    InvalidArgument::error(format!("{function}: {why}"))
}

/// The types of platform, field, value and region.
///
/// # Errors
/// If there are too few or too many, or a value that has no text of its own.
pub(super) fn coerced(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let ([platform, field, value] | [platform, field, value, _]) = types else {
        return plan_err!("{function} takes a platform, a field, a value and at most a region");
    };
    for (name, given) in [("platform", Some(platform)), ("field", Some(field)), ("region", types.get(3))] {
        if let Some(given) = given.filter(|given| !given.is_string() && !given.is_null()) {
            return plan_err!("{function} takes the {name} as text, not as {given}");
        }
    }
    let value = match value {
        given if given.is_string() || given.is_integer() || given.is_null() => DataType::Utf8,
        // Numbers of phones and customers.
        DataType::Decimal128(_, 0) => DataType::Utf8,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => DataType::Date32,
        other => return plan_err!("{function} does not take a value of type {other}, cast it to text"),
    };
    Ok([DataType::Utf8, DataType::Utf8, value, DataType::Utf8].into_iter().take(types.len()).collect())
}

/// The values as text.
pub(super) fn values(values: &dyn Array) -> Result<StringArray> {
    Ok(cast(values, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The region of each row.
pub(super) enum Regions {
    /// The same for all, or none.
    One(Option<country::Id>),
    /// By row; one that is unknown is none.
    Each(StringArray),
}

impl Regions {
    /// # Errors
    /// [`InvalidArgument`] if it is a constant and unknown.
    pub(super) fn constant(function: &str, region: &ScalarValue) -> Result<Self> {
        let Some(Some(letters)) = region.try_as_str() else { return Ok(Self::One(None)) };
        match phone::region(letters) {
            Some(region) => Ok(Self::One(Some(region))),
            None => Err(invalid(function, &format!("unknown region \"{letters}\", give two letters such as FR"))),
        }
    }

    pub(super) fn at(&self, row: usize) -> Option<country::Id> {
        match self {
            Self::One(region) => *region,
            Self::Each(regions) => regions.is_valid(row).then(|| phone::region(regions.value(row))).flatten(),
        }
    }
}

/// Every row's value, by what `give` makes of its reading.
pub(super) fn evaluated(
    function: &str,
    args: &ScalarFunctionArgs,
    give: impl Fn(&Identifiers, Reading) -> Option<String>,
) -> Result<ColumnarValue> {
    let (platform, field, value) = match args.args.as_slice() {
        [ColumnarValue::Scalar(platform), ColumnarValue::Scalar(field), value, ..] => (platform, field, value),
        _ => return Err(invalid(function, "the platform and the field have to be constants")),
    };
    let identifiers = Identifiers::of(function, platform, field)?;
    let regions = match args.args.get(3) {
        None => Regions::One(None),
        Some(ColumnarValue::Scalar(region)) => Regions::constant(function, region)?,
        Some(ColumnarValue::Array(regions)) => Regions::Each(regions.as_string::<i32>().clone()),
    };
    let texts = values(&value.to_array(row_count(args))?)?;
    let result: StringArray = texts
        .iter()
        .enumerate()
        .map(|(row, text)| give(&identifiers, identifiers.read(text?, regions.at(row))))
        .collect();
    constant_for_constants(&args.args, Arc::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(platform: &str, field: &str, value: &str, region: Option<&str>) -> Option<String> {
        let identifiers = Identifiers::of("f", &ScalarValue::from(platform), &ScalarValue::from(field)).unwrap();
        identifiers.sent(identifiers.read(value, region.and_then(phone::region)))
    }

    /// The examples that the platforms publish beside their rules.
    #[test]
    fn published_examples() {
        for (platform, field, value, region, expected) in [
            (
                "meta",
                "em",
                "John_Smith@gmail.com",
                None,
                "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
            ),
            (
                "meta",
                "ph",
                "(650)555-1212",
                Some("US"),
                "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
            ),
            ("meta", "fn", "Mary", None, "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
            ("meta", "fn", "정", None, "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
            ("meta", "fn", "Valéry", None, "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
            ("meta", "db", "1997-02-16", None, "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
            ("meta", "country", "US", None, "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
            (
                "tiktok",
                "email",
                "JaneDoe@gmail.com",
                None,
                "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
            ),
            ("uid2", "email", "MyEmail@example.com", None, "FsGNM28LJQ8OLZB0Us65ZYp07NrovJSGTCMSKnLMJ6U="),
            ("uid2", "email", "My.Email@example.com", None, "4itTvG+HEnTzpiqzejyu1yFPwU1nYhWpaiQvz62hyB8="),
            ("uid2", "email", "JaneSaoirse+Work@example.com", None, "KKruSBUjDNO069iMUVImVQZm6RrAGZKeOtrD9mwogYA="),
            ("uid2", "email", "JaneSaoirse+Work@gmail.com", None, "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="),
            ("uid2", "email", "JANE.SAOIRSE@gmail.com", None, "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="),
            ("uid2", "phone", "1 (234) 567-8901", Some("US"), "EObwtHBUqDNZR33LNSMdtt5cafsYFuGmuY4ZLenlue4="),
        ] {
            assert_eq!(sent(platform, field, value, region).as_deref(), Some(expected), "{platform} {field} {value}");
        }
    }

    #[test]
    fn hashes_are_not_hashed_again() {
        let hash = "62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F";
        assert_eq!(sent("meta", "email", hash, None), Some(hash.to_ascii_lowercase()));
        let base64 = sent("uid2", "email", "92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f", None);
        assert_eq!(base64.as_deref(), Some("ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="));
        assert_eq!(sent("uid2", "email", "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8=", None), base64);
        // What is sent in the clear is never taken for a hash.
        assert_eq!(sent("google", "external_id", hash, None).as_deref(), Some(hash));
    }

    #[test]
    fn nothing_is_never_hashed() {
        for value in ["", " ", "\u{feff}", HASH_OF_NOTHING] {
            assert_eq!(sent("meta", "first_name", value, None), None, "{value}");
        }
        assert_eq!(hex(&Sha256::digest(b"")), HASH_OF_NOTHING);
        assert_eq!(sent("meta", "first_name", "...", None), None);
        assert_eq!(sent("uid2", "email", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", None), None);
    }

    #[test]
    fn platforms_differ() {
        let gmail = "Jean.Louis.Dupont+promo@Gmail.com";
        let all: Vec<_> = ["meta", "google", "google@2025-01", "tiktok", "tiktok@2025-06", "uid2"]
            .map(|platform| sent(platform, "email", gmail, None))
            .to_vec();
        assert_eq!(all[0], all[2]);
        assert_eq!(all[0], all[3]);
        assert_ne!(all[0], all[1]);
        assert_ne!(all[0], all[4]);
        assert_eq!(sent("meta", "phone", "0033612345678", None).unwrap()[..12], *"8a3e7886c933");
        assert_eq!(sent("google", "phone", "+33 (0)6 12 34 56 78", None).unwrap()[..12], *"42d573cfc315");
        assert_eq!(sent("google", "first_name", "François", None).unwrap()[..12], *"6f15f31e41b3");
        assert_eq!(sent("google", "zip", " 75018 ", None).as_deref(), Some("75018"));
    }
}

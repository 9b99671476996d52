//! Telephone numbers in E.164, by the numbering plans of libphonenumber.
//!
//! Numbers of profiles are compared by it and hashed by it: what reads one person's number in two ways finds two people.

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, country};

/// The region that two letters name, in any case; UK is GB.
pub(crate) fn region(letters: &str) -> Option<country::Id> {
    let capitals = letters.trim().to_ascii_uppercase();
    if capitals == "UK" {
        return Some(country::Id::GB);
    }
    // The parser takes for granted that it has data of a region.
    capitals.parse().ok().filter(|_| DATABASE.by_id(&capitals).is_some())
}

/// `+` and digits; `None` for what is no number of its country's plan. A number without its country's code needs the
/// region; 00 before a country's code is a + everywhere.
pub(crate) fn e164(written: &str, region: Option<country::Id>) -> Option<String> {
    let written = without_scheme_and_extension(written);
    let international = written.starts_with(['+', '\u{ff0b}']);
    // Behind a country's code people write the zero that is dialled within the country; in Italy it is dialled from
    // everywhere.
    let zero_within = if international { written.split_once("(0)") } else { None };
    zero_within
        .and_then(|(code, rest)| valid(&digits(&format!("{code}{rest}"))?, region))
        .or_else(|| valid(&digits(written)?, region))
}

/// The number that digits are, if they are a valid one.
fn valid(digits: &str, region: Option<country::Id>) -> Option<String> {
    let of_region = region.and_then(|region| parsed(Some(region), digits));
    of_region.or_else(|| match digits.strip_prefix("00") {
        Some(rest) => parsed(None, &format!("+{rest}")),
        None if digits.starts_with('+') => parsed(None, digits),
        None => None,
    })
}

fn parsed(region: Option<country::Id>, digits: &str) -> Option<String> {
    let number = phonenumber::parse(region, digits).ok().filter(phonenumber::PhoneNumber::is_valid)?;
    let text = number.format().mode(Mode::E164).to_string();
    // Some plans have room for more digits than E.164 has.
    (text.len() <= 16).then_some(text)
}

fn without_scheme_and_extension(written: &str) -> &str {
    let written = written.trim();
    let number = match written.split_at_checked(3) {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel") => number.trim_start_matches([':', '.', ' ']),
        _ => written,
    };
    number.find(['x', 'X', 'e', 'E', '#', ';', ',']).map_or(number, |extension| &number[..extension])
}

/// The digits of a number, and its plus. None if there is anything in it that is not written round digits: letters
/// would be taken for the keys that they are on.
fn digits(written: &str) -> Option<String> {
    let mut digits = String::with_capacity(written.len());
    for character in written.chars() {
        match character {
            '0'..='9' => digits.push(character),
            // Full-width digits.
            '\u{ff10}'..='\u{ff19}' => digits.extend(char::from_digit(u32::from(character) - 0xff10, 10)),
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            '(' | ')' | '[' | ']' | '.' | '-' | '/' | '~' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' => {}
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' | '\u{ff0d}' => {}
            blank if blank.is_whitespace() => {}
            _ => return None,
        }
    }
    // No number of any country is longer with its prefixes.
    (3..=20).contains(&digits.len()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_shapes() {
        for (written, letters, expected) in [
            ("06 12 34 56 78", "FR", "+33612345678"),
            ("06.12.34.56.78", "FR", "+33612345678"),
            ("33612345678", "FR", "+33612345678"),
            ("0033 6 12 34 56 78", "FR", "+33612345678"),
            ("0033612345678", "US", "+33612345678"),
            ("0033612345678", "", "+33612345678"),
            ("+33612345678", "", "+33612345678"),
            ("+33 (0)6 12 34 56 78", "FR", "+33612345678"),
            ("+33 (0)6 12 34 56 78", "", "+33612345678"),
            ("+33-6-12-34-56-78", "", "+33612345678"),
            ("tel:+33-6-12-34-56-78;ext=4", "", "+33612345678"),
            ("Tel. 06 12 34 56 78", "FR", "+33612345678"),
            ("\u{feff}\u{ff10}6 12 34 56 78", "FR", "+33612345678"),
            ("+44 20 7946 0018", "FR", "+442079460018"),
            ("020 7183 8750", "uk", "+442071838750"),
            ("(650) 253-0000 x12", "US", "+16502530000"),
            ("+1 650 555 1212 ext. 9", "", "+16505551212"),
            ("374-93-828222", "AM", "+37493828222"),
            ("06 698 12345", "IT", "+390669812345"),
            ("+39 06 698 12345", "", "+390669812345"),
            ("+39 (0)6 698 12345", "", "+390669812345"),
        ] {
            assert_eq!(e164(written, region(letters)).as_deref(), Some(expected), "{written} {letters}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for (written, letters) in [
            ("06 12 34 56 78", ""),
            ("Tél. 06 12 34 56 78", "FR"),
            ("06 12 34 56", "FR"),
            ("+33 6 12", ""),
            ("+999123456", ""),
            ("1234567890123456789012", "FR"),
            ("call me", "FR"),
            ("n/a", ""),
            // The keys of "home" are 4663: they are no digits of the number.
            ("+49 30 123 456 (home)", ""),
            ("", "FR"),
            ("+", "FR"),
            ("+0", ""),
            ("00000", "FR"),
        ] {
            assert_eq!(e164(written, region(letters)), None, "{written} {letters}");
        }
    }

    #[test]
    fn regions_are_checked() {
        assert_eq!(region(" fr"), Some(country::Id::FR));
        assert_eq!(region("zz"), None);
        assert_eq!(region("France"), None);
        assert_eq!(region(""), None);
        // None makes the parser stumble.
        for pair in ('A'..='Z').flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}"))) {
            let Some(region) = region(&pair) else { continue };
            assert_eq!(e164("+33612345678", Some(region)).as_deref(), Some("+33612345678"), "{pair}");
        }
    }
}

//! Phone numbers in E.164, by the numbering plans of libphonenumber.

use phonenumber::{Mode, country};

/// The region that two letters name, in any case; UK is GB.
pub(super) fn region(letters: &str) -> Option<country::Id> {
    let upper = letters.trim().to_ascii_uppercase();
    if upper == "UK" { Some(country::Id::GB) } else { upper.parse().ok() }
}

/// `+` and digits; `None` for what is no number of the plan. A number without its country's code needs the region; 00
/// before a country's code is a + everywhere.
pub(super) fn e164(value: &str, region: Option<country::Id>) -> Option<String> {
    let international = || value.strip_prefix("00").map(|rest| format!("+{rest}"));
    let number = match region {
        None => international().map_or_else(|| parsed(None, value), |value| parsed(None, &value)),
        Some(_) => parsed(region, value).or_else(|| parsed(None, &international()?)),
    }?;
    let text = number.format().mode(Mode::E164).to_string();
    // Extensions are no part of E.164.
    let digits = text.strip_prefix('+')?;
    (digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn parsed(region: Option<country::Id>, value: &str) -> Option<phonenumber::PhoneNumber> {
    let number = phonenumber::parse(region, value).ok()?;
    phonenumber::is_valid(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_one_number() {
        let france = region("fr");
        for written in ["+33612345678", "0033612345678", "+33 (0)6 12 34 56 78", "06.12.34.56.78", "33612345678"] {
            assert_eq!(e164(written, france).as_deref(), Some("+33612345678"), "{written}");
        }
        for written in ["+33612345678", "0033612345678", "+33 (0)6 12 34 56 78", "+33-6-12-34-56-78"] {
            assert_eq!(e164(written, None).as_deref(), Some("+33612345678"), "{written}");
        }
        assert_eq!(e164("(650)555-1212", region("US")).as_deref(), Some("+16505551212"));
        assert_eq!(e164("0033612345678", region("US")).as_deref(), Some("+33612345678"));
        assert_eq!(e164("374-93-828222", region("AM")).as_deref(), Some("+37493828222"));
        assert_eq!(e164("+1 650 555 1212 ext. 9", None).as_deref(), Some("+16505551212"));
        assert_eq!(e164("020 7183 8750", region("uk")).as_deref(), Some("+442071838750"));
        assert_eq!(e164("+39 06 698 12345", None).as_deref(), Some("+390669812345"));
        for bad in ["0612345678", "+999123456", "12", "", "n/a", "+33 6 12"] {
            assert_eq!(e164(bad, None), None, "{bad}");
        }
        assert_eq!(region("zz"), None);
    }
}

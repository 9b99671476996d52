//! Values made what a platform's rule wants, before they are hashed. `None`: the value is not one of its kind.

use unicode_normalization::UnicodeNormalization;

use super::rules::{Email, Tags};

/// The longest address that mail servers take.
const MAX_EMAIL_BYTES: usize = 254;

/// Without white space at both ends, and without what exports leave there that can't be seen.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}'))
}

/// An address with one @, a name before it and a domain with a dot after it.
pub(super) fn email(value: &str, rule: &Email) -> Option<String> {
    let mut address = lower(value);
    if rule.spaces {
        address.retain(|c| !c.is_whitespace());
    }
    let (local, domain) = address.split_once('@')?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>');
    let labels = domain.split('.');
    let valid = !local.contains(bad)
        && !domain.contains(bad)
        && domain.contains('.')
        && labels.clone().all(|label| !label.is_empty())
        && address.len() <= MAX_EMAIL_BYTES;
    if !valid {
        return None;
    }
    let cut = match rule.tags {
        Tags::All => true,
        Tags::Of(domains) => domains.contains(&domain),
    };
    let local = if cut { local.split('+').next().unwrap_or_default() } else { local };
    let local = if rule.dots.contains(&domain) { local.replace('.', "") } else { local.to_owned() };
    (!local.is_empty()).then(|| format!("{local}@{domain}"))
}

/// Lower case, in the form of Unicode that composes accents, so that equal names have equal bytes.
fn lower(value: &str) -> String {
    if value.is_ascii() {
        return value.to_ascii_lowercase();
    }
    // Composed after lower case, which may take characters apart.
    value.to_lowercase().nfc().collect()
}

/// Without punctuation: letters, marks, digits and spaces of every script stay.
pub(super) fn name(value: &str) -> Option<String> {
    let kept: String = lower(value).chars().filter(|c| is_letter(*c) || c.is_whitespace()).collect();
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    (!kept.is_empty()).then_some(kept)
}

/// Lower case, with single spaces.
pub(super) fn lower_spaced(value: &str) -> Option<String> {
    let spaced = lower(value).split_whitespace().collect::<Vec<_>>().join(" ");
    (!spaced.is_empty()).then_some(spaced)
}

/// Letters, marks and digits of every script alone.
pub(super) fn compact(value: &str) -> Option<String> {
    let kept: String = lower(value).chars().filter(|c| is_letter(*c)).collect();
    (!kept.is_empty()).then_some(kept)
}

/// Letters, digits, and the marks that complete letters in scripts which have no composed form of them.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)
}

/// As [`compact`]; a state of the USA by its two letters.
pub(super) fn state(value: &str, usa: bool) -> Option<String> {
    let compact = compact(value)?;
    let letters = STATES.iter().find(|(name, _)| usa && *name == compact).map(|(_, letters)| (*letters).to_owned());
    Some(letters.unwrap_or(compact))
}

/// Lower case without spaces and dashes; of a code of the USA the first five digits.
pub(super) fn zip(value: &str, region: Option<&str>) -> Option<String> {
    let kept: String = lower(value).chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—')).collect();
    if kept.is_empty() || !kept.chars().all(char::is_alphanumeric) {
        return None;
    }
    let digits = kept.bytes().all(|b| b.is_ascii_digit());
    // Nobody else writes five digits, a dash and four.
    let extended = digits && kept.len() == 9 && value.find('-') == Some(5);
    match region {
        Some("US") if digits && [5, 9].contains(&kept.len()) => kept.get(..5).map(str::to_owned),
        Some("US") => None,
        None if extended => kept.get(..5).map(str::to_owned),
        _ => Some(kept),
    }
}

/// Two letters of ISO 3166-1; UK, which many write, is GB.
pub(super) fn country(value: &str, lower: bool) -> Option<String> {
    if value.len() != 2 || !value.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let upper = value.to_ascii_uppercase();
    let upper = if upper == "UK" { "GB".to_owned() } else { upper };
    Some(if lower { upper.to_ascii_lowercase() } else { upper })
}

/// `YYYYMMDD` of a date written year, month, day. Other orders can't be told apart and are no date.
pub(super) fn birth_date(value: &str) -> Option<String> {
    let digits = match value.as_bytes() {
        [year @ .., b'-' | b'/' | b'.', _, _, b'-' | b'/' | b'.', _, _] if year.len() == 4 => {
            format!("{}{}{}", value.get(..4)?, value.get(5..7)?, value.get(8..)?)
        }
        plain if plain.len() == 8 => value.to_owned(),
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    ((1900..2100).contains(&year) && (1..=days).contains(&day)).then_some(digits)
}

/// `f` or `m`; other answers are nothing that a platform takes.
pub(super) fn gender(value: &str) -> Option<String> {
    match value.to_ascii_lowercase().as_str() {
        "f" | "female" | "woman" => Some("f".to_owned()),
        "m" | "male" | "man" => Some("m".to_owned()),
        _ => None,
    }
}

/// An advertising id: 32 hexadecimal digits with hyphens, in lower case. That of all zeros, which a device gives when
/// its owner refuses to be tracked, is none.
pub(super) fn device(value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    let groups: Vec<&str> = lower.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digits = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
    let refused = lower.bytes().all(|b| matches!(b, b'0' | b'-'));
    (lengths == [8, 4, 4, 4, 12] && digits && !refused).then_some(lower)
}

/// States, the district and the territories of the USA, in the form of [`compact`].
const STATES: [(&str, &str); 56] = [
    ("alabama", "al"),
    ("alaska", "ak"),
    ("americansamoa", "as"),
    ("arizona", "az"),
    ("arkansas", "ar"),
    ("california", "ca"),
    ("colorado", "co"),
    ("connecticut", "ct"),
    ("delaware", "de"),
    ("districtofcolumbia", "dc"),
    ("florida", "fl"),
    ("georgia", "ga"),
    ("guam", "gu"),
    ("hawaii", "hi"),
    ("idaho", "id"),
    ("illinois", "il"),
    ("indiana", "in"),
    ("iowa", "ia"),
    ("kansas", "ks"),
    ("kentucky", "ky"),
    ("louisiana", "la"),
    ("maine", "me"),
    ("maryland", "md"),
    ("massachusetts", "ma"),
    ("michigan", "mi"),
    ("minnesota", "mn"),
    ("mississippi", "ms"),
    ("missouri", "mo"),
    ("montana", "mt"),
    ("nebraska", "ne"),
    ("nevada", "nv"),
    ("newhampshire", "nh"),
    ("newjersey", "nj"),
    ("newmexico", "nm"),
    ("newyork", "ny"),
    ("northcarolina", "nc"),
    ("northdakota", "nd"),
    ("northernmarianaislands", "mp"),
    ("ohio", "oh"),
    ("oklahoma", "ok"),
    ("oregon", "or"),
    ("pennsylvania", "pa"),
    ("puertorico", "pr"),
    ("rhodeisland", "ri"),
    ("southcarolina", "sc"),
    ("southdakota", "sd"),
    ("tennessee", "tn"),
    ("texas", "tx"),
    ("utah", "ut"),
    ("vermont", "vt"),
    ("virginia", "va"),
    ("virginislands", "vi"),
    ("washington", "wa"),
    ("westvirginia", "wv"),
    ("wisconsin", "wi"),
    ("wyoming", "wy"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        let plain = Email { spaces: false, dots: &[], tags: Tags::Of(&[]) };
        let gmail = Email { spaces: true, dots: &["gmail.com"], tags: Tags::Of(&["gmail.com"]) };
        assert_eq!(email("John_Smith@gmail.com", &plain).unwrap(), "john_smith@gmail.com");
        assert_eq!(email("J.C.Dupont+promo@Gmail.com", &gmail).unwrap(), "jcdupont@gmail.com");
        assert_eq!(email("J.C+x@example.com", &gmail).unwrap(), "j.c+x@example.com");
        assert_eq!(email("a b@example.com", &gmail).unwrap(), "ab@example.com");
        for bad in ["a b@example.com", "ada", "@example.com", "ada@", "ada@example", "a@b@c.de", "a@b..de", "a@.de"] {
            assert_eq!(email(bad, &plain), None, "{bad}");
        }
        assert_eq!(email("+tag@gmail.com", &gmail), None);
        assert_eq!(email(&format!("{}@example.com", "x".repeat(250)), &plain), None);
    }

    #[test]
    fn names_keep_their_letters() {
        assert_eq!(name("François").unwrap(), "françois");
        // The accent written as a mark of its own.
        assert_eq!(name("Franc\u{327}ois").unwrap(), "fran\u{e7}ois");
        assert_eq!(name("李").unwrap(), "李");
        assert_eq!(name("O'Brien-Lee, Jr.").unwrap(), "obrienlee jr");
        assert_eq!(name("--"), None);
        assert_eq!(lower_spaced("  Anne  MARIE ").unwrap(), "anne marie");
        assert_eq!(compact("Saint-Étienne").unwrap(), "saintétienne");
        assert_eq!(state("New York", true).unwrap(), "ny");
        assert_eq!(state("Georgia", false).unwrap(), "georgia");
        assert_eq!(trimmed("\u{feff} a\u{a0}"), "a");
    }

    #[test]
    fn codes() {
        assert_eq!(zip("94035-1234", None).unwrap(), "94035");
        assert_eq!(zip("940351234", Some("US")).unwrap(), "94035");
        assert_eq!(zip("9403", Some("US")), None);
        assert_eq!(zip("M1 1AE", None).unwrap(), "m11ae");
        assert_eq!(zip("100-0001", None).unwrap(), "1000001");
        assert_eq!(country("us", true).unwrap(), "us");
        assert_eq!(country("uk", false).unwrap(), "GB");
        assert_eq!(country("France", true), None);
        assert_eq!(gender("Female").unwrap(), "f");
        assert_eq!(gender("x"), None);
        assert_eq!(device("AECE52E7-03EE-455A-B3C4-E57283966239").unwrap(), "aece52e7-03ee-455a-b3c4-e57283966239");
        assert_eq!(device("00000000-0000-0000-0000-000000000000"), None);
    }

    #[test]
    fn dates_have_one_order() {
        assert_eq!(birth_date("1997-02-16").unwrap(), "19970216");
        assert_eq!(birth_date("1997/02/16").unwrap(), "19970216");
        assert_eq!(birth_date("20000229").unwrap(), "20000229");
        for bad in
            ["16/02/1997", "02-16-1997", "1997-02-30", "19000229", "1899-01-01", "1997-13-01", "1997-2-16", "é9970216"]
        {
            assert_eq!(birth_date(bad), None, "{bad}");
        }
    }
}

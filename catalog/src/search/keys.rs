//! The values that are looked for, and what counts as one of them inside of something longer.

use std::collections::{HashMap, HashSet};

/// So many bytes at a place decide whether a key may begin there.
const PREFIX: usize = 3;

/// Keys of persons. A key is found where it stands whole: `p12` is in `"p12"` and `mailto:p12@x`, not in `p123`. One that
/// is a number, of which any object is full, is found only as the value of a column that has the keys' name, or
/// between quotation marks.
pub struct Keys {
    whole: HashSet<String>,
    numbers: HashSet<i64>,
    /// What is looked for in longer text, by its first bytes.
    words: HashMap<[u8; PREFIX], Vec<Vec<u8>>>,
    /// What is too short for that.
    short: Vec<Vec<u8>>,
    /// The bytes that any of them begins with: most places are passed over by it.
    first: [bool; 256],
    columns: Vec<String>,
}

impl Keys {
    /// `columns`: names of the columns that hold them.
    pub fn new(keys: impl IntoIterator<Item = String>, columns: impl IntoIterator<Item = String>) -> Self {
        let whole: HashSet<String> = keys.into_iter().filter(|key| !key.is_empty()).collect();
        let mut words: HashMap<[u8; PREFIX], Vec<Vec<u8>>> = HashMap::new();
        let mut short = Vec::new();
        let mut first = [false; 256];
        for key in &whole {
            for form in forms(key) {
                form.first().into_iter().for_each(|byte| first[usize::from(*byte)] = true);
                match form.first_chunk::<PREFIX>() {
                    Some(prefix) => words.entry(*prefix).or_default().push(form),
                    None => short.push(form),
                }
            }
        }
        let numbers = whole.iter().filter_map(|key| key.parse().ok()).collect();
        Self { whole, numbers, words, short, first, columns: columns.into_iter().collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// Whether a column of that name holds keys.
    pub(super) fn is_named(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    pub(super) fn is_number(&self, value: i64) -> bool {
        self.numbers.contains(&value)
    }

    /// Whether a value is a key or has one in it; `named`: it is from a column that holds keys.
    pub(super) fn in_value(&self, value: &str, named: bool) -> bool {
        if self.whole.contains(value) {
            return named || !is_number(value.as_bytes());
        }
        self.in_text(value.as_bytes())
    }

    /// Whether a key stands somewhere in a text.
    pub(super) fn in_text(&self, text: &[u8]) -> bool {
        (0..text.len()).filter(|at| self.first[usize::from(text[*at])]).any(|at| {
            let rest = &text[at..];
            let words = rest.first_chunk::<PREFIX>().and_then(|prefix| self.words.get(prefix));
            let candidates = words.into_iter().flatten().chain(&self.short);
            candidates.into_iter().any(|word| rest.starts_with(word) && self.stands_alone(text, at, word))
        })
    }

    fn stands_alone(&self, text: &[u8], at: usize, word: &[u8]) -> bool {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let joined = |a: Option<&u8>, b: Option<&u8>| a.zip(b).is_some_and(|(a, b)| is_letter(*a) && is_letter(*b));
        // The letter of an escape belongs to no word.
        let escaped = matches!(before, [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f']);
        if (joined(before.last(), word.first()) && !escaped) || joined(word.last(), after.first()) {
            return false;
        }
        !is_number(word) || is_quoted(before, after) || self.is_value(before)
    }

    /// Whether what ends here is the name of a column that holds keys and a colon: `\"profile_id\":`.
    fn is_value(&self, before: &[u8]) -> bool {
        let Some((b':', name)) = before.split_last().map(|(last, rest)| (*last, rest)) else { return false };
        let end = name.iter().rposition(|byte| !matches!(byte, b'"' | b'\\')).map_or(0, |at| at + 1);
        self.columns.iter().any(|column| name[..end].ends_with(column.as_bytes()))
    }
}

/// A key as it stands in text: as it is, and as JSON writes it, once and twice.
fn forms(key: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![key.as_bytes().to_vec()];
    let mut form = key.to_owned();
    for _ in 0..2 {
        form = serde_json::Value::from(form).to_string();
        form = form[1..form.len() - 1].to_owned();
        if forms.last().is_some_and(|last| last != form.as_bytes()) {
            forms.push(form.as_bytes().to_vec());
        }
    }
    forms
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is_number(word: &[u8]) -> bool {
    word.strip_prefix(b"-").unwrap_or(word).iter().all(u8::is_ascii_digit)
}

fn is_quoted(before: &[u8], after: &[u8]) -> bool {
    let after = after.iter().find(|byte| **byte != b'\\');
    matches!((before.last(), after), (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Keys {
        Keys::new(keys.iter().map(|key| (*key).to_owned()), ["profile_id".to_owned()])
    }

    #[test]
    fn words_stand_alone() {
        let keys = keys(&["p12", "ada@example.com", "x", "say \"hi\""]);
        for text in [
            "p12",
            "'p12'",
            "mailto:p12@y",
            r#"{\"min\":\"p12\"}"#,
            r"\np12",
            "ada@example.com",
            "a x",
            r#"\"say \\\"hi\\\"\""#,
        ] {
            assert!(keys.in_text(text.as_bytes()), "{text}");
        }
        for text in ["p123", "sp12", "", "p1", "wada@example.com", "ax", "ép12"] {
            assert!(!keys.in_text(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn numbers_are_keys_only_where_keys_are() {
        let keys = keys(&["4711"]);
        for text in
            [r#""profile_id":4711}"#, r#"{\"minValues\":{\"profile_id\":4711,"#, "WHERE id = '4711'", r#"\"4711\""#]
        {
            assert!(keys.in_text(text.as_bytes()), "{text}");
        }
        for text in ["4711", r#""size":4711"#, r#""profile_id":47110"#] {
            assert!(!keys.in_text(text.as_bytes()), "{text}");
        }
        assert!(keys.in_value("4711", true) && !keys.in_value("4711", false) && keys.is_number(4711));
    }
}

//! `soundex_fr(name)`: a French name by how it sounds.
//!
//! Soundex 2 of Frédéric Brouard (L'art des « Soundex », developpez.com): K for hard G and C and for Q, no vowels but
//! a first one, no H unless C or S is before it, no Y unless a vowel is, no A, T, D or S as the last letter; at most
//! four letters. A run of equal letters counts once, and the code is not filled up with blanks.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;

use super::sounds::append_code;
use super::texts::text_function;

/// The function `soundex_fr`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns a code of a French name, at most four letters, so that names that sound alike agree. NULL for NULL and for a text without letters.",
    syntax_example = "soundex_fr(name)",
    sql_example = r#"```sql
> SELECT soundex_fr('Gauthier') AS a, soundex_fr('Gautier') AS b;
+-----+-----+
| a   | b   |
+-----+-----+
| KTR | KTR |
+-----+-----+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SoundexFr;

text_function!(SoundexFr, coded, "soundex_fr", alias "soundex2");

fn coded(name: &str, code: &mut String) -> bool {
    append_code(name, code, code_of)
}

/// Letters that are written otherwise than they sound, in the order in which they are replaced.
const SOUNDS: [(&str, &str); 11] = [
    ("GUI", "KI"),
    ("GUE", "KE"),
    ("GA", "KA"),
    ("GO", "KO"),
    ("GU", "K"),
    ("CA", "KA"),
    ("CO", "KO"),
    ("CU", "KU"),
    ("Q", "K"),
    ("CC", "K"),
    ("CK", "K"),
];

/// The same for the start of a name, once its vowels are A.
const STARTS: [(&str, &str); 6] =
    [("MAC", "MCC"), ("ASA", "AZA"), ("KN", "NN"), ("PF", "FF"), ("SCH", "SSS"), ("PH", "FF")];

fn code_of(letters: String) -> String {
    let sounds = SOUNDS.iter().fold(letters, |letters, (written, sound)| letters.replace(written, sound));
    let vowel = |letter: char| if matches!(letter, 'E' | 'I' | 'O' | 'U') { 'A' } else { letter };
    let mut letters = sounds.chars();
    let first = letters.next();
    let mut plain: String = first.into_iter().chain(letters.map(vowel)).collect();
    if let Some((written, sound)) = STARTS.iter().find(|(written, _)| plain.starts_with(written)) {
        plain.replace_range(..written.len(), sound);
    }
    let mut heard = String::with_capacity(plain.len());
    let mut before = None;
    for letter in plain.chars() {
        let silent = match letter {
            'H' => before.is_some_and(|before| !matches!(before, 'C' | 'S')),
            'Y' => before.is_some_and(|before| before != 'A'),
            _ => false,
        };
        if !silent {
            heard.push(letter);
        }
        before = Some(letter);
    }
    let heard = match heard.char_indices().nth(1) {
        Some((second, _)) => {
            let (first, rest) = heard.split_at(second);
            format!("{first}{}", rest.strip_suffix(['A', 'T', 'D', 'S']).unwrap_or(rest))
        }
        None => heard,
    };
    let mut code: Vec<char> = Vec::with_capacity(4);
    for (place, letter) in heard.chars().enumerate() {
        let repeated = code.last() == Some(&letter);
        if code.len() < 4 && !repeated && (letter != 'A' || place == 0) {
            code.push(letter);
        }
    }
    code.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::sounds::assert_codes;
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        assert_codes(
            coded,
            &[
                ("Martin", "MRTN"),
                ("Bernard", "BRNR"),
                ("Faure", "FR"),
                ("Perez", "PRZ"),
                ("Gros", "GR"),
                ("Chapuis", "CHP"),
                ("Boyer", "BYR"),
                ("Gauthier", "KTR"),
                ("Rey", "RY"),
                ("Barthélémy", "BRTL"),
                ("Henry", "HNR"),
                ("Moulin", "MLN"),
                ("Rousseau", "RS"),
                ("Œuvrard", "OVR"),
                ("Quesnel", "KSNL"),
                ("Eda", "ED"),
                ("Dupond", "DPN"),
                ("Dupont", "DPN"),
            ],
        );
    }
}

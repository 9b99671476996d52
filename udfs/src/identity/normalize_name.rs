//! `normalize_name(name)`: a name as a key, in which spellings of the same name agree.
//!
//! Compatibility decomposition (Unicode Standard Annex 15, NFKD), no diacritics, lower case, Latin letters without a
//! decomposition written out (ß ss, œ oe, æ ae, ø o, ł l, đ ð d, þ th, ħ h, ı i). Apostrophes vanish (O'Brien is
//! obrien); everything else that is neither letter nor digit parts words, which one blank stands between. The result is
//! composed again (NFC). Marks of other scripts than Latin, Greek and Cyrillic stay.
//!
//! * NULL, and a text without a letter or digit: NULL, so that it never is a key that many share.
//! * Cost: O(length); ASCII is not decomposed.

use datafusion_macros::user_doc;
use unicode_normalization::UnicodeNormalization;

use super::folding::{fold, in_word, is_apostrophe};
use super::texts::text_function;

/// The function `normalize_name`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns a name in lower case, without accents, ligatures, apostrophes and other punctuation, its words parted by one blank. NULL for NULL, and for a text without any letter or digit.",
    syntax_example = "normalize_name(name)",
    sql_example = r#"```sql
> SELECT normalize_name(' Jean-François  LŒUVRE ') AS a, normalize_name('O’Brien, Søren') AS b, normalize_name('--') AS c;
+-----------------------+--------------+---+
| a                     | b            | c |
+-----------------------+--------------+---+
| jean francois loeuvre | obrien soren |   |
+-----------------------+--------------+---+
```"#,
    argument(name = "name", description = "The name, text.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NormalizeName;

text_function!(NormalizeName, normalized, "normalize_name");

fn normalized(name: &str, result: &mut String) -> bool {
    let mut parted = false;
    let mut push = |character: char| {
        if in_word(character) {
            if parted && !result.is_empty() {
                result.push(' ');
            }
            parted = false;
            result.push(character);
        } else if !is_apostrophe(character) {
            parted = true;
        }
    };
    if name.is_ascii() {
        name.chars().for_each(|character| push(character.to_ascii_lowercase()));
    } else {
        // Before folding, which makes a blank and an accent of an acute that stands for an apostrophe.
        let bare: String = name.chars().filter(|character| !is_apostrophe(*character)).collect();
        fold(&bare, push);
        if !result.is_ascii() {
            *result = result.nfc().collect();
        }
    }
    !result.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_agree() {
        let of = |name: &str| {
            let mut result = String::new();
            normalized(name, &mut result).then_some(result)
        };
        assert_eq!(of(" Jean-François  LŒUVRE ").as_deref(), Some("jean francois loeuvre"));
        assert_eq!(of("JEAN FRANCOIS LOEUVRE").as_deref(), Some("jean francois loeuvre"));
        assert_eq!(of("O´Brien").as_deref(), Some("obrien"));
        assert_eq!(of("Dr. No, 2nd").as_deref(), Some("dr no 2nd"));
        assert_eq!(of("Ὀδυσσεύς").as_deref(), Some("οδυσσευσ"));
        assert_eq!(of("김민준").as_deref(), Some("김민준"));
        assert_eq!(of("हिन्दी").as_deref(), Some("हिन्दी"));
        assert_eq!(of(""), None);
        assert_eq!(of(" -’. "), None);
    }
}

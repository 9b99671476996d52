//! `soundex(name)`: an English name by how it sounds, as the census of the United States codes it.
//!
//! American Soundex of Russell and Odell (1918) as the National Archives have it: a letter and three digits, letters
//! of a code on both sides of H or W counting once. As in PostgreSQL's fuzzystrmatch for most names, which codes them
//! twice.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;
use rphonetic::{Encoder, Soundex as Russell};

use super::folding::latin_capitals;
use super::texts::text_function;

/// The function `soundex`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the Soundex code of a name: its first letter and three digits for the consonants that follow, so that English names that sound alike agree. NULL for NULL and for a text without letters.",
    syntax_example = "soundex(name)",
    sql_example = r#"```sql
> SELECT soundex('Robert') AS a, soundex('Rupert') AS b;
+------+------+
| a    | b    |
+------+------+
| R163 | R163 |
+------+------+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Soundex;

text_function!(Soundex, coded, "soundex");

fn coded(name: &str, code: &mut String) -> bool {
    let letters = latin_capitals(name);
    if !letters.is_empty() {
        code.push_str(&Russell::default().encode(&letters));
    }
    !code.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        let of = |name: &str| {
            let mut code = String::new();
            coded(name, &mut code).then_some(code)
        };
        for (name, expected) in [
            ("Robert", "R163"),
            ("Rupert", "R163"),
            ("Ashcraft", "A261"),
            ("Tymczak", "T522"),
            ("Pfister", "P236"),
            ("Honeyman", "H555"),
        ] {
            assert_eq!(of(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(of("42"), None);
    }
}

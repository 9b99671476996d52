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

use super::sounds::append_code;
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
    append_code(name, code, |letters| Russell::default().encode(&letters))
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
                ("Robert", "R163"),
                ("Rupert", "R163"),
                ("Ashcraft", "A261"),
                ("Tymczak", "T522"),
                ("Pfister", "P236"),
                ("Honeyman", "H555"),
            ],
        );
    }
}

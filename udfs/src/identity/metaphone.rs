//! `metaphone(name)`: an English word by how it is spoken.
//!
//! Philips (Hanging on the Metaphone, 1990), as Apache Commons Codec codes it, without a limit of length.
//!
//! * Accents and ligatures are folded, then all but the letters A to Z is dropped, blanks too: several words are
//!   coded as one. NULL, and a text without such letters: NULL.
//! * Cost: O(length).

use datafusion_macros::user_doc;
use rphonetic::{Encoder, Metaphone as Philips};

use super::sounds::append_code;
use super::texts::text_function;

/// The function `metaphone`.
#[user_doc(
    doc_section(label = "Identity Functions"),
    description = "Returns the Metaphone code of a name: its consonants as English speaks them, so that names that sound alike agree. NULL for NULL and for a text without letters.",
    syntax_example = "metaphone(name)",
    sql_example = r#"```sql
> SELECT metaphone('Knight') AS a, metaphone('Nite') AS b;
+----+----+
| a  | b  |
+----+----+
| NT | NT |
+----+----+
```"#,
    argument(name = "name", description = "A name, text. Accents and all but letters do not count.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Metaphone;

text_function!(Metaphone, coded, "metaphone");

fn coded(name: &str, code: &mut String) -> bool {
    append_code(name, code, |letters| Philips::new(None).encode(&letters))
}

#[cfg(test)]
mod tests {
    use super::super::sounds::assert_codes;
    use super::*;

    #[test]
    fn names_that_sound_alike() {
        assert_codes(coded, &[("Nite", "NT"), ("Wright", "RT"), ("Knight", "NT"), ("Philips", "FLPS")]);
    }
}

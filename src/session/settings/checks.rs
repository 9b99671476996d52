//! Checks of the smaller text settings.

use super::definition::{Basis, Rejection};

/// Takes any text; for values that only the server sets.
pub(super) fn any(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    Ok(text.to_owned())
}

/// Printable ASCII, at most 63 characters.
pub(super) fn application_name(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    Ok(text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(63).collect())
}

/// UTF8 by any of its spellings, or SQL_ASCII (no conversion), which libpq sends for programs in the C locale.
pub(super) fn client_encoding(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match plain.as_str() {
        "utf8" | "unicode" => Ok("UTF8".to_owned()),
        "sqlascii" => Ok("SQL_ASCII".to_owned()),
        name if OTHER_ENCODINGS.contains(&name) => {
            Err(Rejection::Unsupported("text is sent as UTF8; set client_encoding to UTF8".to_owned()))
        }
        _ => Err(Rejection::Invalid { hint: Some("available values: UTF8, SQL_ASCII".to_owned()) }),
    }
}

/// Encodings that PostgreSQL converts to and we do not, by letters and digits alone.
const OTHER_ENCODINGS: &[&str] = &[
    "abc",
    "alt",
    "big5",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88591",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "johab",
    "koi8",
    "koi8r",
    "koi8u",
    "latin1",
    "latin10",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "mskanji",
    "muleinternal",
    "shiftjis",
    "shiftjis2004",
    "sjis",
    "tcvn",
    "tcvn5712",
    "uhc",
    "vscii",
    "win",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "win866",
    "win874",
    "win932",
    "win936",
    "win949",
    "win950",
    "windows1250",
    "windows1251",
    "windows1252",
    "windows1253",
    "windows1254",
    "windows1255",
    "windows1256",
    "windows1257",
    "windows1258",
    "windows866",
    "windows874",
    "windows932",
    "windows936",
    "windows949",
    "windows950",
];

/// An isolation level. Every transaction reads one snapshot, which is what the first three promise at least.
pub(super) fn isolation(text: &str, _: &Basis<'_>) -> Result<String, Rejection> {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    match words.join(" ").as_str() {
        level @ ("read uncommitted" | "read committed" | "repeatable read") => Ok(level.to_owned()),
        "serializable" => {
            Err(Rejection::Unsupported("the strictest level is repeatable read (snapshot isolation)".to_owned()))
        }
        _ => Err(Rejection::Invalid {
            hint: Some("available values: repeatable read, read committed, read uncommitted".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIS: &Basis<'static> = &Basis { current: "", reset: "", zone: "UTC" };

    #[test]
    fn encodings() {
        assert_eq!(client_encoding("utf-8", BASIS), Ok("UTF8".to_owned()));
        assert_eq!(client_encoding("Unicode", BASIS), Ok("UTF8".to_owned()));
        assert!(matches!(client_encoding("ISO_8859-5", BASIS), Err(Rejection::Unsupported(_))));
        assert!(matches!(client_encoding("utf7", BASIS), Err(Rejection::Invalid { .. })));
    }

    #[test]
    fn application_names_are_cleaned() {
        assert_eq!(application_name("Gruß\n", BASIS), Ok("Gru??".to_owned()));
        assert_eq!(application_name(&"x".repeat(80), BASIS).unwrap().len(), 63);
    }

    #[test]
    fn isolation_levels() {
        assert_eq!(isolation("Read  Committed", BASIS), Ok("read committed".to_owned()));
        assert!(matches!(isolation("serializable", BASIS), Err(Rejection::Unsupported(_))));
    }
}

//! Which files a path means: a file, a folder and all below it, a glob.

use catalog::store::{Location, Object};

use super::options::LoadFormat;
use super::source::{Compression, Input};
use crate::error::{Error, Result, SqlState};

/// The folder name that stands for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// How file names are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    /// The format of all files, whatever they are called.
    pub(super) format: Option<LoadFormat>,
    /// Whether folders named `column=value` are columns.
    pub(super) hive: bool,
}

/// The files that a path, pattern or URL means, by name.
pub(super) async fn find(location: Location, naming: Naming) -> Result<Vec<Input>> {
    let found = location.list().await?;
    found.into_iter().map(|object| input(&location, object, naming)).collect()
}

fn input(location: &Location, object: Object, naming: Naming) -> Result<Input> {
    let (folders, file) = object.key.rsplit_once('/').unwrap_or(("", &object.key));
    let (by_name, compression) = format_of(file);
    let Some(format) = naming.format.or(by_name) else {
        let message = format!("\"{}\" is of no known format", object.name);
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "files end in .parquet, .csv, .tsv, .json, .ndjson or .jsonl, text also in .gz or .zst after that; \
             --format says it for other names",
        ));
    };
    let mut hive = Vec::new();
    let mut name = String::new();
    for folder in folders.split('/') {
        if let (true, Some((column, value))) = (naming.hive, partition(folder)) {
            hive.push((column, value));
            name.push_str(folder);
            name.push('/');
        }
    }
    name.push_str(file);
    let (whole, size) = (object.name.clone(), object.size);
    Ok(Input { name, whole, location: location.clone(), object, size, format, compression, hive })
}

/// `column=value`, both percent-decoded; a value of `None` is NULL.
fn partition(folder: &str) -> Option<(String, Option<String>)> {
    let (column, value) = folder.split_once('=')?;
    if column.is_empty() {
        return None;
    }
    Some((decoded(column), (value != HIVE_NULL).then(|| decoded(value))))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What a file's name says of its format and compression.
fn format_of(name: &str) -> (Option<LoadFormat>, Option<Compression>) {
    let lower = name.to_ascii_lowercase();
    let (stem, compression) = match lower.rsplit_once('.') {
        Some((stem, "gz" | "gzip")) => (stem.to_owned(), Some(Compression::Gzip)),
        Some((stem, "zst" | "zstd")) => (stem.to_owned(), Some(Compression::Zstd)),
        _ => (lower.clone(), None),
    };
    let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
        Some("parquet" | "pq") if compression.is_none() => Some(LoadFormat::Parquet),
        Some("csv" | "tsv" | "tab") => Some(LoadFormat::Csv),
        Some("json" | "ndjson" | "jsonl") => Some(LoadFormat::Json),
        _ => None,
    };
    (format, compression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_format_and_compression() {
        assert_eq!(format_of("a.CSV.gz"), (Some(LoadFormat::Csv), Some(Compression::Gzip)));
        assert_eq!(format_of("a.b.ndjson.zst"), (Some(LoadFormat::Json), Some(Compression::Zstd)));
        assert_eq!(format_of("a.parquet"), (Some(LoadFormat::Parquet), None));
        assert_eq!(format_of("a.gz"), (None, Some(Compression::Gzip)));
        assert_eq!(format_of("csv"), (None, None));
    }

    #[test]
    fn folders_can_be_columns() {
        assert_eq!(partition("day=2024-01-01"), Some(("day".into(), Some("2024-01-01".into()))));
        assert_eq!(partition("city=Saint%20%C3%89tienne"), Some(("city".into(), Some("Saint Étienne".into()))));
        assert_eq!(partition("day=__HIVE_DEFAULT_PARTITION__"), Some(("day".into(), None)));
        assert_eq!(partition("100%=x%zz"), Some(("100%".into(), Some("x%zz".into()))));
        assert_eq!(partition("=x"), None);
        assert_eq!(partition("data"), None);
    }
}

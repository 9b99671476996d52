//! Which files a path means: a file, a folder and all below it, a glob.

use std::path::{Component, Path, PathBuf};

use super::options::LoadFormat;
use super::source::{Compression, Input, Place};
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

/// The files below local paths, in the order they were given and by name within each; none twice.
pub(super) fn local(path: &str, naming: Naming) -> Result<Vec<Input>> {
    let missing = |e: std::io::Error| Error::new(SqlState::UNDEFINED_FILE, format!("could not open \"{path}\": {e}"));
    let given = Path::new(path);
    let absolute = std::path::absolute(given).map_err(missing)?;
    let found = match absolute.metadata() {
        Ok(found) if found.is_dir() => {
            let mut files = Vec::new();
            walk(&absolute, &mut files).map_err(missing)?;
            files
        }
        Ok(_) => vec![absolute],
        Err(e) if path.contains(['*', '?', '[']) => {
            let files = expand(path)?;
            if files.is_empty() && e.kind() != std::io::ErrorKind::NotFound {
                return Err(missing(e));
            }
            files
        }
        Err(e) => return Err(missing(e)),
    };
    if found.is_empty() {
        return Err(Error::new(SqlState::UNDEFINED_FILE, format!("\"{path}\" has no files to load")));
    }
    found.into_iter().map(|file| input(file, naming)).collect()
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>> {
    let options =
        glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let invalid = |e: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("pattern \"{pattern}\": {e}"));
    let mut files = Vec::new();
    for found in glob::glob_with(pattern, options).map_err(|e| invalid(e.to_string()))? {
        let found = found.map_err(|e| Error::new(SqlState::IO_ERROR, format!("pattern \"{pattern}\": {e}")))?;
        let found = std::path::absolute(found).map_err(|e| invalid(e.to_string()))?;
        // `**` also matches the folders themselves, whose files it matches one by one.
        if found.is_file() && !is_hidden(&found) {
            files.push(found);
        }
    }
    Ok(files)
}

/// All files below a folder by name, without those that only other programs care for (`_SUCCESS`, `.crc`).
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        entries.push(entry?.path());
    }
    entries.sort();
    for entry in entries {
        if is_hidden(&entry) {
            continue;
        }
        if entry.is_dir() {
            walk(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| {
        let name = name.to_string_lossy();
        name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
    })
}

fn input(path: PathBuf, naming: Naming) -> Result<Input> {
    let io = |e: std::io::Error| Error::new(SqlState::IO_ERROR, format!("could not open \"{}\": {e}", path.display()));
    let size = path.metadata().map_err(io)?.len();
    let parts: Vec<String> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    describe(&parts, size, naming, Place::Local(path.clone()), &path.display().to_string())
}

/// A file known by the parts of its path.
pub(super) fn describe(parts: &[String], size: u64, naming: Naming, place: Place, whole: &str) -> Result<Input> {
    let (file, folders) = parts.split_last().ok_or_else(|| Error::internal("a file without a name"))?;
    let (by_name, compression) = format_of(file);
    let Some(format) = naming.format.or(by_name) else {
        let message = format!("\"{whole}\" is of no known format");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "files end in .parquet, .csv, .tsv, .json, .ndjson or .jsonl, text also in .gz or .zst after that; \
             --format says it for other names",
        ));
    };
    let mut hive = Vec::new();
    let mut name = String::new();
    for folder in folders {
        if let (true, Some((column, value))) = (naming.hive, partition(folder)) {
            hive.push((column, value));
            name.push_str(folder);
            name.push('/');
        }
    }
    name.push_str(file);
    Ok(Input { name, whole: whole.to_owned(), place, size, format, compression, hive })
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

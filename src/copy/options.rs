//! The options of COPY: what was written, held against PostgreSQL's rules in PostgreSQL's order, with its words.

use super::encoding::Encoding;
use crate::error::{Error, Result, SqlState};

/// An option as it was written, in either of COPY's grammars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOption {
    /// Its name, folded.
    pub name: String,
    /// Its value.
    pub value: CopyValue,
    /// Where it stands in the message, in characters from 1.
    pub position: usize,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyValue {
    /// There is none.
    None,
    /// A word, a string or a number.
    Text(String),
    /// `*`
    All,
    /// Words or strings in parentheses.
    List(Vec<String>),
}

/// How the data is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Text,
    Csv,
    Binary,
    /// One JSON object a line.
    Json,
    /// For files only.
    Parquet,
}

impl CopyFormat {
    fn mode(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Csv => "CSV",
            Self::Binary => "BINARY",
            Self::Json => "JSON",
            Self::Parquet => "PARQUET",
        }
    }
}

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// Is data.
    None,
    /// Has names that nobody reads.
    Present,
    /// Has the names of the columns.
    Match,
}

/// Columns that an option is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Columns {
    All,
    Named(Vec<String>),
}

impl Columns {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

    /// For each of `names`, whether it is meant.
    ///
    /// # Errors
    /// 42703 for one that `names` lacks; `option` is how PostgreSQL calls it.
    pub(crate) fn flags(&self, names: &[String], option: &str) -> Result<Vec<bool>> {
        let Self::Named(meant) = self else { return Ok(vec![true; names.len()]) };
        if let Some(other) = meant.iter().find(|name| !names.contains(name)) {
            let message = format!("{option} column \"{other}\" not referenced by COPY");
            return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(names.iter().map(|name| meant.contains(name)).collect())
    }
}

/// All options, checked, with their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) format: CopyFormat,
    pub(crate) delimiter: u8,
    pub(crate) null: String,
    pub(crate) header: Header,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    pub(crate) encoding: Encoding,
    pub(crate) force_quote: Columns,
    pub(crate) force_not_null: Columns,
    pub(crate) force_null: Columns,
}

/// The options while they are collected.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    freeze: Option<bool>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<Header>,
    quote: Option<String>,
    escape: Option<String>,
    encoding: Option<Encoding>,
    force_quote: Option<Columns>,
    force_not_null: Option<Columns>,
    force_null: Option<Columns>,
}

impl Options {
    /// Checks the options of COPY FROM (`from`) or TO.
    ///
    /// # Errors
    /// Those of PostgreSQL, in its order.
    pub(crate) fn new(given: &[CopyOption], from: bool) -> Result<Self> {
        let mut found = Given::default();
        for option in given {
            found.take(option, from)?;
        }
        found.check(from)
    }

    /// Whether rows are lines of text.
    pub(crate) fn is_textual(&self) -> bool {
        matches!(self.format, CopyFormat::Text | CopyFormat::Csv | CopyFormat::Json)
    }
}

impl Given {
    fn take(&mut self, option: &CopyOption, from: bool) -> Result<()> {
        match option.name.as_str() {
            "format" => {
                let name = text(option)?;
                let format = match name.as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    "json" => CopyFormat::Json,
                    "parquet" => CopyFormat::Parquet,
                    _ => {
                        let message = format!("COPY format \"{name}\" not recognized");
                        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).at(option.position));
                    }
                };
                set(&mut self.format, format, option)
            }
            "freeze" => set(&mut self.freeze, boolean(option)?, option),
            "delimiter" => set(&mut self.delimiter, text(option)?, option),
            "null" => set(&mut self.null, text(option)?, option),
            "header" => {
                let header = header(option, from)?;
                set(&mut self.header, header, option)
            }
            "quote" => set(&mut self.quote, text(option)?, option),
            "escape" => set(&mut self.escape, text(option)?, option),
            "encoding" => {
                let name = text(option)?;
                let encoding = Encoding::named(&name)?.ok_or_else(|| {
                    let message = "argument to option \"encoding\" must be a valid encoding name";
                    Error::new(SqlState::INVALID_PARAMETER_VALUE, message).at(option.position)
                })?;
                set(&mut self.encoding, encoding, option)
            }
            "force_quote" => {
                let columns = if option.value == CopyValue::All { Columns::All } else { list(option)? };
                set(&mut self.force_quote, columns, option)
            }
            "force_not_null" => set(&mut self.force_not_null, list(option)?, option),
            "force_null" => set(&mut self.force_null, list(option)?, option),
            name => {
                let message = format!("option \"{name}\" not recognized");
                Err(Error::new(SqlState::SYNTAX_ERROR, message).at(option.position))
            }
        }
    }

    fn check(self, from: bool) -> Result<Options> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        let plain = csv || format == CopyFormat::Text;
        let unsupported = |message: &str| Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        let invalid = |message: &str| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        for (name, is_given) in [("DELIMITER", self.delimiter.is_some()), ("NULL", self.null.is_some())] {
            if is_given && !plain {
                let message = format!("cannot specify {name} in {} mode", format.mode());
                return Err(Error::new(SqlState::SYNTAX_ERROR, message));
            }
        }
        let delimiter = self.delimiter.unwrap_or_else(|| if csv { "," } else { "\t" }.to_owned());
        let null = self.null.unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned());
        let &[delimiter_byte] = delimiter.as_bytes() else {
            return unsupported("COPY delimiter must be a single one-byte character");
        };
        if matches!(delimiter_byte, b'\r' | b'\n') {
            return invalid("COPY delimiter cannot be newline or carriage return");
        }
        if null.contains(['\r', '\n']) {
            return invalid("COPY null representation cannot use newline or carriage return");
        }
        if !csv && matches!(delimiter_byte, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9') {
            return invalid(&format!("COPY delimiter cannot be \"{delimiter}\""));
        }
        let header = self.header.unwrap_or(Header::None);
        if !plain && header != Header::None {
            return unsupported(&format!("cannot specify HEADER in {} mode", format.mode()));
        }
        if !csv && self.quote.is_some() {
            return unsupported("COPY quote available only in CSV mode");
        }
        let quote = self.quote.unwrap_or_else(|| "\"".to_owned());
        let &[quote_byte] = quote.as_bytes() else {
            return unsupported("COPY quote must be a single one-byte character");
        };
        if csv && delimiter_byte == quote_byte {
            return invalid("COPY delimiter and quote must be different");
        }
        if !csv && self.escape.is_some() {
            return unsupported("COPY escape available only in CSV mode");
        }
        let escape = self.escape.unwrap_or(quote);
        let &[escape_byte] = escape.as_bytes() else {
            return unsupported("COPY escape must be a single one-byte character");
        };
        let lists = [
            ("force quote", "TO", from, &self.force_quote),
            ("force not null", "FROM", !from, &self.force_not_null),
            ("force null", "FROM", !from, &self.force_null),
        ];
        for (name, direction, wrong, columns) in lists {
            if !columns.as_ref().is_some_and(|columns| !columns.is_empty()) {
                continue;
            }
            if !csv {
                return unsupported(&format!("COPY {name} available only in CSV mode"));
            }
            if wrong {
                return unsupported(&format!("COPY {name} only available using COPY {direction}"));
            }
        }
        if plain && null.as_bytes().contains(&delimiter_byte) {
            return unsupported("COPY delimiter must not appear in the NULL specification");
        }
        if csv && null.as_bytes().contains(&quote_byte) {
            return unsupported("CSV quote character must not appear in the NULL specification");
        }
        if self.freeze == Some(true) && from {
            // Rows become visible with their commit and never before: there is nothing to freeze.
            return Err(Error::unsupported("COPY FREEZE").with_hint("leave it out"));
        }
        let none = || Columns::Named(Vec::new());
        Ok(Options {
            format,
            delimiter: delimiter_byte,
            null,
            header,
            quote: quote_byte,
            escape: escape_byte,
            encoding: self.encoding.unwrap_or_default(),
            force_quote: self.force_quote.unwrap_or_else(none),
            force_not_null: self.force_not_null.unwrap_or_else(none),
            force_null: self.force_null.unwrap_or_else(none),
        })
    }
}

fn set<T>(slot: &mut Option<T>, value: T, option: &CopyOption) -> Result<()> {
    if slot.replace(value).is_some() {
        let error = Error::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options");
        return Err(error.at(option.position));
    }
    Ok(())
}

fn text(option: &CopyOption) -> Result<String> {
    match &option.value {
        CopyValue::Text(text) => Ok(text.clone()),
        CopyValue::All => Ok("*".to_owned()),
        CopyValue::List(names) => Ok(names.join(".")),
        CopyValue::None => Err(Error::new(SqlState::SYNTAX_ERROR, format!("{} requires a parameter", option.name))),
    }
}

fn boolean(option: &CopyOption) -> Result<bool> {
    let wrong = || Error::new(SqlState::SYNTAX_ERROR, format!("{} requires a Boolean value", option.name));
    match &option.value {
        CopyValue::None => Ok(true),
        CopyValue::Text(word) => match word.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn header(option: &CopyOption, from: bool) -> Result<Header> {
    if matches!(&option.value, CopyValue::Text(word) if word.eq_ignore_ascii_case("match")) {
        if from {
            return Ok(Header::Match);
        }
        let message = "cannot use \"match\" with HEADER in COPY TO";
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    match boolean(option) {
        Ok(true) => Ok(Header::Present),
        Ok(false) => Ok(Header::None),
        Err(_) => {
            let message = format!("{} requires a Boolean value or \"match\"", option.name);
            Err(Error::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn list(option: &CopyOption) -> Result<Columns> {
    match &option.value {
        CopyValue::List(names) => Ok(Columns::Named(names.clone())),
        _ => {
            let message = format!("argument to option \"{}\" must be a list of column names", option.name);
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).at(option.position))
        }
    }
}

/// The positions in `columns` of those that COPY names, all if it names none.
///
/// # Errors
/// 42703 for one that does not exist, 42701 for one that is named twice.
pub(crate) fn columns_named(named: &[String], columns: &[&str], table: &str) -> Result<Vec<usize>> {
    if named.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    let mut found = Vec::with_capacity(named.len());
    for name in named {
        let Some(index) = columns.iter().position(|column| column == name) else {
            let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
            return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
        };
        if found.contains(&index) {
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        found.push(index);
    }
    Ok(found)
}

//! The columns of the files to load, and the table that holds them all.

use std::sync::Arc;

use catalog::types::PgType;
use datafusion::logical_expr::LogicalPlan;
use encoding_rs::Encoding;

use super::csv::CsvSplitter;
use super::infer::Guess;
use super::json::{JsonSplitter, members};
use super::options::{LoadFormat, LoadOptions};
use super::parquet;
use super::records::{Block, Kind, Splitter, Text};
use super::source::Input;
use crate::engine::Planner;
use crate::error::{Error, Result, SqlState};

/// Rows that are read of all files together to find out types, and the least of each.
const SAMPLED_ROWS: usize = 1_000_000;
const LEAST_SAMPLED_ROWS: usize = 1_000;

/// What is known of one file before its rows are read.
#[derive(Debug, Clone)]
pub(super) struct FileSchema {
    /// The file's own columns in order, then those of its folders.
    pub(super) columns: Vec<(String, Guess)>,
    /// How many are in the file itself.
    pub(super) own: usize,
    pub(super) reading: Reading,
}

impl FileSchema {
    /// Where a column of the table is: of exactly this name, else the only one that differs in case.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        position(self.columns.iter().map(|(name, _)| name.as_str()), name)
    }

    /// Later rows of a JSON file may have columns that those read so far have not.
    pub(super) fn expect(&mut self, names: &[String]) {
        for name in names {
            if self.position(name).is_some() {
                continue;
            }
            let Reading::Text(TextFormat::Json { columns, .. }) = &mut self.reading else { return };
            columns.push(name.clone());
            self.columns.insert(self.own, (name.clone(), Guess::default()));
            self.own += 1;
        }
    }
}

/// The place of a name: of exactly this name, else the only one that differs in case.
pub(super) fn position<'a>(names: impl Iterator<Item = &'a str> + Clone, name: &str) -> Option<usize> {
    names.clone().position(|known| known == name).or_else(|| {
        let folded = name.to_lowercase();
        let mut found = names.enumerate().filter(|(_, known)| known.to_lowercase() == folded);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Some(index),
            _ => None,
        }
    })
}

/// How a file is read.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    Text(TextFormat),
    Parquet(LogicalPlan),
}

/// The form of a text file.
#[derive(Debug, Clone)]
pub(super) enum TextFormat {
    Csv { delimiter: u8, header: bool, null: Arc<str>, columns: Vec<String>, encoding: Option<&'static Encoding> },
    Json { columns: Vec<String>, encoding: Option<&'static Encoding> },
}

impl TextFormat {
    pub(super) fn encoding(&self) -> Option<&'static Encoding> {
        match self {
            Self::Csv { encoding, .. } | Self::Json { encoding, .. } => *encoding,
        }
    }

    /// The splitter of the rows, after the header is taken off `text`.
    pub(super) async fn splitter(self, text: &mut Text) -> Result<Splitter> {
        match self {
            Self::Json { columns, .. } => Ok(Splitter::Json(JsonSplitter::new(columns))),
            Self::Csv { delimiter, header, null, columns, .. } => {
                let csv = CsvSplitter::new(delimiter, null.to_string(), columns);
                if header {
                    let (_, length) = first(&csv, text).await?;
                    text.take(length);
                }
                Ok(Splitter::Csv(csv))
            }
        }
    }
}

/// The first record of a CSV file and its length.
async fn first(csv: &CsvSplitter, text: &mut Text) -> Result<(Vec<String>, usize)> {
    loop {
        if let Some(found) = csv.first(&text.text, text.ended) {
            return Ok(found);
        }
        text.fill().await?;
    }
}

/// Looks into files.
pub(super) struct Examiner<'a> {
    pub(super) options: &'a LoadOptions,
    pub(super) planner: &'a Planner,
    pub(super) encoding: Option<&'static Encoding>,
    /// Whether types are wanted, or the names of columns are enough.
    pub(super) types: bool,
    pub(super) files: usize,
}

impl Examiner<'_> {
    pub(super) async fn examine(&self, input: &Input) -> Result<FileSchema> {
        let mut schema = match input.format {
            LoadFormat::Parquet => parquet::examine(self.planner, input).await?,
            LoadFormat::Csv => self.csv(input).await?,
            LoadFormat::Json => self.json(input).await?,
        };
        for (index, (name, _)) in schema.columns.iter().enumerate() {
            if schema.columns[..index].iter().any(|(other, _)| other == name) {
                let message = format!("column \"{name}\" is in \"{}\" more than once", input.whole);
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).with_hint("--columns gives other names"));
            }
        }
        schema.own = schema.columns.len();
        for (name, value) in &input.hive {
            if schema.columns.iter().any(|(other, _)| other == name) {
                let message = format!("column \"{name}\" is in \"{}\" and in the name of its folder", input.whole);
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message)
                    .with_hint("--no-hive leaves the names of folders alone"));
            }
            let mut guess = Guess::default();
            guess.see_folder(value.as_deref());
            schema.columns.push((name.clone(), guess));
        }
        Ok(schema)
    }

    fn sample(&self) -> usize {
        (SAMPLED_ROWS / self.files.max(1)).max(LEAST_SAMPLED_ROWS)
    }

    async fn csv(&self, input: &Input) -> Result<FileSchema> {
        let options = self.options;
        let mut text = Text::new(input.clone(), input.open(None).await?, self.encoding);
        text.fill().await?;
        let delimiter = options.delimiter.unwrap_or_else(|| CsvSplitter::sniff(&text.text, text.ended));
        let splitter = CsvSplitter::new(delimiter, options.null.clone(), Vec::new());
        let (found, length) = first(&splitter, &mut text).await?;
        if options.header {
            text.take(length);
        }
        let columns: Vec<String> = if !options.columns.is_empty() {
            if !found.is_empty() && found.len() != options.columns.len() {
                let message = format!(
                    "\"{}\" has {} columns, --columns names {}",
                    input.whole,
                    found.len(),
                    options.columns.len()
                );
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
            options.columns.clone()
        } else {
            let name = |(index, name): (usize, String)| {
                let name = name.trim();
                if name.is_empty() || !options.header { format!("column{}", index + 1) } else { name.to_owned() }
            };
            found.into_iter().enumerate().map(name).collect()
        };
        let mut guesses = vec![Guess::default(); columns.len()];
        if self.types && !columns.is_empty() {
            let csv = CsvSplitter::new(delimiter, options.null.clone(), columns.clone());
            let (mut splitter, mut left) = (Splitter::Csv(csv), self.sample());
            while left > 0 {
                let Some(block) = text.next(&mut splitter).await? else { break };
                for (index, guess) in guesses.iter_mut().enumerate() {
                    for row in 0..block.rows.len() {
                        let (kind, value) = block.field(row, index);
                        guess.see(kind, value);
                    }
                }
                left = left.saturating_sub(block.rows.len());
            }
        }
        let null = options.null.as_str().into();
        let format = TextFormat::Csv {
            delimiter,
            header: options.header,
            null,
            columns: columns.clone(),
            encoding: self.encoding,
        };
        let columns = columns.into_iter().zip(guesses).collect();
        Ok(FileSchema { columns, own: 0, reading: Reading::Text(format) })
    }

    async fn json(&self, input: &Input) -> Result<FileSchema> {
        let mut text = Text::new(input.clone(), input.open(None).await?, self.encoding);
        let mut splitter = Splitter::Json(JsonSplitter::discovering());
        let mut columns: Vec<(String, Guess)> = Vec::new();
        let mut left = self.sample();
        while left > 0 {
            let Some(block) = text.next(&mut splitter).await? else { break };
            for row in 0..block.rows.len() {
                let read = see(&mut columns, &block, row);
                // Rows that are no objects are told of when they are loaded, unless nothing else is in the file.
                if columns.is_empty() {
                    read.map_err(|e| e.inside(format!("{}, line {}", input.name, block.rows[row].line)))?;
                }
            }
            left = left.saturating_sub(block.rows.len());
        }
        let names = columns.iter().map(|(name, _)| name.clone()).collect();
        let format = TextFormat::Json { columns: names, encoding: self.encoding };
        Ok(FileSchema { columns, own: 0, reading: Reading::Text(format) })
    }
}

/// Takes note of the members of one row.
fn see(columns: &mut Vec<(String, Guess)>, block: &Block, row: usize) -> Result<()> {
    let line = block.raw(row);
    let mut expected = 0;
    members(line, |key, member| {
        let index = match columns.get(expected) {
            Some((name, _)) if name == key => expected,
            _ => match columns.iter().position(|(name, _)| name == key) {
                Some(index) => index,
                None => {
                    columns.push((key.to_owned(), Guess::default()));
                    columns.len() - 1
                }
            },
        };
        expected = index + 1;
        // Escapes make a text of a string, whatever else it might look like.
        let value = &line[member.start..member.end];
        columns[index].1.see(member.kind, if member.escaped && member.kind == Kind::String { "\\" } else { value });
        Ok(())
    })
}

/// The columns of all files by name, in the order in which they are first met.
pub(super) fn union(files: &[(Input, FileSchema)], types: &[(String, PgType)]) -> Result<Vec<(String, PgType)>> {
    let mut columns: Vec<(String, Guess, usize)> = Vec::new();
    for (index, (input, schema)) in files.iter().enumerate() {
        for (name, guess) in &schema.columns {
            let Some((_, known, first)) = columns.iter_mut().find(|(known, ..)| known == name) else {
                columns.push((name.clone(), guess.clone(), index));
                continue;
            };
            let before = known.pg_type();
            if known.join(guess.clone()) || types.iter().any(|(typed, _)| typed == name) {
                continue;
            }
            let shown = |pg: Option<PgType>| pg.map_or("unknown".to_owned(), |pg| pg.to_string());
            let message = format!(
                "column \"{name}\" is of type {} in \"{}\" and of type {} in \"{}\"",
                shown(before),
                files[*first].0.whole,
                shown(guess.pg_type()),
                input.whole
            );
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint(format!("--column \"{name}=text\" makes it a column of that type")));
        }
    }
    for (name, _) in types {
        if !columns.iter().any(|(known, ..)| known == name) {
            let json = files.iter().any(|(input, _)| input.format == LoadFormat::Json);
            if !json {
                let message = format!("column \"{name}\" named in --column is in none of the files");
                return Err(Error::new(SqlState::UNDEFINED_COLUMN, message));
            }
            columns.push((name.clone(), Guess::default(), 0));
        }
    }
    let typed = |name: &str, guess: &Guess| match types.iter().find(|(typed, _)| typed == name) {
        Some((_, pg)) => pg.clone(),
        None => guess.pg_type().unwrap_or(PgType::Text),
    };
    Ok(columns.into_iter().map(|(name, guess, _)| (name.clone(), typed(&name, &guess))).collect())
}

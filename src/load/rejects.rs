//! Rows that could not be read: an error, or lines of a file that says what was wrong with each.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, Write};
use std::path::PathBuf;

use parking_lot::Mutex;

use super::options::OnError;
use super::records::{Block, Fault};
use crate::error::{Error, Result, SqlState};

const HEADER: &str = "file,line,column,value,message,row\n";

/// What to do with rows that could not be read.
#[derive(Debug)]
pub(super) struct Rejects {
    on_error: OnError,
    most: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Rejected rows of files that are committed, and of the one under way.
    before: u64,
    current: u64,
    told: Option<Told>,
}

/// What is told of the file under way stands beside until it is kept, so that a load that was killed and is run again
/// tells of no row twice.
#[derive(Debug)]
struct Told {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
}

impl Told {
    fn open(path: PathBuf) -> std::io::Result<Self> {
        let mut told = OpenOptions::new().create(true).append(true).open(&path)?;
        if told.metadata()?.len() == 0 {
            told.write_all(HEADER.as_bytes())?;
        }
        let mut beside = path.clone().into_os_string();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&beside)?;
        Ok(Self { path, beside, file: BufWriter::new(file) })
    }

    fn keep(&mut self) -> std::io::Result<()> {
        self.file.flush()?;
        let told = self.file.get_mut();
        told.rewind()?;
        let mut kept = OpenOptions::new().append(true).open(&self.path)?;
        std::io::copy(told, &mut kept)?;
        kept.sync_all()?;
        self.forget()
    }

    fn forget(&mut self) -> std::io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().set_len(0)?;
        self.file.rewind()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.beside) {
            tracing::warn!(path = %self.beside.display(), error = %e, "a file could not be removed");
        }
    }
}

impl Rejects {
    pub(super) fn open(on_error: OnError, most: Option<u64>, path: Option<PathBuf>) -> Result<Self> {
        let told = match path {
            None => None,
            Some(path) => Some(Told::open(path.clone()).map_err(|e| failed(&path, &e))?),
        };
        Ok(Self { on_error, most, state: Mutex::new(State { told, ..State::default() }) })
    }

    /// Takes rows of a file that could not be read.
    ///
    /// # Errors
    /// The first of them if none may be skipped, or one more than may be.
    pub(super) fn take(&self, name: &str, block: &Block, faults: Vec<Fault>) -> Result<()> {
        let mut state = self.state.lock();
        for Fault { row, column, value, error } in faults {
            let line = block.rows[row].line;
            if self.on_error == OnError::Stop {
                return Err(located(name, line, column.as_deref(), error));
            }
            state.current += 1;
            if let Some(told) = &mut state.told {
                let fields = [
                    name,
                    &line.to_string(),
                    column.as_deref().unwrap_or_default(),
                    value.as_deref().unwrap_or_default(),
                    &error.message,
                    block.raw(row),
                ];
                let fields: Vec<String> = fields.into_iter().map(quoted).collect();
                writeln!(told.file, "{}", fields.join(",")).map_err(|e| failed(&told.path, &e))?;
            }
            let rejected = state.before + state.current;
            if self.most.is_some_and(|most| rejected > most) {
                let last = located(name, line, column.as_deref(), error);
                let message = format!("{rejected} rows could not be read, which is more than --max-errors");
                return Err(Error::new(last.sqlstate, message).with_detail(format!("The last: {last}.")));
            }
        }
        Ok(())
    }

    /// The rejected rows of the file under way are told for good, before its rows are committed. Returns how many.
    pub(super) fn keep(&self) -> Result<u64> {
        let mut state = self.state.lock();
        if let Some(told) = &mut state.told {
            told.keep().map_err(|e| failed(&told.path, &e))?;
        }
        let rejected = std::mem::take(&mut state.current);
        state.before += rejected;
        Ok(rejected)
    }

    /// The file under way is not loaded, so nothing is said of its rows.
    pub(super) fn forget(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.current = 0;
        if let Some(told) = &mut state.told {
            told.forget().map_err(|e| failed(&told.path, &e))?;
        }
        Ok(())
    }
}

/// An error with its place in a file.
fn located(name: &str, line: u64, column: Option<&str>, error: Error) -> Error {
    match column {
        Some(column) => error.inside(format!("{name}, line {line}, column \"{column}\"")),
        None => error.inside(format!("{name}, line {line}")),
    }
}

fn failed(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(SqlState::IO_ERROR, format!("could not write \"{}\": {error}", path.display()))
}

fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

//! Tables: one version of a table's definition and files, how it is read and how it is written.

mod buckets;
mod by_key;
mod change;
mod delta;
mod file;
mod found;
pub mod layout;
mod ranges;
pub mod rows;
mod scan;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use object_store::path::Path;

pub use self::by_key::by_key;
pub(crate) use self::change::change;
pub use self::change::{Change, Changed, Twice};
pub(crate) use self::delta::{
    ALTER, Description, Loaded, OPTIMIZE, RESTORE, WRITE, adds, checkpoint, commit, creation, load, metadata,
    tombstones, transaction, transactions,
};
pub use self::delta::{Append, Rewrite};
pub use self::file::DataFile;
pub use self::found::{Found, Together};
pub(crate) use self::found::{find, write_together};
pub use self::layout::Layout;
pub use self::ranges::Ranges;
pub use self::scan::{LakeTable, Pruned, pruned};
pub(crate) use self::write::{KEYED_FILE_ROWS, RunningWrites, TARGET_FILE_BYTES, discard, rewrite, write, write_of};
pub use self::write::{Progress, Written};
use crate::error::{Error, Result};
use crate::objects::TableDef;
use crate::types::PgType;

/// One version of a table: immutable, shared by every query that reads it.
#[derive(Debug, Clone)]
pub struct TableState {
    /// The definition.
    pub def: Arc<TableDef>,
    /// The Delta version.
    pub version: i64,
    /// The version that last changed rows, as far as is known; rewriting files changes none.
    pub(crate) data_version: i64,
    /// The table's own id in its log; `None` before its first commit.
    pub(crate) log_id: Option<Arc<str>>,
    /// The columns as they are read.
    pub schema: SchemaRef,
    /// How files are cut and sorted.
    pub layout: Layout,
    /// The files.
    pub files: Arc<Vec<Arc<DataFile>>>,
}

impl TableState {
    /// A table of this definition without any file.
    pub(crate) fn empty(def: Arc<TableDef>, version: i64) -> Result<Self> {
        let schema = Arc::new(schema(&def)?);
        let layout = Layout::of(&def)?;
        Ok(Self { def, version, data_version: version, log_id: None, schema, layout, files: Arc::default() })
    }

    /// This table with what its log was found to say.
    pub(crate) fn with_loaded(self, loaded: Loaded) -> Self {
        let Loaded { version, id, files } = loaded;
        Self { version, log_id: Some(id), files: Arc::new(files), ..self }
    }

    /// The same files under another definition of the table.
    ///
    /// A file need not have every column: what it lacks is null. What the log says of a column goes with its name, as
    /// long as its type stays.
    pub(crate) fn redefined(&self, def: &Arc<TableDef>) -> Result<Self> {
        if Arc::ptr_eq(&self.def, def) || self.def.same_rows(def) {
            return Ok(Self { def: Arc::clone(def), ..self.clone() });
        }
        let (schema, layout) = (Arc::new(schema(def)?), Layout::of(def)?);
        let before: Vec<Option<usize>> = schema
            .fields()
            .iter()
            .map(|field| {
                let (place, old) = self.schema.column_with_name(field.name())?;
                (old.data_type() == field.data_type()).then_some(place)
            })
            .collect();
        let unmoved = before.len() == self.schema.fields().len()
            && before.iter().enumerate().all(|(place, before)| *before == Some(place));
        let files = if unmoved {
            Arc::clone(&self.files)
        } else {
            let ranges = |file: &DataFile| {
                let known = before.iter().map(|place| place.and_then(|place| file.ranges.get(place)).cloned());
                known.map(Option::unwrap_or_default).collect()
            };
            let files = self.files.iter();
            Arc::new(files.map(|file| Arc::new(DataFile { ranges: ranges(file), ..file.as_ref().clone() })).collect())
        };
        Ok(Self { def: Arc::clone(def), schema, layout, files, ..self.clone() })
    }

    /// This version with more files.
    pub fn with_added(&self, append: &Append, version: i64) -> Result<Self> {
        let mut files = self.files.as_ref().clone();
        for add in append.adds.iter().chain(&append.restored) {
            files.push(Arc::new(DataFile::from_add(add, &self.schema)?));
        }
        let data_version =
            if append.adds.is_empty() && append.restored.is_empty() { self.data_version } else { version };
        Ok(Self { version, data_version, files: Arc::new(files), ..self.clone() })
    }

    /// This version with some files in the place of others.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a file that goes is not there.
    pub(crate) fn with_rewritten(&self, rewrite: &Rewrite, version: i64) -> Result<Self> {
        let gone: HashSet<&str> = rewrite.removes.iter().map(|file| file.path.as_str()).collect();
        let mut files: Vec<Arc<DataFile>> =
            self.files.iter().filter(|file| !gone.contains(file.path.as_str())).cloned().collect();
        if self.files.len() - files.len() != gone.len() {
            return Err(Error::Conflict(format!(
                "could not serialize access: files of table \"{}\" were replaced by a concurrent transaction",
                self.def.name
            )));
        }
        for add in &rewrite.adds {
            files.push(Arc::new(DataFile::from_add(add, &self.schema)?));
        }
        let data_version = if rewrite.changes_rows() { version } else { self.data_version };
        Ok(Self { version, data_version, files: Arc::new(files), ..self.clone() })
    }

    /// This version without some of its files.
    pub fn without(&self, files: &[Arc<DataFile>]) -> Self {
        let gone: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let left = self.files.iter().filter(|file| !gone.contains(file.path.as_str())).cloned().collect();
        Self { files: Arc::new(left), ..self.clone() }
    }

    /// This version's files in the cuts that `written` is in: no other can have a key that is in those.
    pub fn in_cuts_of(&self, written: &Written) -> Self {
        let Some((column, _)) = self.layout.partition_column() else { return self.clone() };
        let cuts: HashSet<Option<&str>> =
            written.adds.iter().map(|add| add.partition_values.get(column).and_then(|cut| cut.as_deref())).collect();
        // Whoever else wrote a file may have cut it by another hash.
        let near = self.files.iter().filter(|file| file.sorted_by.is_none() || cuts.contains(&file.cut.as_deref()));
        Self { files: Arc::new(near.cloned().collect()), ..self.clone() }
    }

    /// Where a file is in the warehouse's store.
    pub(crate) fn object_path(&self, file: &DataFile) -> Path {
        Path::from_iter(Path::from(self.def.path.as_str()).parts().chain(Path::from(file.path.as_str()).parts()))
    }

    /// Rows in all files; `None` if a foreign writer left a file without a count.
    pub fn rows(&self) -> Option<u64> {
        self.files.iter().map(|f| f.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

/// The Arrow schema under which a table is read.
pub fn schema(def: &TableDef) -> Result<Schema> {
    let mut fields = Vec::with_capacity(def.columns.len());
    for column in &def.columns {
        fields.push(column.pg_type.parse::<PgType>()?.field(&column.name, !column.not_null));
    }
    Ok(Schema::new(fields))
}

//! How a table's rows are laid out in files, read from its definition.
//!
//! Keyed tables are cut into hash buckets of the key, tables declared `PARTITION BY RANGE (column)` into days of
//! that column. The cut is a Delta partition column of our own ([`BUCKET`] or [`DAY`]) that foreign readers see and
//! our own do not. Within a file rows are sorted by [`Layout::sort`].

use crate::error::{Error, Result};
use crate::objects::TableDef;
use crate::types::PgType;

/// Partition column of keyed tables: `int`, the key's bucket.
pub const BUCKET: &str = "_bucket";
/// Partition column of tables partitioned by range: `date`, the UTC day.
pub const DAY: &str = "_day";
/// Buckets of a keyed table that does not say `WITH (buckets = n)`.
pub const DEFAULT_BUCKETS: u32 = 8;
/// The largest number of buckets that a table may ask for.
pub const MAX_BUCKETS: u32 = 65_536;
/// The option that names the columns by which rows are sorted within files.
pub const CLUSTER_BY: &str = "cluster_by";
/// The option that names the column that tells of whom a row is, for erasures; empty where rows are of nobody.
pub const ERASE_BY: &str = "erase_by";
/// The option that gives the number of buckets.
pub const BUCKETS: &str = "buckets";

/// What decides the file that a row goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// Any file.
    None,
    /// `hash(key) mod buckets`, the hash being the function the warehouse was opened with.
    Bucket {
        /// The key columns, in key order.
        key: Vec<String>,
        /// How many buckets.
        buckets: u32,
    },
    /// The UTC day of a date or timestamp column; rows without one go to a partition of their own.
    Day {
        /// The column.
        column: String,
    },
}

/// A table's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What decides the file.
    pub cut: Cut,
    /// Columns by which rows are sorted (ascending, nulls last) in every file that carries our tag.
    pub sort: Vec<String>,
}

impl Layout {
    /// Reads the layout from a definition; a definition that contradicts itself is [`Error::Invalid`].
    pub fn of(table: &TableDef) -> Result<Self> {
        let mut buckets = DEFAULT_BUCKETS;
        let mut cluster = None;
        for (name, value) in &table.options {
            match name.as_str() {
                CLUSTER_BY => {
                    cluster = Some(value.split(',').map(|c| c.trim().trim_matches('"').to_owned()).collect::<Vec<_>>())
                }
                BUCKETS => {
                    buckets = value.parse().ok().filter(|n| (1..=MAX_BUCKETS).contains(n)).ok_or_else(|| {
                        Error::Invalid(format!(
                            "invalid value for option \"buckets\": \"{value}\", use 1 to {MAX_BUCKETS}"
                        ))
                    })?;
                    if table.primary_key.is_empty() {
                        return Err(Error::Invalid("option \"buckets\" needs a primary key".to_owned()));
                    }
                }
                ERASE_BY if value.is_empty() || column_type(table, value).is_some() => {}
                ERASE_BY => return Err(Error::NotFound { kind: "column", name: value.clone() }),
                other => {
                    return Err(Error::Invalid(format!(
                        "unrecognized table option \"{other}\", known are \"cluster_by\", \"buckets\" and \"erase_by\""
                    )));
                }
            }
        }
        let cut = match (&table.partition_by, table.primary_key.is_empty()) {
            (None, true) => Cut::None,
            (None, false) => Cut::Bucket { key: table.primary_key.clone(), buckets },
            (Some(column), true) => Cut::Day { column: column.clone() },
            (Some(_), false) => {
                return Err(Error::Unsupported("PARTITION BY RANGE on a table with a primary key".to_owned()));
            }
        };
        let sort = match (cluster, &cut) {
            (Some(columns), _) => columns,
            (None, Cut::Bucket { key, .. }) => key.clone(),
            // An event table's rows are asked for by person more than by anything else.
            (None, Cut::Day { column }) if column_type(table, "profile_id").is_some() => {
                vec!["profile_id".to_owned(), column.clone()]
            }
            (None, Cut::Day { column }) => vec![column.clone()],
            (None, Cut::None) => Vec::new(),
        };
        for name in sort.iter().chain(&table.primary_key) {
            match column_type(table, name).transpose()? {
                None => return Err(Error::NotFound { kind: "column", name: name.clone() }),
                Some(pg) if !pg.is_sortable() => {
                    return Err(Error::Invalid(format!(
                        "column \"{name}\" has a type that can't be sorted, so it can't be part of a key or of cluster_by"
                    )));
                }
                Some(_) => {}
            }
        }
        if let Cut::Day { column } = &cut {
            match column_type(table, column).transpose()? {
                Some(PgType::Date | PgType::Timestamp | PgType::Timestamptz) => {}
                Some(_) => {
                    return Err(Error::Invalid(format!(
                        "PARTITION BY RANGE needs a date or timestamp column, \"{column}\" is neither"
                    )));
                }
                None => {
                    return Err(Error::Invalid(format!("column \"{column}\" named in partition key does not exist")));
                }
            }
        }
        for column in &table.columns {
            if column.name == BUCKET || column.name == DAY {
                return Err(Error::Invalid(format!("column name \"{}\" is reserved", column.name)));
            }
        }
        Ok(Self { cut, sort })
    }

    /// The partition column's name and Delta type, if files are cut.
    pub fn partition_column(&self) -> Option<(&'static str, &'static str)> {
        match self.cut {
            Cut::None => None,
            Cut::Bucket { .. } => Some((BUCKET, "integer")),
            Cut::Day { .. } => Some((DAY, "date")),
        }
    }

    /// The tag value by which our reader recognises files sorted in this order; `None` if files are not sorted.
    pub fn sort_tag(&self) -> Option<String> {
        (!self.sort.is_empty()).then(|| self.sort.join(","))
    }

    /// The columns whose minimum and maximum stand in the log: numbers and times, and the layout's own columns.
    pub fn range_columns(&self, table: &TableDef) -> Result<Vec<String>> {
        let mut columns = Vec::new();
        for column in &table.columns {
            let pg: PgType = column.pg_type.parse()?;
            let in_layout = self.sort.contains(&column.name) || table.primary_key.contains(&column.name);
            if pg.ranges_are_public() || (in_layout && pg.is_sortable()) {
                columns.push(column.name.clone());
            }
        }
        Ok(columns)
    }
}

fn column_type(table: &TableDef, name: &str) -> Option<Result<PgType>> {
    table.columns.iter().find(|c| c.name == name).map(|c| c.pg_type.parse())
}

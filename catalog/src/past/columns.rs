//! Which of a table's columns of today its rows of earlier had, by whatever name.

use crate::error::{Error, Result};
use crate::objects::{ColumnDef, TableDef};
use crate::types::PgType;

/// Where the values of a column are, in rows of an earlier definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// In the column of that name, which has the same values under the type of today.
    Column(String),
    /// Nowhere: the column was added since.
    Nowhere,
}

/// For every column of `now`, where its values are in rows of `then`, an earlier definition of the table.
///
/// # Errors
/// [`Error::Unsupported`] if that can't be known, or a value of then is none of today's type.
pub fn columns_then(then: &TableDef, now: &TableDef) -> Result<Vec<Then>> {
    let known = |def: &TableDef| def.columns.iter().all(|column| column.number > 0);
    if !known(then) || !known(now) {
        // Of before columns had numbers: nothing tells a column that was renamed from another.
        let named = |def: &TableDef| -> Vec<(String, String)> {
            def.columns.iter().map(|column| (column.name.clone(), column.pg_type.clone())).collect()
        };
        if named(then) == named(now) {
            return Ok(now.columns.iter().map(|column| Then::Column(column.name.clone())).collect());
        }
        return Err(altered(now, "the columns of then are not known well enough"));
    }
    now.columns
        .iter()
        .map(|column| match then.columns.iter().find(|old| old.number == column.number) {
            None => Ok(Then::Nowhere),
            Some(old) if holds(old, column)? => Ok(Then::Column(old.name.clone())),
            Some(old) => {
                let why =
                    format!("column \"{}\" was of type {} then, and is {} now", old.name, old.pg_type, column.pg_type);
                Err(altered(now, &why))
            }
        })
        .collect()
}

/// Whether values of one column are values of the other, the same in every reader's eyes.
fn holds(old: &ColumnDef, new: &ColumnDef) -> Result<bool> {
    if old.pg_type == new.pg_type {
        return Ok(true);
    }
    let (old, new) = (old.pg_type.parse::<PgType>()?, new.pg_type.parse::<PgType>()?);
    Ok(match (&old, &new) {
        (PgType::Text | PgType::Varchar(_), PgType::Text | PgType::Varchar(None)) => true,
        (PgType::Varchar(Some(old)), PgType::Varchar(Some(new))) => old <= new,
        _ => false,
    })
}

fn altered(table: &TableDef, why: &str) -> Error {
    Error::Unsupported(format!("table \"{}\" has been altered since: {why}", table.name))
}

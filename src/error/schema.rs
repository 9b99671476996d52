//! Columns that are not there, are there twice, or could be several.

use datafusion::common::{Column, SchemaError};

use super::{Error, SqlState, nearest};

pub(super) fn schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => not_found(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            Error::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", field.name))
                .with_hint("write the table's name or alias before it")
        }
        // Only a table that is named twice in FROM has the same column under the same table name.
        SchemaError::DuplicateQualifiedField { qualifier, .. } => Error::new(
            SqlState::DUPLICATE_ALIAS,
            format!("table name \"{}\" specified more than once", qualifier.table()),
        )
        .with_hint("give one of them an alias"),
        SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
                .with_hint("give one of them another name with AS")
        }
    }
}

fn not_found(field: &Column, valid: &[Column]) -> Error {
    let message = match &field.relation {
        Some(relation) => {
            let table = relation.table();
            let known = |column: &Column| column.relation.as_ref().is_some_and(|r| r.table() == table);
            if !valid.iter().any(known) {
                return missing_from(table, valid);
            }
            format!("column {table}.{} does not exist", field.name)
        }
        None => format!("column \"{}\" does not exist", field.name),
    };
    let error = Error::new(SqlState::UNDEFINED_COLUMN, message);
    if let Some(column) = valid.iter().find(|c| c.name != field.name && c.name.eq_ignore_ascii_case(&field.name)) {
        // PostgreSQL folds unquoted names to lowercase, so such a column is reached by its quoted name only.
        return error.with_hint(format!("there is a column \"{}\"; write it with its quotes", column.name));
    }
    // A column of another table may have just this name.
    let elsewhere = valid.iter().find(|c| c.name == field.name);
    let close = elsewhere.or_else(|| {
        let name = nearest(&field.name, valid.iter().map(|c| c.name.as_str()))?;
        valid.iter().find(|c| c.name == name)
    });
    match close {
        Some(column) => error.with_hint(format!("Perhaps you meant to reference the column \"{}\".", written(column))),
        None => error,
    }
}

/// The qualifier names a table that is not in FROM.
fn missing_from(table: &str, valid: &[Column]) -> Error {
    let error = Error::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{table}\""));
    let tables = valid.iter().filter_map(|c| c.relation.as_ref()).map(|r| r.table());
    match nearest(table, tables) {
        Some(close) => error.with_hint(format!("Perhaps you meant to reference the table alias \"{close}\".")),
        None => error,
    }
}

fn written(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{}.{}", relation.table(), column.name),
        None => column.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::TableReference;

    use super::*;

    fn column(table: &str, name: &str) -> Column {
        Column::new(Some(TableReference::full("audience", "public", table)), name)
    }

    #[test]
    fn missing_columns_are_named_as_postgresql_does() {
        let valid = vec![column("t", "household_id"), column("t", "Week")];
        let missing =
            |field: Column| schema(&SchemaError::FieldNotFound { field: Box::new(field), valid_fields: valid.clone() });

        let error = missing(Column::new_unqualified("houshold_id"));
        assert_eq!(error.sqlstate, SqlState::UNDEFINED_COLUMN);
        assert_eq!(error.message, "column \"houshold_id\" does not exist");
        assert_eq!(error.hint.as_deref(), Some("Perhaps you meant to reference the column \"t.household_id\"."));

        let error = missing(Column::new(Some("t"), "zip"));
        assert_eq!((error.message.as_str(), error.hint), ("column t.zip does not exist", None));
        assert!(missing(Column::new_unqualified("week")).hint.unwrap().contains("\"Week\""));

        let error = missing(Column::new(Some("x"), "zip"));
        assert_eq!(error.sqlstate, SqlState::UNDEFINED_TABLE);
        assert_eq!(error.message, "missing FROM-clause entry for table \"x\"");
    }

    #[test]
    fn ambiguous_and_duplicate_columns() {
        let field = Box::new(Column::new_unqualified("id"));
        let error = schema(&SchemaError::AmbiguousReference { field });
        assert_eq!((error.sqlstate.0, error.message.as_str()), ("42702", "column reference \"id\" is ambiguous"));
        let error = schema(&SchemaError::DuplicateUnqualifiedField { name: "id".into() });
        assert_eq!((error.sqlstate.0, error.message.as_str()), ("42701", "column \"id\" specified more than once"));
    }
}

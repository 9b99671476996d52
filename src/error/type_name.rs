//! PostgreSQL's name of a column's type, for messages and `pg_typeof`.

use catalog::types::PgType;
use datafusion::arrow::datatypes::{DataType, Field};

/// The type as PostgreSQL prints it without its modifiers: `character varying`, `numeric`, `integer[]`, `record`.
///
/// The declared type in the field's metadata wins; an untyped NULL is `unknown`; Arrow types that PostgreSQL lacks
/// keep Arrow's name.
pub(crate) fn type_name(field: &Field) -> String {
    match field.data_type() {
        DataType::Null => "unknown".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "numeric".to_owned()
        }
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => array_of(&type_name(element)),
        DataType::Struct(_) => "record".to_owned(),
        other => match PgType::from_arrow(field) {
            Ok(pg) => without_modifier(&pg.to_string()),
            Err(_) => other.to_string(),
        },
    }
}

/// PostgreSQL has one array type per element type, whatever the number of dimensions.
fn array_of(element: &str) -> String {
    if element.ends_with("[]") { element.to_owned() } else { format!("{element}[]") }
}

/// `numeric(10,2)` is `numeric`, `timestamp(3) with time zone` is `timestamp with time zone`.
fn without_modifier(declared: &str) -> String {
    match (declared.find('('), declared.rfind(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &declared[..open], &declared[close + 1..]),
        _ => declared.to_owned(),
    }
}

/// PostgreSQL's name of an Arrow type given by Arrow's own text, as DataFusion's messages have it; a text that is
/// not a type stays as it is.
pub(super) fn of_text(arrow: &str) -> String {
    let arrow = arrow.trim();
    match arrow.parse::<DataType>() {
        Ok(data_type) => type_name(&Field::new("", data_type, true)),
        Err(_) => arrow.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use catalog::types::PG_TYPE;

    use super::*;

    #[test]
    fn names_are_postgresqls() {
        let declared = HashMap::from([(PG_TYPE.to_owned(), "character varying(20)".to_owned())]);
        let varchar = Field::new("c", DataType::Utf8View, true).with_metadata(declared);
        assert_eq!(type_name(&varchar), "character varying");
        let list = DataType::List(Arc::new(Field::new("element", DataType::Int32, true)));
        let nested = DataType::List(Arc::new(Field::new("element", list, true)));
        assert_eq!(type_name(&Field::new("c", nested, true)), "integer[]");
        assert_eq!(type_name(&Field::new("c", DataType::Decimal256(76, 3), true)), "numeric");
    }

    #[test]
    fn arrow_texts_become_names() {
        assert_eq!(of_text("Utf8View"), "text");
        assert_eq!(of_text("Int64"), "bigint");
        assert_eq!(of_text("Timestamp(µs, \"UTC\")"), "timestamp with time zone");
        assert_eq!(of_text("Decimal128(10, 2)"), "numeric");
        assert_eq!(of_text("Any type"), "Any type");
    }
}

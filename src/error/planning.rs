//! What DataFusion's planner says, in PostgreSQL's words and with PostgreSQL's codes.

use super::type_name::of_text;
use super::values::no_cast;
use super::{Error, SqlState, between, nearest, sentence};

/// A `DataFusionError::Plan` text.
pub(super) fn planning(text: &str) -> Error {
    relation(text)
        .or_else(|| function(text))
        .or_else(|| no_operator(text))
        .or_else(|| grouping(text))
        .or_else(|| window(text))
        .or_else(|| select_list_position(text))
        .or_else(|| known(text, KNOWN))
        .unwrap_or_else(|| {
            let sqlstate = if says_unsupported(text) {
                SqlState::FEATURE_NOT_SUPPORTED
            } else {
                SqlState::SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION
            };
            Error::new(sqlstate, sentence(text))
        })
}

/// A `DataFusionError::NotImplemented` text.
pub(super) fn not_implemented(text: &str) -> Error {
    if let Some((from, to)) = text.strip_prefix("Unsupported CAST from ").and_then(|t| t.split_once(" to ")) {
        return no_cast(from, to);
    }
    if let Some(name) = text.strip_prefix("Unsupported SQL type ") {
        return no_type(&name.to_lowercase());
    }
    // The planner lets these through where they may not be, and the physical planner finds no way to compute them.
    if text.contains("logical expression WindowFunction") {
        return Error::new(SqlState::WINDOWING_ERROR, "window functions are not allowed here")
            .with_hint("compute the window function in a sub-query and use its column");
    }
    if text.contains("logical expression AggregateFunction") {
        return Error::new(SqlState::GROUPING_ERROR, "aggregate functions are not allowed here")
            .with_hint("compute the aggregate in a sub-query and use its column");
    }
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, sentence(text))
}

/// 42704 for a type.
pub(crate) fn no_type(name: &str) -> Error {
    let error = Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"));
    match nearest(name, TYPES.iter().copied()) {
        Some(close) => error.with_hint(format!("perhaps you meant \"{close}\"")),
        None => error,
    }
}

/// The types that columns and casts can have, as users write them.
const TYPES: [&str; 23] = [
    "bigint",
    "boolean",
    "bytea",
    "char",
    "date",
    "decimal",
    "double precision",
    "float",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
    "bool",
    "int",
];

/// 42P01 for a table or view; `name` as the user or the planner wrote it.
pub(super) fn no_relation(name: &str) -> Error {
    // The planner adds the database and the default schema to names; users do not write them.
    let parts: Vec<&str> = name.split('.').collect();
    let name = match parts[..] {
        [_, "public", table] => table.to_owned(),
        [_, schema, table] => format!("{schema}.{table}"),
        _ => name.to_owned(),
    };
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// True if a text of another library says that it cannot do something (yet).
pub(super) fn says_unsupported(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "not supported",
        "unsupported",
        "not yet supported",
        "not implemented",
        "does not support",
        "not currently supported",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn relation(text: &str) -> Option<Error> {
    let quoted = text.strip_prefix("table '").and_then(|t| t.split_once("' not found")).map(|(name, _)| name);
    quoted.or_else(|| text.strip_prefix("Table not found: ")).map(no_relation)
}

fn function(text: &str) -> Option<Error> {
    let undefined = |message: String| Error::new(SqlState::UNDEFINED_FUNCTION, message);
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next()?;
        let error = undefined(format!("function {name} does not exist"));
        // DataFusion names the closest function, however far it is.
        let close = between(rest, "Did you mean '", "'?").and_then(|close| nearest(name, [close]));
        return Some(match close {
            Some(close) => error.with_hint(format!("perhaps you meant the function \"{close}\"")),
            None => error,
        });
    }
    if let Some(call) = between(text, "No function matches the given name and argument types '", "'. You might need") {
        let (name, arguments) = call.strip_suffix(')')?.split_once('(')?;
        let arguments: Vec<String> = split_types(arguments).into_iter().map(of_text).collect();
        return Some(undefined(format!("function {name}({}) does not exist", arguments.join(", "))).with_hint(
            "no function matches the given name and argument types; you might need to add explicit type casts",
        ));
    }
    let table_function = between(text, "able function '", "' not found");
    if let Some(name) = table_function.or_else(|| text.strip_prefix("There is no window function named ")) {
        return Some(undefined(format!("function {name} does not exist")));
    }
    None
}

/// 42883 for texts of the form `… operation Int64 = Utf8`.
pub(super) fn no_operator(text: &str) -> Option<Error> {
    let expression = if let Some(rest) = text.strip_prefix("Cannot coerce arithmetic expression ") {
        rest.strip_suffix(" to valid types")?
    } else if let Some(rest) = text.strip_prefix("There isn't a common type to coerce ") {
        let (types, operator) = rest.strip_suffix(" expression")?.split_once(" in ")?;
        let (left, right) = types.split_once(" and ")?;
        return Some(operator_missing(left, operator, right));
    } else if ["Cannot infer common", "Cannot get result type", "Invalid "].iter().any(|start| text.starts_with(start))
    {
        let rest = text.split_once(" operation ").or_else(|| text.split_once(" operation: "))?.1;
        // What follows is the reason one level down, which repeats the types.
        rest.split_once(": ").filter(|_| text.starts_with("Cannot get")).map_or(rest, |(types, _)| types)
    } else {
        return None;
    };
    let words = split_at_depth_zero(expression, ' ');
    match words[..] {
        [left, ref operator @ .., right] if !operator.is_empty() => {
            Some(operator_missing(left, &operator.join(" "), right))
        }
        _ => None,
    }
}

fn operator_missing(left: &str, operator: &str, right: &str) -> Error {
    let operator = if operator == "!=" { "<>" } else { operator };
    let message = format!("operator does not exist: {} {operator} {}", of_text(left), of_text(right));
    Error::new(SqlState::UNDEFINED_FUNCTION, message)
        .with_hint("no operator matches the given name and argument types; you might need to add explicit type casts")
}

fn grouping(text: &str) -> Option<Error> {
    let column = between(text, "column \"", "\" must appear in the GROUP BY")
        .or_else(|| between(text, "HAVING clause references: ", " must appear in the GROUP BY"))?;
    let message = format!("column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function");
    Some(Error::new(SqlState::GROUPING_ERROR, message))
}

/// Named windows that are missing or given twice.
fn window(text: &str) -> Option<Error> {
    let rest = text.strip_prefix("The window ")?;
    if let Some(name) = rest.strip_suffix(" is not defined!") {
        return Some(Error::new(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist")));
    }
    let name = rest.strip_suffix(" is defined multiple times!")?;
    Some(Error::new(SqlState::WINDOWING_ERROR, format!("window \"{name}\" is already defined")))
}

/// `ORDER BY 5` and `GROUP BY 5` where the select list is shorter.
fn select_list_position(text: &str) -> Option<Error> {
    let (clause, position) = match between(text, "Order by column out of bounds, specified: ", ",") {
        Some(position) => ("ORDER BY", position),
        None => ("GROUP BY", between(text, "Cannot find column with position ", " in SELECT clause")?),
    };
    let message = format!("{clause} position {position} is not in select list");
    Some(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message))
}

/// Types of a list such as `Int64, List(Int64), Decimal128(10, 2)`.
fn split_types(list: &str) -> Vec<&str> {
    split_at_depth_zero(list, ',').into_iter().map(str::trim).filter(|t| !t.is_empty()).collect()
}

/// The parts of `text` between separators that are in no parentheses and no double quotes.
fn split_at_depth_zero(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0, false, 0);
    let mut parts = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            c if c == separator && depth == 0 && !quoted => {
                parts.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A text that is recognised by a part of it: code and, where PostgreSQL has words for it, those.
pub(super) struct Known {
    contains: &'static str,
    sqlstate: SqlState,
    /// Empty: the text stays.
    message: &'static str,
    /// Empty: none.
    hint: &'static str,
}

pub(super) const fn known_as(
    contains: &'static str,
    sqlstate: SqlState,
    message: &'static str,
    hint: &'static str,
) -> Known {
    Known { contains, sqlstate, message, hint }
}

/// The first of `list` that the text contains.
pub(super) fn known(text: &str, list: &[Known]) -> Option<Error> {
    let found = list.iter().find(|known| text.contains(known.contains))?;
    let message = if found.message.is_empty() { sentence(text) } else { found.message.to_owned() };
    let error = Error::new(found.sqlstate, message);
    Some(if found.hint.is_empty() { error } else { error.with_hint(found.hint) })
}

/// Planner texts that name nothing worth keeping, or are kept as they are. More telling parts stand first.
#[rustfmt::skip]
const KNOWN: &[Known] = &[
    // aggregates and windows
    known_as("Aggregate functions are not allowed in the WHERE clause", SqlState::GROUPING_ERROR, "aggregate functions are not allowed in WHERE", "use HAVING"),
    known_as("Aggregate function calls cannot be nested", SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested", "aggregate in a sub-query first"),
    known_as("Aggregate function calls cannot contain window", SqlState::GROUPING_ERROR, "aggregate function calls cannot contain window function calls", "compute the window function in a sub-query first"),
    known_as("Window function calls cannot be nested", SqlState::WINDOWING_ERROR, "window function calls cannot be nested", "compute the inner one in a sub-query first"),
    known_as("to grouping function is not in grouping columns", SqlState::GROUPING_ERROR, "arguments to GROUPING must be grouping expressions of the query", ""),
    known_as("FILTER clause can only be used with aggregate window functions", SqlState::FEATURE_NOT_SUPPORTED, "FILTER is not implemented for non-aggregate window functions", ""),
    known_as("WITHIN GROUP", SqlState::GROUPING_ERROR, "", ""),
    known_as("Invalid window frame", SqlState::WINDOWING_ERROR, "", ""),
    known_as("RANGE requires exactly one ORDER BY column", SqlState::WINDOWING_ERROR, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", ""),
    known_as("GROUPS requires an ORDER BY clause", SqlState::WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause", ""),
    known_as("QUALIFY clause requires", SqlState::WINDOWING_ERROR, "", ""),
    // set operations, VALUES, INSERT
    known_as("queries have different number of columns", SqlState::SYNTAX_ERROR, "each UNION, INTERSECT or EXCEPT query must have the same number of columns", ""),
    known_as("Union schemas have different number of fields", SqlState::SYNTAX_ERROR, "each UNION query must have the same number of columns", ""),
    known_as("INTERSECT/EXCEPT query must have the same number", SqlState::SYNTAX_ERROR, "each INTERSECT or EXCEPT query must have the same number of columns", ""),
    known_as("Non-recursive term and recursive term", SqlState::SYNTAX_ERROR, "both terms of a recursive query must have the same number of columns", ""),
    known_as("Incompatible inputs for Union", SqlState::DATATYPE_MISMATCH, "", "cast the columns of both sides to one type"),
    known_as("have different type in inputs", SqlState::DATATYPE_MISMATCH, "", "cast the columns of both sides to one type"),
    known_as("Inconsistent data length across values list", SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length", ""),
    known_as("Inconsistent data type across values list", SqlState::DATATYPE_MISMATCH, "", "cast the values of a column to one type"),
    known_as("Values list cannot be", SqlState::SYNTAX_ERROR, "", ""),
    known_as("Column count doesn't match insert query", SqlState::SYNTAX_ERROR, "INSERT has more or fewer expressions than target columns", "list the target columns after the table's name"),
    known_as("columns specified, but result has", SqlState::SYNTAX_ERROR, "", ""),
    known_as("names given as column alias", SqlState::INVALID_COLUMN_REFERENCE, "", ""),
    // ORDER BY, DISTINCT, LIMIT
    known_as("Order by index starts at 1", SqlState::INVALID_COLUMN_REFERENCE, "ORDER BY position 0 is not in select list", ""),
    known_as("For SELECT DISTINCT, ORDER BY expressions", SqlState::INVALID_COLUMN_REFERENCE, "for SELECT DISTINCT, ORDER BY expressions must appear in select list", ""),
    known_as("SELECT DISTINCT ON expressions must match", SqlState::INVALID_COLUMN_REFERENCE, "", ""),
    known_as("LIMIT must be >= 0", SqlState::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT must not be negative", ""),
    known_as("OFFSET must be >=0", SqlState::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET must not be negative", ""),
    // names
    known_as("require unique expression names", SqlState::DUPLICATE_COLUMN, "", "give one of them another name with AS"),
    known_as("contains duplicate column names", SqlState::DUPLICATE_COLUMN, "", ""),
    known_as("specified more than once", SqlState::DUPLICATE_ALIAS, "", ""),
    known_as("is not a variable which can be viewed", SqlState::UNDEFINED_OBJECT, "", ""),
    known_as("could not parse compound identifier", SqlState::UNDEFINED_COLUMN, "", ""),
    known_as("Unsupported compound identifier", SqlState::SYNTAX_ERROR, "", ""),
    known_as("not found in schema", SqlState::UNDEFINED_COLUMN, "", ""),
    known_as("Invalid qualifier", SqlState::UNDEFINED_TABLE, "", ""),
    known_as("SELECT * with no tables specified", SqlState::SYNTAX_ERROR, "SELECT * with no tables specified is not valid", ""),
    known_as("Aggregate Function ", SqlState::UNDEFINED_FUNCTION, "", ""),
    // functions and their arguments
    known_as("The function ", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("Missing required parameter", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("Unknown parameter name", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("does not support named arguments", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("Positional argument at position", SqlState::SYNTAX_ERROR, "positional argument cannot follow named argument", ""),
    known_as("specified multiple times", SqlState::SYNTAX_ERROR, "", ""),
    // sub-queries
    known_as("Scalar subquery should only return one column", SqlState::SYNTAX_ERROR, "subquery must return only one column", ""),
    known_as("subquery should only return one column", SqlState::SYNTAX_ERROR, "subquery has too many columns", ""),
    known_as("should only return one column", SqlState::SYNTAX_ERROR, "subquery has too many columns", ""),
    known_as("Correlated scalar subquery", SqlState::FEATURE_NOT_SUPPORTED, "", "write the sub-query as a join or aggregate it"),
    known_as("subquery can only be used in", SqlState::FEATURE_NOT_SUPPORTED, "", "write the sub-query as a join"),
    known_as("Accessing outer reference columns is not allowed", SqlState::FEATURE_NOT_SUPPORTED, "", "write the sub-query as a join"),
    known_as("scalar correlated subquery cannot contain non-correlated columns", SqlState::FEATURE_NOT_SUPPORTED, "", "write the sub-query as a join"),
    // parameters
    known_as("laceholder", SqlState::UNDEFINED_PARAMETER, "", ""),
    // types
    known_as("Cannot create filter with non-boolean predicate", SqlState::DATATYPE_MISMATCH, "argument of WHERE must be type boolean", ""),
    known_as("must be boolean type", SqlState::DATATYPE_MISMATCH, "", ""),
    known_as("requires a boolean expression", SqlState::DATATYPE_MISMATCH, "", ""),
    known_as("CASE WHEN expression", SqlState::DATATYPE_MISMATCH, "", "cast the results of CASE to one type"),
    known_as("CASE expression", SqlState::DATATYPE_MISMATCH, "", "cast the results of CASE to one type"),
    known_as("InSubquery", SqlState::DATATYPE_MISMATCH, "", "cast one side to the type of the other"),
    known_as("Can not find compatible types to compare", SqlState::DATATYPE_MISMATCH, "", "cast one side to the type of the other"),
    known_as("Cannot automatically convert", SqlState::CANNOT_COERCE, "", "add an explicit cast"),
    known_as("should satisfy `0 < precision", SqlState::INVALID_PARAMETER_VALUE, "", ""),
    known_as("unnest() can only be applied to", SqlState::DATATYPE_MISMATCH, "", ""),
    known_as("Unary operator", SqlState::UNDEFINED_FUNCTION, "", ""),
    known_as("oerce", SqlState::DATATYPE_MISMATCH, "", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_message(text: &str) -> (&'static str, String) {
        let error = planning(text);
        (error.sqlstate.0, error.message)
    }

    #[test]
    fn relations() {
        let said = |name: &str| ("42P01", format!("relation \"{name}\" does not exist"));
        assert_eq!(code_and_message("table 'audience.public.x' not found"), said("x"));
        assert_eq!(code_and_message("table 'audience.segments.x' not found"), said("segments.x"));
    }

    #[test]
    fn functions_and_operators() {
        let error = planning("Invalid function 'conut'.\nDid you mean 'count'?");
        assert_eq!((error.sqlstate.0, error.message.as_str()), ("42883", "function conut does not exist"));
        assert_eq!(error.hint.as_deref(), Some("perhaps you meant the function \"count\""));

        let text = "Failed to coerce arguments to satisfy a call to 'f' function: coercion from Utf8 to the signature Numeric(1) \
                    failed. No function matches the given name and argument types 'f(Utf8, Decimal128(10, 2))'. You might need to \
                    add explicit type casts.\n\tCandidate functions:\n\tf(Numeric(1))";
        assert_eq!(code_and_message(text), ("42883", "function f(text, numeric) does not exist".to_owned()));

        let operator = |text: &str| code_and_message(text).1;
        let comparison = "Cannot infer common argument type for comparison operation Timestamp(ns, \"UTC\") != Int64";
        assert_eq!(operator(comparison), "operator does not exist: timestamp with time zone <> bigint");
        let arithmetic = "Cannot coerce arithmetic expression Utf8 + Boolean to valid types";
        assert_eq!(operator(arithmetic), "operator does not exist: text + boolean");
        let reason = "Cannot get result type for temporal operation Date32 * Int32: Invalid argument error: x";
        assert_eq!(operator(reason), "operator does not exist: date * integer");
        let like = "There isn't a common type to coerce Int64 and Utf8 in LIKE expression";
        assert_eq!(operator(like), "operator does not exist: bigint LIKE text");
        let distinct = "Cannot infer common argument type for comparison operation Int64 IS DISTINCT FROM Boolean";
        assert_eq!(operator(distinct), "operator does not exist: bigint IS DISTINCT FROM boolean");
    }

    #[test]
    fn grouping_and_placement() {
        let text = "Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"t.x\" must \
                    appear in the GROUP BY clause or must be part of an aggregate function, currently only \"t.y\" appears in the \
                    SELECT clause satisfies this requirement";
        let message = "column \"t.x\" must appear in the GROUP BY clause or be used in an aggregate function";
        assert_eq!(code_and_message(text), ("42803", message.to_owned()));
        assert_eq!(code_and_message("The window w is not defined!").1, "window \"w\" does not exist");
        let text = "Order by column out of bounds, specified: 5, max: 2";
        assert_eq!(code_and_message(text), ("42P10", "ORDER BY position 5 is not in select list".to_owned()));
        let text = "Aggregate function calls cannot be nested: 'sum(a)' is nested inside 'sum(sum(a))'";
        assert_eq!(code_and_message(text).0, "42803");
        assert_eq!(
            not_implemented("Physical plan does not support logical expression WindowFunction(x)").sqlstate.0,
            "42P20"
        );
    }

    #[test]
    fn what_nobody_knows_keeps_its_words() {
        assert_eq!(code_and_message("Quux is not yet supported."), ("0A000", "quux is not yet supported".to_owned()));
        assert_eq!(code_and_message("Quux is odd"), ("42000", "quux is odd".to_owned()));
        assert_eq!(not_implemented("Unsupported CAST from Int64 to Date32").message, "cannot cast type bigint to date");
    }
}

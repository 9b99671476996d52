//! What the parser says, in PostgreSQL's words: `syntax error at or near "FORM"`.

use datafusion::sql::sqlparser::parser::ParserError;

use super::{Error, Place, SqlState, sentence};

impl From<ParserError> for Error {
    /// The place is noted in lines and columns; `locate` makes it a position.
    fn from(error: ParserError) -> Self {
        syntax(&error)
    }
}

pub(super) fn syntax(error: &ParserError) -> Error {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return Error::new(SqlState::STATEMENT_TOO_COMPLEX, "statement is nested too deeply")
                .with_hint("name its parts with WITH, or save them as views");
        }
    };
    let (text, place) = split_place(text);
    let expected = text.strip_prefix("Expected: ").and_then(|t| t.rsplit_once(", found: "));
    let mut error = match expected {
        Some((expected, "EOF")) => wrong("syntax error at end of input").with_detail(format!("expected {expected}")),
        Some((expected, found)) => {
            wrong(format!("syntax error at or near \"{found}\"")).with_detail(format!("expected {expected}"))
        }
        None if text == "Unterminated string literal" => wrong("unterminated quoted string"),
        None => wrong(sentence(text)),
    };
    error.place = match expected {
        Some((_, "EOF")) => Some(Place::END),
        _ => place,
    };
    error
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message)
}

/// Takes ` at Line: 1, Column: 8` off the end of a message.
fn split_place(text: &str) -> (&str, Option<Place>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let Some((line, column)) = place.split_once(", Column: ") else { return (text, None) };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (message, Place::new(line, column)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn parse(sql: &str) -> Error {
        Error::from(Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap_err())
    }

    #[test]
    fn syntax_errors_point_at_the_token() {
        let error = parse("SELECT 'é' FROM\n )");
        assert_eq!((error.sqlstate, error.place), (SqlState::SYNTAX_ERROR, Place::new(2, 2)));
        assert_eq!(error.message, "syntax error at or near \")\"");
        let error = parse("SELECT (1");
        assert_eq!((error.message.as_str(), error.place), ("syntax error at end of input", Some(Place::END)));
        let error = parse("SELECT 'abc");
        assert_eq!((error.message.as_str(), error.place), ("unterminated quoted string", Place::new(1, 8)));
    }
}

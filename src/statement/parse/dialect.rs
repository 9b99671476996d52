//! sqlparser's PostgreSQL dialect, mended where it departs from PostgreSQL or could run without end.
//!
//! What differs from [`PostgreSqlDialect`], and why:
//! - `+`, `-` and `/` never continue an operator: `a>-1` is a comparison, `a>--x` starts a comment. Left alone,
//!   both become one operator.
//! - A function argument is named by a word (`f(a => 1)`, `f(a := 1)`), not by any expression: trying every
//!   argument as a name first doubles the work with each level of nesting.
//! - A reserved word can't begin an expression; unary minus binds tighter than `^`; `~` and its kin bind like other
//!   operators; MySQL's infix words are names.
//! - `IS [NOT] DISTINCT FROM` ([`IS_DISTINCT`]) binds like the other IS tests; sqlparser would take everything
//!   after it, AND and OR included, as its right side.
//! - Work is limited: sqlparser tries alternatives, and the tries of nested ones multiply.

use std::any::TypeId;
use std::cell::Cell;

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// The operator that stands for the words IS DISTINCT FROM between the tokens and the tree.
pub(super) const IS_DISTINCT: &str = "IS DISTINCT FROM";
/// The operator that stands for the words IS NOT DISTINCT FROM between the tokens and the tree.
pub(super) const IS_NOT_DISTINCT: &str = "IS NOT DISTINCT FROM";

/// The precedence of COLLATE, which is the next one below unary minus. (sqlparser has no name for it.)
const BELOW_UNARY_MINUS: u8 = 120;

const BASE: PostgreSqlDialect = PostgreSqlDialect {};

/// The dialect of one parse. It counts, so it can't be shared.
#[derive(Debug)]
pub(super) struct Postgres {
    /// How many more expressions the parser may begin.
    fuel: Cell<usize>,
}

impl Postgres {
    /// A dialect whose parser may begin that many expressions, the tried and dropped ones included.
    pub(super) fn with_fuel(fuel: usize) -> Self {
        Self { fuel: Cell::new(fuel) }
    }
}

macro_rules! as_postgres {
    ($($flag:ident)*) => { $(fn $flag(&self) -> bool { BASE.$flag() })* };
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    as_postgres! {
        supports_unicode_string_literal
        supports_filter_during_aggregation
        supports_group_by_expr
        allow_extract_custom
        allow_extract_single_quotes
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_listen_notify
        supports_factorial_operator
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_empty_projections
        supports_nested_comments
        supports_string_escape_constant
        supports_array_typedef_with_brackets
        supports_geometric_types
        supports_set_names
        supports_alter_column_type_using
        supports_notnull_operator
        supports_interval_options
        supports_insert_table_alias
        supports_create_table_like_parenthesized
        supports_comma_separated_trim
        supports_xml_expressions
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        BASE.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        BASE.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        BASE.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        !matches!(ch, '+' | '-' | '/') && BASE.is_custom_operator_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        // Without these, an error inside CASE or CAST is swallowed and reported at the word itself.
        matches!(keyword, Keyword::CASE | Keyword::CAST | Keyword::NOT | Keyword::ARRAY)
            || BASE.is_reserved_for_identifier(keyword)
    }

    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        !needs_as(*keyword) && BASE.is_column_alias(keyword, parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        BASE.prec_value(precedence)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::CustomBinaryOperator(name) if name == IS_DISTINCT || name == IS_NOT_DISTINCT => {
                Some(Ok(self.prec_value(Precedence::Is)))
            }
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Word(word) => match word.keyword {
                Keyword::XOR | Keyword::DIV | Keyword::MATCH | Keyword::REGEXP | Keyword::RLIKE | Keyword::MEMBER => {
                    Some(Ok(self.prec_unknown()))
                }
                // `x NOT NULL` is no expression: in a column's definition, NOT NULL follows DEFAULT x.
                Keyword::NOT if next_is(parser, Keyword::NULL) => Some(Ok(self.prec_unknown())),
                _ => BASE.get_next_precedence(parser),
            },
            _ => BASE.get_next_precedence(parser),
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Some(left) = self.fuel.get().checked_sub(1) else {
            return Some(Err(ParserError::RecursionLimitExceeded));
        };
        self.fuel.set(left);
        let op = match &parser.peek_token_ref().token {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            Token::Word(word) if is_reserved(word.keyword) && !begins_expression(word.keyword) => {
                return Some(parser.expected_ref("an expression", parser.peek_token_ref()));
            }
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(BELOW_UNARY_MINUS);
        Some(operand.map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }
}

fn next_is(parser: &Parser, keyword: Keyword) -> bool {
    matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word) if word.keyword == keyword)
}

/// Whether PostgreSQL reserves the word: a name spelled so needs quotes.
pub(super) fn is_reserved(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        ALL | ANALYZE
            | AND
            | ANY
            | ARRAY
            | AS
            | ASC
            | ASYMMETRIC
            | BOTH
            | CASE
            | CAST
            | CHECK
            | COLLATE
            | COLUMN
            | CONSTRAINT
            | CREATE
            | CURRENT_CATALOG
            | CURRENT_DATE
            | CURRENT_ROLE
            | CURRENT_TIME
            | CURRENT_TIMESTAMP
            | CURRENT_USER
            | DEFAULT
            | DEFERRABLE
            | DESC
            | DISTINCT
            | DO
            | ELSE
            | END
            | EXCEPT
            | FALSE
            | FETCH
            | FOR
            | FOREIGN
            | FROM
            | GRANT
            | GROUP
            | HAVING
            | IN
            | INITIALLY
            | INTERSECT
            | INTO
            | LATERAL
            | LEADING
            | LIMIT
            | LOCALTIME
            | LOCALTIMESTAMP
            | NOT
            | NULL
            | OFFSET
            | ON
            | ONLY
            | OR
            | ORDER
            | PLACING
            | PRIMARY
            | REFERENCES
            | RETURNING
            | SELECT
            | SESSION_USER
            | SOME
            | SYMMETRIC
            | TABLE
            | THEN
            | TO
            | TRAILING
            | TRUE
            | UNION
            | UNIQUE
            | USER
            | USING
            | VARIADIC
            | WHEN
            | WHERE
            | WINDOW
            | WITH
    )
}

/// Whether an expression can begin with this reserved word.
fn begins_expression(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        ARRAY
            | CASE
            | CAST
            | CURRENT_CATALOG
            | CURRENT_DATE
            | CURRENT_ROLE
            | CURRENT_TIME
            | CURRENT_TIMESTAMP
            | CURRENT_USER
            | DEFAULT
            | FALSE
            | LOCALTIME
            | LOCALTIMESTAMP
            | NOT
            | NULL
            | SESSION_USER
            | TRUE
            | USER
    )
}

/// Whether the word is the name of a result column only after AS.
fn needs_as(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        ARRAY
            | AS
            | CREATE
            | EXCEPT
            | FETCH
            | FOR
            | FROM
            | GRANT
            | GROUP
            | HAVING
            | INTERSECT
            | INTO
            | LIMIT
            | OFFSET
            | ON
            | ORDER
            | RETURNING
            | TO
            | UNION
            | WHERE
            | WINDOW
            | WITH
    )
}

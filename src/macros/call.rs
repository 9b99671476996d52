//! The arguments of a macro's call, taken one by one; what is left over at the end is an error.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, Query, UnaryOperator, Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::Macro;
use crate::error::{Error, Result, SqlState};
use crate::statement::{QualifiedName, fold};

/// What a macro reads from.
pub(super) enum Source {
    /// A table, a view or a CTE, by its name as text.
    Named(QualifiedName),
    /// A query in parentheses.
    Query(Box<Query>),
}

/// How many of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// This many.
    Rows(i64),
    /// This many of a hundred.
    Percent(f64),
}

/// The arguments that nobody has taken yet.
pub(super) struct Call {
    called: &'static Macro,
    positional: std::vec::IntoIter<Expr>,
    named: Vec<(String, Expr)>,
}

impl Call {
    pub(super) fn new(called: &'static Macro, arguments: &[FunctionArg]) -> Result<Self> {
        let mut call = Self { called, positional: Vec::new().into_iter(), named: Vec::new() };
        let mut positional = Vec::new();
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if call.named.is_empty() => {
                    positional.push(value.clone());
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => {
                    let message = "positional argument cannot follow named argument";
                    return Err(Error::new(SqlState::SYNTAX_ERROR, message));
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
                } => {
                    let name = fold(name);
                    if call.named.iter().any(|(given, _)| *given == name) {
                        let message = format!("argument name \"{name}\" used more than once");
                        return Err(Error::new(SqlState::SYNTAX_ERROR, message));
                    }
                    call.named.push((name, value.clone()));
                }
                other => return Err(call.undefined(format!("does not take the argument {other}"))),
            }
        }
        call.positional = positional.into_iter();
        Ok(call)
    }

    /// The relation called `name`: the next positional argument, or the one with that name.
    pub(super) fn source(&mut self, name: &str) -> Result<Source> {
        let value = self.value(name)?;
        self.as_source(name, value)
    }

    /// The relation of an option.
    pub(super) fn optional_source(&mut self, name: &str) -> Result<Option<Source>> {
        self.option(name).map(|value| self.as_source(name, value)).transpose()
    }

    /// The column called `name`, by its name as text.
    pub(super) fn column(&mut self, name: &str) -> Result<Expr> {
        let value = self.value(name)?;
        self.as_column(name, &value)
    }

    /// The column of an option.
    pub(super) fn optional_column(&mut self, name: &str) -> Result<Option<Expr>> {
        self.option(name).map(|value| self.as_column(name, &value)).transpose()
    }

    /// The columns of an option, an array of their names as text.
    pub(super) fn columns(&mut self, name: &str) -> Result<Option<Vec<Expr>>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let Some(values) = elements(&value).filter(|values| !values.is_empty()) else {
            return Err(self.invalid(format!("{name} has to be an array of names of columns, such as ARRAY['a', 'b']")));
        };
        values.iter().map(|value| self.as_column(name, value)).collect::<Result<_>>().map(Some)
    }

    /// The texts of an option, an array of constants.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let texts = elements(&value).and_then(|values| values.iter().map(|v| text(v).map(str::to_owned)).collect());
        texts
            .map(Some)
            .ok_or_else(|| self.invalid(format!("{name} has to be an array of texts, such as ARRAY['a', 'b']")))
    }

    /// The expressions of an option that has to be there, an array of them.
    pub(super) fn expressions(&mut self, name: &str, low: usize, high: usize) -> Result<Vec<Expr>> {
        let value = self.required_option(name)?;
        match elements(&value) {
            Some(values) if (low..=high).contains(&values.len()) => Ok(values.to_vec()),
            _ => {
                Err(self.invalid(format!("{name} has to be an array of {low} to {high} expressions, ARRAY[a = 1, b]")))
            }
        }
    }

    /// An option that has to be there, as it stands.
    pub(super) fn required_option(&mut self, name: &str) -> Result<Expr> {
        self.option(name).ok_or_else(|| self.undefined(format!("needs the argument {name}")))
    }

    /// The lists of expressions of an option, an array of texts such as `ARRAY['a', 'b, lower(c)']`.
    pub(super) fn expression_lists(&mut self, name: &str) -> Result<Option<Vec<Vec<Expr>>>> {
        let Some(texts) = self.texts(name)? else { return Ok(None) };
        texts.iter().map(|text| self.parsed(name, text)).collect::<Result<_>>().map(Some)
    }

    fn parsed(&self, name: &str, text: &str) -> Result<Vec<Expr>> {
        let invalid = |why: String| self.invalid(format!("{name}: \"{text}\" is no column or expression ({why})"));
        let dialect = PostgreSqlDialect {};
        // Tokens without their places, which would point into the text of the statement.
        let tokens = Tokenizer::new(&dialect, text).tokenize().map_err(|error| invalid(error.to_string()))?;
        let mut parser = Parser::new(&dialect).with_tokens(tokens);
        let parsed = parser.parse_comma_separated(Parser::parse_expr).map_err(|error| invalid(error.to_string()))?;
        match parser.peek_token().token {
            Token::EOF => Ok(parsed),
            more => Err(invalid(format!("{more} is too much"))),
        }
    }

    /// An option's value as it stands.
    pub(super) fn option(&mut self, name: &str) -> Option<Expr> {
        let place = self.named.iter().position(|(given, _)| given == name)?;
        Some(self.named.remove(place).1)
    }

    /// An option that is one of a few words.
    pub(super) fn word(&mut self, name: &str, known: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let found = text(&value).and_then(|word| known.iter().find(|known| **known == word));
        match found {
            Some(word) => Ok(Some(word)),
            None => Err(self.invalid(format!("{name} has to be one of {}, as text", known.join(", ")))),
        }
    }

    /// An option that is a whole number within bounds.
    pub(super) fn integer(&mut self, name: &str, low: i64, high: i64) -> Result<Option<i64>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        match integer(&value).filter(|number| (low..=high).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.invalid(format!("{name} has to be a number from {low} to {high}"))),
        }
    }

    /// An option that is a number within bounds.
    pub(super) fn number(&mut self, name: &str, low: f64, high: f64) -> Result<Option<f64>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        match number(&value).filter(|number| (low..=high).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.invalid(format!("{name} has to be a number from {low} to {high}"))),
        }
    }

    /// An option that is true or false.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        match &value {
            Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => {
                Ok(Some(value.value == Value::Boolean(true)))
            }
            _ => Err(self.invalid(format!("{name} has to be true or false"))),
        }
    }

    /// An option that is a number of rows, or a percentage of them as text such as '5%'.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Part>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let percentage = text(&value).and_then(|text| text.strip_suffix('%')?.trim().parse().ok());
        match (percentage, integer(&value)) {
            (Some(percent), _) if 0.0 < percent && percent <= 100.0 => Ok(Some(Part::Percent(percent))),
            (_, Some(rows @ 1..)) => Ok(Some(Part::Rows(rows))),
            _ => Err(self.invalid(format!("{name} has to be a number from 1, or a percentage as text such as '5%'"))),
        }
    }

    /// Fails if there are arguments that the macro has not asked for.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some((name, _)) = self.named.first() {
            return Err(self.undefined(format!("has no argument \"{name}\"")));
        }
        match self.positional.next() {
            Some(extra) => Err(self.undefined(format!("does not take the argument {extra} in this place"))),
            None => Ok(()),
        }
    }

    /// The next positional argument as it stands, or the one with that name.
    pub(super) fn value(&mut self, name: &str) -> Result<Expr> {
        let given = self.positional.next().or_else(|| self.option(name));
        given.ok_or_else(|| self.undefined(format!("needs the argument {name}")))
    }

    /// An error of what an argument says: 22023.
    pub(super) fn invalid(&self, what: String) -> Error {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{}: {what}", self.called.name))
    }

    fn as_source(&self, name: &str, value: Expr) -> Result<Source> {
        match value {
            Expr::Subquery(query) => Ok(Source::Query(query)),
            other => {
                match text(&other) {
                    Some(relation) => QualifiedName::parse(relation).map(Source::Named),
                    None => Err(self
                        .invalid(format!("{name} has to be the name of a table as text, or a query in parentheses"))),
                }
            }
        }
    }

    fn as_column(&self, name: &str, value: &Expr) -> Result<Expr> {
        self.column_called(name, text(value).unwrap_or_default())
    }

    /// The column with a name that is part of the argument `argument`.
    pub(super) fn column_called(&self, argument: &str, name: &str) -> Result<Expr> {
        match QualifiedName::parse(name) {
            Ok(QualifiedName { schema: None, name }) => Ok(Expr::Identifier(Ident::with_quote('"', name))),
            _ => Err(self.invalid(format!("{argument} has to be the name of a column as text"))),
        }
    }

    fn undefined(&self, what: String) -> Error {
        Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {} {what}", self.called.name))
            .with_hint(format!("its arguments are {}", self.called.syntax))
    }
}

pub(crate) fn text(value: &Expr) -> Option<&str> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        _ => None,
    }
}

/// The elements of `ARRAY[…]` or `[…]`.
fn elements(value: &Expr) -> Option<&[Expr]> {
    match value {
        Expr::Array(array) => Some(&array.elem),
        _ => None,
    }
}

fn number(value: &Expr) -> Option<f64> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.to_string().parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|number| -number),
        _ => None,
    }
}

/// The value of a whole number.
pub(crate) fn integer(value: &Expr) -> Option<i64> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.to_string().parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => integer(expr).map(|number| -number),
        _ => None,
    }
}

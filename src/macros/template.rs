//! A query with slots: `"$ts"` in its text stands for an expression, `FROM "$orders"` for what the macro reads from.
//!
//! What fills the slots is syntax, never text, so that nothing a caller writes can change the query round it. The
//! other way round a CTE of a template would hide a table of the caller's that has its name. So these are called like
//! nobody's table, after their macro: `WITH "lookalike: seed" AS (SELECT … FROM "$seed")`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

use super::call::Source;
use crate::error::{Error, Result, SqlState};

/// Fills a template.
///
/// # Errors
/// XX000 if the template itself is wrong.
pub(super) fn fill(
    template: &str,
    sources: impl IntoIterator<Item = (&'static str, Source)>,
    slots: &[(&str, Expr)],
) -> Result<Query> {
    let wrong = |what: &str| Error::new(SqlState::INTERNAL_ERROR, format!("a macro's template is wrong: {what}"));
    let dialect = PostgreSqlDialect {};
    // Tokens without their places, which would point into the caller's text.
    let tokens = Tokenizer::new(&dialect, template).tokenize().map_err(|e| wrong(&e.to_string()))?;
    let statement = Parser::new(&dialect).with_tokens(tokens).parse_statement().map_err(|e| wrong(&e.to_string()))?;
    let Statement::Query(mut query) = statement else {
        return Err(wrong("not a query"));
    };
    let sources: Vec<(&str, Filled)> = sources.into_iter().map(|(slot, source)| (slot, filled(source))).collect();
    match VisitMut::visit(&mut query, &mut Filling { sources: &sources, slots }) {
        ControlFlow::Continue(()) => Ok(*query),
        ControlFlow::Break(slot) => Err(wrong(&format!("nothing fills {slot}"))),
    }
}

/// The alias of a relation that has none.
pub(super) fn alias(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: Ident::with_quote('"', name), columns: Vec::new(), at: None }
}

/// Numbers the CTEs of a filled template, so that a call within another's argument may use the same ones: DataFusion
/// takes no name twice, not even within.
pub(super) fn distinguish(query: &mut Query, number: usize) {
    let Some(with) = &mut query.with else { return };
    let mut names = Vec::with_capacity(with.cte_tables.len());
    for cte in &mut with.cte_tables {
        names.push(cte.alias.name.value.clone());
        cte.alias.name.value = numbered(&cte.alias.name.value, number);
    }
    // Nothing in it breaks.
    let _ = VisitMut::visit(query, &mut Numbering { names, number });
}

fn numbered(name: &str, number: usize) -> String {
    format!("{name} {number}")
}

struct Numbering {
    names: Vec<String>,
    number: usize,
}

impl VisitorMut for Numbering {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name: ObjectName(parts), .. } = factor
            && let [ObjectNamePart::Identifier(name)] = parts.as_mut_slice()
            && self.names.contains(&name.value)
        {
            name.value = numbered(&name.value, self.number);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expression
            && let [name, _] = parts.as_mut_slice()
            && self.names.contains(&name.value)
        {
            name.value = numbered(&name.value, self.number);
        }
        ControlFlow::Continue(())
    }
}

fn filled(source: Source) -> Filled {
    match source {
        Source::Named(name) => Filled::Table(ObjectName::from(
            name.schema.into_iter().chain([name.name]).map(|part| Ident::with_quote('"', part)).collect::<Vec<_>>(),
        )),
        Source::Query(query) => Filled::Query(query),
    }
}

enum Filled {
    Table(ObjectName),
    Query(Box<Query>),
}

struct Filling<'a> {
    sources: &'a [(&'a str, Filled)],
    slots: &'a [(&'a str, Expr)],
}

impl VisitorMut for Filling<'_> {
    type Break = String;

    /// Bottom-up, so that what has been filled in is not searched for slots.
    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<String> {
        if let Expr::Identifier(Ident { value, quote_style: Some('"'), .. }) = expression {
            if let Some(slot) = value.strip_prefix('$') {
                match self.slots.iter().find(|(name, _)| *name == slot) {
                    Some((_, filling)) => *expression = Expr::Nested(Box::new(filling.clone())),
                    None => return ControlFlow::Break(value.clone()),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        let TableFactor::Table { name, alias: given, .. } = factor else { return ControlFlow::Continue(()) };
        let [only] = name.0.as_slice() else { return ControlFlow::Continue(()) };
        let Some(slot) = only.as_ident().and_then(|ident| ident.value.strip_prefix('$')) else {
            return ControlFlow::Continue(());
        };
        match self.sources.iter().find(|(known, _)| *known == slot) {
            Some((_, Filled::Table(table))) => *name = table.clone(),
            Some((known, Filled::Query(query))) => {
                *factor = TableFactor::Derived {
                    lateral: false,
                    subquery: query.clone(),
                    alias: Some(given.clone().unwrap_or_else(|| alias(known))),
                    sample: None,
                }
            }
            None => return ControlFlow::Break(format!("${slot}")),
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::QualifiedName;

    fn column(name: &str) -> Expr {
        Expr::Identifier(Ident::with_quote('"', name))
    }

    #[test]
    fn slots_take_syntax() {
        let source = Source::Named(QualifiedName { schema: Some("s".into()), name: "it\"s".into() });
        // A column that is called like a slot is a column.
        let query = fill(
            "SELECT max(\"$a\") FROM \"$source\" WHERE \"$b\" = 1",
            [("source", source)],
            &[("a", column("$b")), ("b", column("x"))],
        );
        assert_eq!(query.unwrap().to_string(), r#"SELECT max(("$b")) FROM "s"."it""s" WHERE ("x") = 1"#);
    }

    #[test]
    fn a_slot_without_filling_is_an_error() {
        let source = Source::Named(QualifiedName { schema: None, name: "t".into() });
        assert_eq!(
            fill("SELECT \"$a\" FROM \"$source\"", [("source", source)], &[]).unwrap_err().sqlstate,
            SqlState::INTERNAL_ERROR
        );
    }
}

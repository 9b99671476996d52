//! Where the text of a view's query names relations in FROM, and the same text with other names there.
//!
//! The text itself is changed and nothing is printed anew, so all else of it stays as it was typed.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::engine::parse_view;
use crate::error::Result;
use crate::statement::ast::{QualifiedName, distance, fold};

/// A relation named in FROM.
#[derive(Debug)]
pub(super) struct Mention {
    /// Its name.
    pub(super) name: QualifiedName,
    /// Where that stands, in bytes; of `TABLE t` all of it.
    pub(super) place: Range<usize>,
    /// It is `TABLE t`.
    pub(super) alone: bool,
    /// It has another name in the query.
    pub(super) aliased: bool,
    /// Its columns have other names, by their places.
    pub(super) columns_named: bool,
}

/// All relations that a query names, those of WITH left out, in the order of the text.
pub(super) fn mentions(sql: &str) -> Result<Vec<Mention>> {
    let query = parse_view(sql)?;
    let mut walk = Walk { sql, scope: Vec::new(), seen: HashSet::new(), found: Vec::new() };
    let _ = Visit::visit(&query, &mut walk);
    walk.found.sort_by_key(|mention| mention.place.start);
    Ok(walk.found)
}

/// The text with something else in the place of some names, which are in the order of the text.
pub(super) fn replaced(sql: &str, names: &[(Range<usize>, String)]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut at = 0;
    for (place, name) in names {
        text.push_str(&sql[at..place.start]);
        text.push_str(name);
        at = place.end;
    }
    text.push_str(&sql[at..]);
    text
}

/// Whether columns that a relation did not have before could be taken for something the query means: it names one of
/// them, or takes columns without naming them.
pub(super) fn may_meet(sql: &str, names: &[String]) -> bool {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else { return true };
    let is_word = |token: &Token, words: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && words.iter().any(|other| word.value.eq_ignore_ascii_case(other)))
    };
    let mut before = Token::Comma;
    for token in tokens {
        let meets = match &token {
            Token::Whitespace(_) => continue,
            // Behind anything else it multiplies, or is the star of count(*).
            Token::Mul => {
                matches!(before, Token::Comma | Token::Period) || is_word(&before, &["SELECT", "DISTINCT", "ALL"])
            }
            Token::Word(word) => {
                let name = fold(&Ident { quote_style: word.quote_style, ..Ident::new(&word.value) });
                names.contains(&name) || is_word(&token, &["NATURAL", "TABLE"])
            }
            // A function over a table is given names of columns as text.
            Token::SingleQuotedString(text) => names.contains(text),
            _ => false,
        };
        if meets {
            return true;
        }
        before = token;
    }
    false
}

struct Walk<'a> {
    sql: &'a str,
    /// Names of WITH that can be seen.
    scope: Vec<String>,
    seen: HashSet<usize>,
    found: Vec<Mention>,
}

impl Walk<'_> {
    fn note(&mut self, name: &ObjectName, aliased: bool, columns_named: bool) -> Option<()> {
        let parts: Vec<&Ident> = name.0.iter().map(|part| part.as_ident()).collect::<Option<_>>()?;
        let (first, last) = (parts.first()?, parts.last()?);
        if parts.len() == 1 && self.scope.contains(&fold(first)) {
            return None;
        }
        let mut place = self.byte(first.span.start)?..self.byte(last.span.end)?;
        let before = self.sql.get(..place.start)?.trim_end();
        let word = before.rfind(|c: char| !c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        let alone = before.get(word..).is_some_and(|word| word.eq_ignore_ascii_case("table"));
        if alone {
            place.start = word;
        }
        let name = QualifiedName::try_from(name).ok()?;
        if self.seen.insert(place.start) {
            self.found.push(Mention { name, place, alone, aliased, columns_named });
        }
        Some(())
    }

    fn byte(&self, at: Location) -> Option<usize> {
        (at.line > 0).then(|| distance(self.sql, Location::new(1, 1), at).0)
    }
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                // Within its own query a name of WITH means what it meant before, unless it is recursive.
                if !with.recursive {
                    cte.visit(self)?;
                }
                self.scope.push(fold(&cte.alias.name));
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let names = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
        self.scope.truncate(self.scope.len() - names);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor {
            let columns = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
            self.note(name, alias.is_some(), columns);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Vec<String> {
        mentions(sql).unwrap().iter().map(|mention| sql[mention.place.clone()].to_owned()).collect()
    }

    #[test]
    fn names_of_with_are_not_relations() {
        assert_eq!(names("WITH t AS (SELECT * FROM t) SELECT * FROM t, \"U\" AS t2"), ["t", "\"U\""]);
        assert_eq!(names("SELECT 'ä', (SELECT 1 FROM s.\"T\") FROM\n  a JOIN b USING (x)"), ["s.\"T\"", "a", "b"]);
        assert_eq!(names("TABLE t"), ["TABLE t"]);
        assert_eq!(names("WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT * FROM n) SELECT * FROM n"), [""; 0]);
    }

    #[test]
    fn the_rest_of_the_text_stays() {
        let sql = "SELECT  a -- é\nFROM t, u";
        let found = mentions(sql).unwrap();
        let new = vec![(found[0].place.clone(), "x".to_owned()), (found[1].place.clone(), "yy".to_owned())];
        assert_eq!(replaced(sql, &new), "SELECT  a -- é\nFROM x, yy");
    }

    #[test]
    fn a_new_column_can_be_met_by_name_or_by_a_star() {
        let new = ["x".to_owned()];
        for sql in ["SELECT * FROM t", "SELECT t.* FROM t", "SELECT X FROM u", "SELECT 1 FROM t NATURAL JOIN u"] {
            assert!(may_meet(sql, &new), "{sql}");
        }
        for sql in ["SELECT count(*), a * b FROM t", "SELECT \"X\" FROM t"] {
            assert!(!may_meet(sql, &new), "{sql}");
        }
    }
}

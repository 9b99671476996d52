//! Expressions of sets: `(a|b)&c-d`.
//!
//! As in Apache Doris: `&` is the intersection, `|` the union, `-` the difference, `^` what is in exactly one; all of
//! them have the same rank and are done from left to right, so that `a|b&c` is `(a|b)&c`; parentheses come first; a
//! backslash makes the next character part of a key; blanks part. What Doris makes something of by chance, such as a
//! missing operand or parenthesis, is an error.

use std::collections::HashMap;

use roaring::RoaringTreemap;

/// An expression, ready to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    /// The keys, each once.
    keys: Vec<String>,
    /// Operands before their operator.
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Key(usize),
    Operator(Operator),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    AndNot,
    Xor,
}

enum Token {
    Key(String),
    Operator(Operator),
    Open,
    Close,
}

impl Expression {
    /// Reads an expression; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut expression = Self { keys: Vec::new(), steps: Vec::new() };
        // Operators that wait for their second operand; none is a parenthesis.
        let mut waiting: Vec<Option<Operator>> = Vec::new();
        let mut operand_is_next = true;
        for token in tokens(text)? {
            match token {
                Token::Key(_) | Token::Open if !operand_is_next => {
                    return Err("two keys have no operator between them".to_owned());
                }
                Token::Operator(_) | Token::Close if operand_is_next => {
                    return Err("an operator has a key on one side only".to_owned());
                }
                Token::Key(key) => {
                    let place = expression.place(key);
                    expression.steps.push(Step::Key(place));
                    operand_is_next = false;
                }
                Token::Operator(operator) => {
                    if let Some(Some(before)) = waiting.last() {
                        expression.steps.push(Step::Operator(*before));
                        waiting.pop();
                    }
                    waiting.push(Some(operator));
                    operand_is_next = true;
                }
                Token::Open => waiting.push(None),
                Token::Close => {
                    if let Some(Some(before)) = waiting.last() {
                        expression.steps.push(Step::Operator(*before));
                        waiting.pop();
                    }
                    if waiting.pop() != Some(None) {
                        return Err("a parenthesis is closed that is not open".to_owned());
                    }
                }
            }
        }
        if operand_is_next {
            return Err("a key is missing at the end".to_owned());
        }
        match waiting.as_slice() {
            [] => {}
            [Some(last)] => expression.steps.push(Step::Operator(*last)),
            _ => return Err("a parenthesis is not closed".to_owned()),
        }
        Ok(expression)
    }

    /// The intersection of some keys, of which there is at least one.
    pub(super) fn intersection(keys: impl IntoIterator<Item = String>) -> Self {
        let mut expression = Self { keys: Vec::new(), steps: Vec::new() };
        for key in keys {
            let place = expression.place(key);
            expression.steps.push(Step::Key(place));
            if expression.steps.len() > 1 {
                expression.steps.push(Step::Operator(Operator::And));
            }
        }
        expression
    }

    fn place(&mut self, key: String) -> usize {
        let known = self.keys.iter().position(|known| *known == key);
        known.unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// The place of each key's set among those to be evaluated.
    pub(super) fn places(&self) -> HashMap<String, usize> {
        self.keys.iter().enumerate().map(|(place, key)| (key.clone(), place)).collect()
    }

    /// The set that the expression makes of its keys' sets.
    pub(super) fn evaluate(&self, sets: &[RoaringTreemap]) -> RoaringTreemap {
        let mut operands: Vec<RoaringTreemap> = Vec::new();
        for step in &self.steps {
            match step {
                Step::Key(place) => operands.push(sets.get(*place).cloned().unwrap_or_default()),
                Step::Operator(operator) => {
                    let right = operands.pop().unwrap_or_default();
                    let left = operands.pop().unwrap_or_default();
                    operands.push(match operator {
                        Operator::And => left & right,
                        Operator::Or => left | right,
                        Operator::AndNot => left - right,
                        Operator::Xor => left ^ right,
                    });
                }
            }
        }
        operands.pop().unwrap_or_default()
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut key = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let token = match character {
            '&' => Some(Token::Operator(Operator::And)),
            '|' => Some(Token::Operator(Operator::Or)),
            '-' => Some(Token::Operator(Operator::AndNot)),
            '^' => Some(Token::Operator(Operator::Xor)),
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            blank if blank.is_whitespace() => None,
            '\\' => {
                key.push(characters.next().ok_or("nothing follows the last backslash")?);
                continue;
            }
            other => {
                key.push(other);
                continue;
            }
        };
        if !key.is_empty() {
            tokens.push(Token::Key(std::mem::take(&mut key)));
        }
        tokens.extend(token);
    }
    if !key.is_empty() {
        tokens.push(Token::Key(key));
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(text: &str) -> Vec<u64> {
        let expression = Expression::parse(text).unwrap();
        let of = |key: &str| -> RoaringTreemap {
            match key {
                "a" => [1, 2, 3].into_iter().collect(),
                "b" => [3, 4].into_iter().collect(),
                "c" => [1, 3, 4, 5].into_iter().collect(),
                "x-y (z)" => [9].into_iter().collect(),
                _ => RoaringTreemap::new(),
            }
        };
        let sets: Vec<_> = expression.keys.iter().map(|key| of(key)).collect();
        expression.evaluate(&sets).into_iter().collect()
    }

    #[test]
    fn operators_go_from_left_to_right() {
        assert_eq!(evaluated("a|b&c"), [1, 3, 4]);
        assert_eq!(evaluated("a|(b&c)"), [1, 2, 3, 4]);
        assert_eq!(evaluated("a-b|b"), [1, 2, 3, 4]);
        assert_eq!(evaluated("c-(a-b)"), [3, 4, 5]);
        assert_eq!(evaluated("a^b"), [1, 2, 4]);
        assert_eq!(evaluated("((a))"), [1, 2, 3]);
        assert_eq!(evaluated(" a & b - nobody "), [3]);
        assert_eq!(evaluated(r"a|x\-y\ \(z\)"), [1, 2, 3, 9]);
        assert_eq!(evaluated("a&a"), [1, 2, 3]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in ["", "a b", "a&", "&a", "(a", "a)", "()", "a(b)", "a&&b", "a\\", "(a))", ")(", "((a)"] {
            assert!(Expression::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(evaluated(&deep), [1, 2, 3]);
    }

    #[test]
    fn an_intersection_is_of_all() {
        let both = Expression::intersection(["a".to_owned(), "b".to_owned(), "a".to_owned()]);
        assert_eq!(both, Expression::parse("a&b&a").unwrap());
    }
}

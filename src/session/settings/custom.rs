//! Settings that clients make up: `SET shop.tenant = 7`, read back with `current_setting('shop.tenant')`.
//!
//! PostgreSQL lets a session keep any text under a name with a dot in it. The prefixes of settings that mean something
//! here are not free: a misspelt one must not be taken for a client's own.

use std::collections::BTreeMap;

use crate::error::{Error, Result, SqlState};

use super::Scope;

/// How many of them a session may keep.
const MOST: usize = 1000;
/// The longest value of one, in bytes.
const LONGEST: usize = 64 << 10;
/// Prefixes of settings that somebody acts on, or that users of DataFusion might expect to be acted on.
const RESERVED: [&str; 2] = ["audience", "datafusion"];

/// One of them. It is there from the first time it is set, with an empty value where it was never set for good.
#[derive(Debug, Clone, Default)]
pub(super) struct Custom {
    reset: String,
    session: String,
    before: Option<String>,
    local: Option<String>,
}

impl Custom {
    pub(super) fn value(&self) -> &str {
        self.local.as_ref().unwrap_or(&self.session)
    }

    pub(super) fn set(&mut self, value: Option<&str>, scope: Scope, in_block: bool) {
        let value = value.unwrap_or(&self.reset).to_owned();
        if scope == Scope::Local {
            self.local = in_block.then_some(value);
            return;
        }
        if in_block && self.before.is_none() {
            self.before = Some(self.session.clone());
        }
        self.session = value;
        self.local = None;
    }

    pub(super) fn commit(&mut self) {
        self.before = None;
        self.local = None;
    }

    pub(super) fn rollback(&mut self) {
        self.local = None;
        if let Some(before) = self.before.take() {
            self.session = before;
        }
    }

    pub(super) fn return_to(&mut self, saved: &Self) {
        self.session.clone_from(&saved.session);
        self.local.clone_from(&saved.local);
    }
}

/// Whether a name can be a client's own.
///
/// # Errors
/// 42602 for one that has a dot and is no sequence of plain names.
pub(super) fn is_name(name: &str) -> Result<bool> {
    let Some((prefix, _)) = name.split_once('.') else { return Ok(false) };
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(prefix)) {
        return Ok(false);
    }
    let starts = |c: char| c.is_alphabetic() || c == '_';
    let plain =
        |part: &str| part.starts_with(starts) && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if name.split('.').all(plain) {
        return Ok(true);
    }
    Err(Error::new(SqlState::INVALID_NAME, format!("invalid configuration parameter name \"{name}\""))
        .with_detail("Custom parameter names must be two or more simple identifiers separated by dots."))
}

pub(super) fn set(
    all: &mut BTreeMap<String, Custom>,
    name: &str,
    value: Option<&str>,
    scope: Scope,
    in_block: bool,
) -> Result<()> {
    entry(all, name, value.unwrap_or_default())?.set(value, scope, in_block);
    Ok(())
}

pub(super) fn set_default(all: &mut BTreeMap<String, Custom>, name: &str, value: &str) -> Result<()> {
    let custom = entry(all, name, value)?;
    value.clone_into(&mut custom.reset);
    value.clone_into(&mut custom.session);
    Ok(())
}

/// The setting of that name, new or not, once its value is found to be short enough.
fn entry<'a>(all: &'a mut BTreeMap<String, Custom>, name: &str, value: &str) -> Result<&'a mut Custom> {
    let name = name.to_lowercase();
    let limit = |message: String| Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    if value.len() > LONGEST {
        return limit(format!("value of parameter \"{name}\" has {} bytes, at most {LONGEST} are kept", value.len()));
    }
    if all.len() >= MOST && !all.contains_key(&name) {
        return limit(format!("a session may keep {MOST} parameters of its own"));
    }
    Ok(all.entry(name).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_dot_and_a_free_prefix() {
        assert_eq!(is_name("shop.tenant_1"), Ok(true));
        assert_eq!(is_name("a.b.c"), Ok(true));
        assert_eq!(is_name("timezone"), Ok(false));
        assert_eq!(is_name("Audience.batchsize"), Ok(false));
        assert_eq!(is_name("shop.1a").unwrap_err().sqlstate.0, "42602");
        assert_eq!(is_name("shop.").unwrap_err().sqlstate.0, "42602");
    }

    #[test]
    fn a_session_keeps_so_many_and_no_longer_ones() {
        let mut all = BTreeMap::new();
        let mut put = |name: &str, value: &str| set(&mut all, name, Some(value), Scope::Session, false);
        for n in 0..MOST {
            put(&format!("a.b{n}"), "x").unwrap();
        }
        assert_eq!(put("a.more", "x").unwrap_err().sqlstate.0, "54000");
        assert_eq!(put("a.b1", &"x".repeat(LONGEST + 1)).unwrap_err().sqlstate.0, "54000");
        put("A.B1", "y").unwrap();
        assert_eq!(all["a.b1"].value(), "y");
    }
}

//! SET, RESET, DISCARD.

use super::ast::{DiscardTarget, ResetTarget, SetValue};
use crate::error::{Error, Result, SqlState};
use crate::session::settings::Scope;
use crate::session::{Execution, Session};

/// Runs SET.
pub(super) fn set(session: &mut Session, name: &str, value: &SetValue, local: bool) -> Result<Execution> {
    let value = match value {
        SetValue::Default => None,
        SetValue::Values(values) => Some(values.join(", ")),
    };
    let scope = if local { Scope::Local } else { Scope::Session };
    if local && !session.in_explicit_block() {
        session.warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
    }
    set_one(session, name, value.as_deref(), scope)?;
    Ok(Execution::done("SET"))
}

/// Who the session is changes by rules of its own.
fn set_one(session: &mut Session, name: &str, value: Option<&str>, scope: Scope) -> Result<()> {
    match name.to_ascii_lowercase().as_str() {
        "role" => session.take_role(value, scope),
        "session_authorization" => session.speak_for(value, scope),
        _ => session.settings().set(name, value, scope),
    }
}

/// Runs RESET.
pub(super) fn reset(session: &mut Session, target: &ResetTarget) -> Result<Execution> {
    match target {
        ResetTarget::All => session.settings().reset_all(),
        ResetTarget::Setting(name) => set_one(session, name, None, Scope::Session)?,
    }
    Ok(Execution::done("RESET"))
}

/// Runs DISCARD. A session keeps no plans and no sequences.
pub(super) async fn discard(session: &mut Session, target: DiscardTarget) -> Result<Execution> {
    Ok(Execution::done(match target {
        DiscardTarget::All => {
            if session.in_explicit_block() {
                let message = "DISCARD ALL cannot run inside a transaction block";
                return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            session.speak_for(None, Scope::Session)?;
            session.settings().reset_all();
            session.statements().clear();
            session.cursors().close_all();
            session.discard_temporary().await?;
            "DISCARD ALL"
        }
        DiscardTarget::Plans => "DISCARD PLANS",
        DiscardTarget::Sequences => "DISCARD SEQUENCES",
        DiscardTarget::Temp => {
            session.discard_temporary().await?;
            "DISCARD TEMP"
        }
    }))
}

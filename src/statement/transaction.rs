//! BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION.
//!
//! A block reads one snapshot, taken with its first statement. READ COMMITTED and weaker are accepted and given that
//! snapshot too, which is stronger; SERIALIZABLE is refused by the setting. DEFERRABLE is kept and shown, and that is
//! all it does: it means something to serializable transactions only, in PostgreSQL as well.

use super::ast::{IsolationLevel, TransactionModes};
use super::{Kind, Statement};
use crate::error::{Result, SqlState};
use crate::session::settings::Scope;
use crate::session::{Execution, Session, TransactionStatus};

/// Whether a statement is let through in a failed block.
pub(crate) fn ends_block(kind: &Kind) -> bool {
    matches!(kind, Kind::Commit | Kind::Rollback | Kind::RollbackTo(_))
}

/// Whether a statement is about transactions, and is run here.
pub(crate) fn is_one(kind: &Kind) -> bool {
    matches!(kind, Kind::Begin { .. } | Kind::Savepoint(_) | Kind::Release(_) | Kind::SetTransaction { .. })
        || ends_block(kind)
}

/// Runs a transaction statement; `None` if it is another one.
pub(crate) async fn run(session: &mut Session, statement: &Statement) -> Result<Option<Execution>> {
    let tag = match &statement.kind {
        Kind::Begin { modes } => {
            if session.begin() {
                let message = "there is already a transaction in progress";
                session.warning(SqlState::ACTIVE_SQL_TRANSACTION, message);
            }
            set_modes(session, *modes, Scope::Local)?;
            if statement.text.as_bytes().first().is_some_and(|c| c.eq_ignore_ascii_case(&b's')) {
                "START TRANSACTION"
            } else {
                "BEGIN"
            }
        }
        Kind::Commit if session.transaction() == TransactionStatus::Failed => {
            session.rollback().await;
            "ROLLBACK"
        }
        Kind::Commit => {
            warn_outside(session);
            session.commit().await?;
            "COMMIT"
        }
        Kind::Rollback => {
            warn_outside(session);
            session.rollback().await;
            "ROLLBACK"
        }
        Kind::Savepoint(name) => {
            session.set_savepoint(name).await?;
            "SAVEPOINT"
        }
        Kind::Release(name) => {
            session.release_savepoint(name)?;
            "RELEASE"
        }
        Kind::RollbackTo(name) => {
            session.rollback_to(name)?;
            "ROLLBACK"
        }
        Kind::SetTransaction { session_characteristics: true, modes } => {
            set_modes(session, *modes, Scope::Session)?;
            "SET"
        }
        Kind::SetTransaction { session_characteristics: false, modes } => {
            if !session.in_explicit_block() {
                let message = "SET TRANSACTION can only be used in transaction blocks";
                session.warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, message);
            } else {
                set_modes(session, *modes, Scope::Local)?;
            }
            "SET"
        }
        _ => return Ok(None),
    };
    Ok(Some(Execution::done(tag)))
}

fn warn_outside(session: &mut Session) {
    if !session.in_explicit_block() {
        session.warning(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
    }
}

/// Sets what was named: for one transaction the `transaction_…` settings, for the session the defaults.
fn set_modes(session: &mut Session, modes: TransactionModes, scope: Scope) -> Result<()> {
    let prefix = match scope {
        Scope::Local => "",
        Scope::Session => "default_",
    };
    if let Some(level) = modes.isolation {
        let level = match level {
            IsolationLevel::ReadUncommitted => "read uncommitted",
            IsolationLevel::ReadCommitted => "read committed",
            IsolationLevel::RepeatableRead => "repeatable read",
            IsolationLevel::Serializable => "serializable",
        };
        session.settings().set(&format!("{prefix}transaction_isolation"), Some(level), scope)?;
    }
    if let Some(read_only) = modes.read_only {
        let value = if read_only { "on" } else { "off" };
        session.settings().set(&format!("{prefix}transaction_read_only"), Some(value), scope)?;
    }
    if let Some(deferrable) = modes.deferrable {
        let value = if deferrable { "on" } else { "off" };
        session.settings().set(&format!("{prefix}transaction_deferrable"), Some(value), scope)?;
    }
    Ok(())
}

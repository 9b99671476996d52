//! Who is connected and what they are doing: the sessions of this process, in-process ones included.
//!
//! One entry per session, gone with it; of a statement's text the first [`QUERY_SIZE`] bytes are kept, so that memory
//! is bounded by the number of sessions. `pg_stat_activity` reads it, `pg_cancel_backend` and `pg_terminate_backend`
//! act through it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catalog::objects::role::{READ_ALL_STATS, SIGNAL_BACKEND};
use chrono::{DateTime, Utc};
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, SqlState};
use crate::privileges::Rights;
use crate::session::Canceller;
use crate::session::settings::Values;

/// How much of a statement's text is kept, in bytes: PostgreSQL's `track_activity_query_size`, its final zero apart.
const QUERY_SIZE: usize = 1023;

/// The live sessions by number.
#[derive(Default)]
pub(crate) struct Activity(Mutex<BTreeMap<i32, Arc<Backend>>>);

impl std::fmt::Debug for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Activity").finish_non_exhaustive()
    }
}

/// One session as others see it.
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) started: DateTime<Utc>,
    settings: Arc<RwLock<Values>>,
    canceller: Canceller,
    /// The session's block has failed.
    failed: Arc<AtomicBool>,
    /// The session is over, whoever still holds it.
    terminated: CancellationToken,
    /// Ends the session's connection, which may be waiting for its client.
    hang_up: Mutex<Option<Box<dyn Fn() + Send>>>,
    /// Cancelled when the session is gone.
    gone: CancellationToken,
    doing: Mutex<Doing>,
}

/// What changes from statement to statement.
#[derive(Debug, Clone)]
pub(crate) struct Doing {
    pub(crate) peer: Option<SocketAddr>,
    /// Since when a statement runs, or ran last.
    pub(crate) statement_start: Option<DateTime<Utc>>,
    /// Since when a transaction is open.
    pub(crate) transaction_start: Option<DateTime<Utc>>,
    pub(crate) since: DateTime<Utc>,
    pub(crate) query: String,
    busy: bool,
    in_block: bool,
    /// What it waits for, as `wait_event_type` and `wait_event` say it.
    pub(crate) waits_for: Option<(&'static str, &'static str)>,
}

/// What a session is at, as `pg_stat_activity` words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Idle,
    IdleInTransaction,
    IdleInFailedTransaction,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle in transaction",
            Self::IdleInFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// A session's place among the live ones; dropping it gives the place back.
pub(crate) struct Place {
    backend: Arc<Backend>,
    activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.activity.0.lock().remove(&self.backend.pid);
        self.backend.gone.cancel();
    }
}

impl std::ops::Deref for Place {
    type Target = Arc<Backend>;

    fn deref(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Activity {
    /// Enters a session.
    pub(crate) fn enter(
        self: &Arc<Self>,
        pid: i32,
        user: &str,
        settings: Arc<RwLock<Values>>,
        canceller: Canceller,
        failed: Arc<AtomicBool>,
    ) -> Place {
        let now = Utc::now();
        let backend = Arc::new(Backend {
            pid,
            user: user.to_owned(),
            started: now,
            settings,
            terminated: canceller.terminated().clone(),
            canceller,
            failed,
            hang_up: Mutex::new(None),
            gone: CancellationToken::new(),
            doing: Mutex::new(Doing {
                peer: None,
                statement_start: None,
                transaction_start: None,
                since: now,
                query: String::new(),
                busy: false,
                in_block: false,
                waits_for: None,
            }),
        });
        self.0.lock().insert(pid, Arc::clone(&backend));
        Place { backend, activity: Arc::clone(self) }
    }

    /// All live sessions, by number.
    pub(crate) fn all(&self) -> Vec<Arc<Backend>> {
        self.0.lock().values().map(Arc::clone).collect()
    }

    /// The session of that number.
    pub(crate) fn find(&self, pid: i32) -> Option<Arc<Backend>> {
        self.0.lock().get(&pid).map(Arc::clone)
    }
}

/// Whether who asks may see what the sessions of `owner` are doing: he has that role's rights, or those of
/// `pg_read_all_stats`.
pub(crate) fn may_look_into(rights: &Rights, owner: &str) -> bool {
    let owner = rights.objects().role(owner).is_some_and(|owner| rights.has_rights_of(owner.id));
    owner || rights.has_rights_of(READ_ALL_STATS)
}

/// That who asks may end a statement or session of another: he has its role's rights, or those of `pg_signal_backend`;
/// a superuser's only as a superuser.
///
/// # Errors
/// 42501.
pub(crate) fn check_signal(rights: &Rights, target: &Backend, signal: Signal) -> Result<()> {
    let refused = |message: String| Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    let owner = rights.objects().role(&target.user);
    if owner.is_none_or(|owner| owner.superuser) && !rights.is_superuser() {
        return refused(match signal {
            Signal::Cancel => "must be a superuser to cancel superuser query".to_owned(),
            Signal::Terminate => "must be a superuser to terminate superuser process".to_owned(),
        });
    }
    if owner.is_some_and(|owner| rights.has_rights_of(owner.id)) || rights.has_rights_of(SIGNAL_BACKEND) {
        return Ok(());
    }
    let what = match signal {
        Signal::Cancel => "query is being canceled",
        Signal::Terminate => "process is being terminated",
    };
    refused(format!("must be a member of the role whose {what} or member of pg_signal_backend"))
}

/// What is done to another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// `pg_cancel_backend`.
    Cancel,
    /// `pg_terminate_backend`.
    Terminate,
}

impl Backend {
    /// Notes where the session's client is, and how its connection is ended.
    pub(crate) fn connected(&self, peer: SocketAddr, hang_up: impl Fn() + Send + 'static) {
        self.doing.lock().peer = Some(peer);
        *self.hang_up.lock() = Some(Box::new(hang_up));
    }

    /// A statement begins.
    pub(crate) fn begin(&self, query: &str) {
        let now = Utc::now();
        let mut end = query.len().min(QUERY_SIZE);
        while !query.is_char_boundary(end) {
            end -= 1;
        }
        let mut doing = self.doing.lock();
        if !doing.busy {
            doing.since = now;
        }
        doing.busy = true;
        doing.statement_start = Some(now);
        if !doing.in_block {
            doing.transaction_start = Some(now);
        }
        doing.query.clear();
        doing.query.push_str(&query[..end]);
    }

    /// No statement runs any more.
    pub(crate) fn rest(&self) {
        let mut doing = self.doing.lock();
        if doing.busy {
            doing.since = Utc::now();
        }
        doing.busy = false;
        doing.waits_for = None;
        if !doing.in_block {
            doing.transaction_start = None;
        }
    }

    /// A suspended statement goes on.
    pub(crate) fn resume(&self) {
        let mut doing = self.doing.lock();
        if !doing.busy {
            doing.since = Utc::now();
        }
        doing.busy = true;
    }

    /// A transaction block begins or has ended.
    pub(crate) fn set_block(&self, open: bool) {
        let mut doing = self.doing.lock();
        if open && !doing.in_block && doing.transaction_start.is_none() {
            doing.transaction_start = Some(Utc::now());
        }
        doing.in_block = open;
    }

    /// The statement waits for another session's lock, or no longer.
    pub(crate) fn wait_for_lock(&self, waits: bool) {
        self.doing.lock().waits_for = waits.then_some(("Lock", "relation"));
    }

    /// The statement waits in the queue of heavy ones, or no longer.
    pub(super) fn wait_for_admission(&self, waits: bool) {
        self.doing.lock().waits_for = waits.then_some(("Extension", "Admission"));
    }

    /// What it does now.
    pub(crate) fn doing(&self) -> (State, Doing) {
        let doing = self.doing.lock().clone();
        let state = match (doing.busy, doing.in_block) {
            (true, _) => State::Active,
            (false, false) => State::Idle,
            (false, true) if self.failed.load(Ordering::Acquire) => State::IdleInFailedTransaction,
            (false, true) => State::IdleInTransaction,
        };
        (state, doing)
    }

    /// The name that the client gave its program.
    pub(crate) fn application_name(&self) -> String {
        self.settings.read().get("application_name").unwrap_or_default()
    }

    /// Ends the statement that runs now with 57014.
    pub(crate) fn cancel(&self) {
        self.canceller.cancel();
    }

    /// Ends the session with 57P01.
    pub(crate) fn terminate(&self) {
        self.terminated.cancel();
        if let Some(hang_up) = self.hang_up.lock().as_ref() {
            hang_up();
        }
    }

    /// Cancelled when the session is gone.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }
}

#[cfg(test)]
mod tests {
    use catalog::objects::role::POSTGRES;
    use catalog::objects::{Change, Membership, Objects, RoleDef};

    use super::*;
    use crate::session::settings::Settings;

    fn entered(activity: &Arc<Activity>) -> (Place, Arc<AtomicBool>) {
        let failed = Arc::new(AtomicBool::new(false));
        let settings = Settings::new("ana", false).shared();
        (activity.enter(7, "ana", settings, Canceller::default(), Arc::clone(&failed)), failed)
    }

    #[test]
    fn a_session_is_listed_as_long_as_it_lives() {
        let activity = Arc::new(Activity::default());
        let (place, failed) = entered(&activity);
        let backend = activity.find(7).unwrap();
        assert_eq!(backend.doing().0, State::Idle);
        backend.begin("SELECT 1");
        assert_eq!((backend.doing().0, backend.doing().1.query.as_str()), (State::Active, "SELECT 1"));
        assert!(backend.doing().1.transaction_start.is_some());
        backend.set_block(true);
        backend.rest();
        assert_eq!(backend.doing().0, State::IdleInTransaction);
        failed.store(true, Ordering::Release);
        assert_eq!(backend.doing().0.name(), "idle in transaction (aborted)");
        backend.set_block(false);
        backend.rest();
        assert!(backend.doing().0 == State::Idle && backend.doing().1.transaction_start.is_none());
        assert!(!backend.gone().is_cancelled());
        drop(place);
        assert!(activity.find(7).is_none() && activity.all().is_empty() && backend.gone().is_cancelled());
    }

    #[test]
    fn long_statements_are_cut_between_characters() {
        let activity = Arc::new(Activity::default());
        let (place, _) = entered(&activity);
        place.begin(&"é".repeat(1000));
        assert_eq!(place.doing().1.query.len(), 1022);
    }

    #[test]
    fn strangers_are_neither_seen_nor_signalled() {
        let activity = Arc::new(Activity::default());
        let (place, _) = entered(&activity);
        let objects = Objects::default()
            .apply(&[
                Change::PutRole(RoleDef::new(16384, "ana")),
                Change::PutRole(RoleDef::new(16385, "bob")),
                Change::PutRole(RoleDef {
                    member_of: vec![Membership { role: SIGNAL_BACKEND, grantor: POSTGRES, admin: false }],
                    ..RoleDef::new(16386, "watch")
                }),
            ])
            .unwrap();
        let rights = |role| Rights::new(Arc::new(objects.clone()), role);
        for role in [POSTGRES, 16384, 16386] {
            assert!(check_signal(&rights(role), &place, Signal::Cancel).is_ok(), "{role}");
        }
        assert_eq!(check_signal(&rights(16385), &place, Signal::Cancel).unwrap_err().sqlstate.0, "42501");
        assert!(may_look_into(&rights(POSTGRES), "ana") && may_look_into(&rights(16384), "ana"));
        assert!(!may_look_into(&rights(16385), "ana") && !may_look_into(&rights(16386), "ana"));
    }
}

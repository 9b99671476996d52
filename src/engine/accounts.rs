//! Who may open a session: what a server has to know of the roles before it lets somebody in under a name.

use std::sync::Arc;

use catalog::Snapshot;
use catalog::objects::{RoleDef, Validity};
use chrono::Utc;

use super::Engine;
use crate::error::Result;

/// The roles at one moment, as the door sees them.
pub(crate) struct Accounts {
    snapshot: Arc<Snapshot>,
}

impl Engine {
    /// The roles as they are now.
    pub(crate) async fn accounts(&self) -> Result<Accounts> {
        Ok(Accounts { snapshot: self.warehouse.snapshot().await? })
    }

    /// Whether any role has a password. Until one has, the superuser `postgres` is trusted, and only on loopback.
    pub async fn has_passwords(&self) -> Result<bool> {
        Ok(self.accounts().await?.has_passwords())
    }
}

impl Accounts {
    /// The role of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<RoleDef>> {
        self.snapshot.objects.role(name)
    }

    pub(crate) fn has_passwords(&self) -> bool {
        self.snapshot.objects.roles().any(|role| role.password.is_some())
    }

    /// A secret that stays the same across restarts: the oldest verifier there is. Made-up salts are derived from it.
    pub(crate) fn secret(&self) -> &[u8] {
        self.snapshot.objects.roles().find_map(|role| role.password.as_deref()).unwrap_or("").as_bytes()
    }
}

/// Whether a role's password is no longer taken.
pub(crate) fn has_expired(role: &RoleDef) -> bool {
    matches!(role.valid_until, Some(Validity::Until(end)) if end <= Utc::now())
}

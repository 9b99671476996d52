//! The places that clients take: so many in all, some of them kept for superusers, so many for each role.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result, SqlState};

/// The places of a server.
#[derive(Clone)]
pub(super) struct Slots(Arc<Places>);

struct Places {
    most: usize,
    /// Of these, how many only superusers get.
    reserved: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_role: HashMap<String, usize>,
}

/// A client's place; dropping it gives it back.
pub(super) struct Slot {
    slots: Slots,
    role: String,
}

impl Slots {
    pub(super) fn new(most: usize, reserved: usize) -> Self {
        Self(Arc::new(Places { most, reserved, taken: Mutex::default() }))
    }

    /// Takes a place for a session of `role`, which may have `limit` of them.
    ///
    /// # Errors
    /// 53300 when there is none left for this role.
    pub(super) fn take(&self, role: &str, superuser: bool, limit: Option<usize>) -> Result<Slot> {
        let mut taken = self.0.taken.lock();
        let refused = |message: String| Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, message));
        if taken.all >= self.0.most {
            return refused("sorry, too many clients already".to_owned());
        }
        if !superuser && taken.all + self.0.reserved >= self.0.most {
            return refused("remaining connection slots are reserved for superuser connections".to_owned());
        }
        let of_role = taken.by_role.get(role).copied().unwrap_or(0);
        if !superuser && limit.is_some_and(|limit| of_role >= limit) {
            return refused(format!("too many connections for role \"{role}\""));
        }
        taken.all += 1;
        *taken.by_role.entry(role.to_owned()).or_default() += 1;
        Ok(Slot { slots: self.clone(), role: role.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.0.taken.lock();
        taken.all -= 1;
        if let Some(of_role) = taken.by_role.get_mut(&self.role) {
            *of_role -= 1;
            if *of_role == 0 {
                taken.by_role.remove(&self.role);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(outcome: Result<Slot>) -> String {
        outcome.err().map_or_else(String::new, |error| format!("{}: {error}", error.sqlstate))
    }

    #[test]
    fn places_are_counted_kept_and_given_back() {
        let slots = Slots::new(3, 1);
        let first = slots.take("ana", false, Some(1)).unwrap();
        assert_eq!(why(slots.take("ana", false, Some(1))), "53300: too many connections for role \"ana\"");
        let _second = slots.take("bob", false, None).unwrap();
        assert!(why(slots.take("bob", false, None)).contains("reserved"));
        let _third = slots.take("postgres", true, Some(0)).unwrap();
        assert_eq!(why(slots.take("postgres", true, None)), "53300: sorry, too many clients already");
        drop(first);
        assert!(why(slots.take("ana", false, None)).contains("reserved"));
        assert!(slots.take("postgres", true, None).is_ok());
        assert_eq!(slots.0.taken.lock().by_role.len(), 2);
    }
}

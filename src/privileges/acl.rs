//! Access control lists: what they let a role do, and what GRANT and REVOKE make of them.

use std::collections::BTreeSet;

use catalog::objects::access::{DATABASE, PUBLIC};
use catalog::objects::role::{READ_ALL_DATA, WRITE_ALL_DATA};
use catalog::objects::{AccessDef, AclItem, Definition, ObjectId, Objects, Privileges};

use super::membership::{has_rights_of, is_superuser, rights_of};
use crate::error::{Error, Result, SqlState};

/// What a role holds of an object.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    /// What it may do.
    pub(crate) privileges: Privileges,
    /// What of it it may grant.
    pub(crate) grantable: Privileges,
}

impl Held {
    fn add(self, privileges: Privileges, grantable: Privileges) -> Self {
        Self { privileges: self.privileges.union(privileges), grantable: self.grantable.union(grantable) }
    }
}

/// All privileges that there are for the object with that id.
pub(crate) fn kinds(objects: &Objects, id: ObjectId) -> Privileges {
    match objects.definition(id) {
        Some(Definition::Schema(_)) => Privileges::OF_SCHEMA,
        _ if id == DATABASE => Privileges::OF_DATABASE,
        _ => Privileges::OF_TABLE,
    }
}

/// The list of an object that has none: everything for its owner, and of a database what everyone may.
pub(crate) fn default_acl(objects: &Objects, access: &AccessDef) -> Vec<AclItem> {
    let mut items = Vec::new();
    let item =
        |grantee, privileges| AclItem { grantee, grantor: access.owner, privileges, grantable: Privileges::NONE };
    if access.id == DATABASE {
        items.push(item(PUBLIC, Privileges::TEMPORARY.union(Privileges::CONNECT)));
    }
    items.push(item(access.owner, kinds(objects, access.id)));
    items
}

/// The list of an object, its default if it has none.
pub(crate) fn effective(objects: &Objects, access: &AccessDef) -> Vec<AclItem> {
    access.acl.clone().unwrap_or_else(|| default_acl(objects, access))
}

/// What `role` may do with the object as a whole.
pub(crate) fn held(objects: &Objects, role: ObjectId, id: ObjectId) -> Held {
    let all = kinds(objects, id);
    if is_superuser(objects, role) {
        return Held { privileges: all, grantable: all };
    }
    let access = objects.access(id);
    let rights = rights_of(objects, role);
    let held = listed(&rights, &effective(objects, &access), access.owner, all);
    let mut predefined = Privileges::NONE;
    let (reads, writes) = (rights.contains(&READ_ALL_DATA), rights.contains(&WRITE_ALL_DATA));
    if all == Privileges::OF_TABLE {
        if reads {
            predefined = predefined.union(Privileges::SELECT);
        }
        if writes {
            let written = Privileges::INSERT.union(Privileges::UPDATE).union(Privileges::DELETE);
            predefined = predefined.union(written);
        }
    }
    if all == Privileges::OF_SCHEMA && (reads || writes) {
        predefined = predefined.union(Privileges::USAGE);
    }
    held.add(predefined, Privileges::NONE)
}

/// What `role` may do with a column by what was granted for that column alone.
pub(crate) fn held_on_column(objects: &Objects, role: ObjectId, id: ObjectId, column: &str) -> Held {
    let all = Privileges::OF_COLUMN;
    if is_superuser(objects, role) {
        return Held { privileges: all, grantable: all };
    }
    let access = objects.access(id);
    let items = access.columns.get(column).map(Vec::as_slice).unwrap_or_default();
    listed(&rights_of(objects, role), items, access.owner, all)
}

fn listed(rights: &BTreeSet<ObjectId>, items: &[AclItem], owner: ObjectId, all: Privileges) -> Held {
    let mut held = Held::default();
    for item in items.iter().filter(|item| item.grantee == PUBLIC || rights.contains(&item.grantee)) {
        held = held.add(item.privileges, item.grantable);
    }
    // Who owns it may grant whatever he took from himself.
    if rights.contains(&owner) {
        held = held.add(Privileges::NONE, all);
    }
    held
}

/// The role in whose name `role` grants or revokes `wanted` (the owner, if it has his rights), and which of it that one
/// may grant. `column`: of that column alone.
pub(crate) fn best_grantor(
    objects: &Objects,
    role: ObjectId,
    access: &AccessDef,
    column: Option<&str>,
    wanted: Privileges,
) -> (ObjectId, Privileges) {
    if has_rights_of(objects, role, access.owner) {
        return (access.owner, wanted);
    }
    let table = effective(objects, access);
    let own: &[AclItem] = column.and_then(|c| access.columns.get(c)).map(Vec::as_slice).unwrap_or_default();
    let mut best = (role, Privileges::NONE);
    let mut most = 0;
    let rights = rights_of(objects, role);
    for candidate in std::iter::once(role).chain(rights.into_iter().filter(|r| *r != role)) {
        let mut grantable = Privileges::NONE;
        for item in table.iter().chain(own).filter(|item| item.grantee == candidate) {
            grantable = grantable.union(item.grantable);
        }
        let grantable = grantable.intersection(wanted);
        if grantable == wanted {
            return (candidate, wanted);
        }
        let count = grantable.each().count();
        if count > most {
            (best, most) = ((candidate, grantable), count);
        }
    }
    best
}

/// What is granted or revoked, to or from whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alteration<'a> {
    pub(crate) grantees: &'a [ObjectId],
    pub(crate) privileges: Privileges,
    /// GRANT … WITH GRANT OPTION, REVOKE GRANT OPTION FOR.
    pub(crate) grant_option: bool,
    pub(crate) grantor: ObjectId,
    pub(crate) owner: ObjectId,
}

/// The list after GRANT.
///
/// # Errors
/// 0LP01 for a grant option to everyone, or back to one's own grantor.
pub(crate) fn grant(items: &[AclItem], given: Alteration<'_>) -> Result<Vec<AclItem>> {
    let mut items = items.to_vec();
    for &grantee in given.grantees {
        let grantable = if given.grant_option { given.privileges } else { Privileges::NONE };
        if given.grant_option && grantee == PUBLIC {
            let message = "grant options can only be granted to roles";
            return Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
        }
        if given.grant_option && grantee != given.owner {
            check_circle(&items, grantee, &given)?;
        }
        match items.iter_mut().find(|i| i.grantee == grantee && i.grantor == given.grantor) {
            Some(item) => {
                item.privileges = item.privileges.union(given.privileges);
                item.grantable = item.grantable.union(grantable);
            }
            None => {
                let (grantor, privileges) = (given.grantor, given.privileges);
                items.push(AclItem { grantee, grantor, privileges, grantable });
            }
        }
    }
    items.retain(|item| !item.privileges.is_empty());
    Ok(items)
}

/// A grantor must not come to hold his options from one who holds them from him.
fn check_circle(items: &[AclItem], grantee: ObjectId, given: &Alteration<'_>) -> Result<()> {
    if given.grantor == given.owner {
        return Ok(());
    }
    let mut left = items.to_vec();
    // Without everything that hangs on the grantee, the grantor must still hold what he grants.
    strip(&mut left, grantee, given.privileges, given.owner);
    let holds = left
        .iter()
        .filter(|i| i.grantee == given.grantor)
        .fold(Privileges::NONE, |all, item| all.union(item.grantable));
    if holds.contains(given.privileges) {
        return Ok(());
    }
    let message = "grant options cannot be granted back to your own grantor";
    Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message))
}

/// Takes the grant options of `role`, and what was granted by them.
fn strip(items: &mut Vec<AclItem>, role: ObjectId, privileges: Privileges, owner: ObjectId) {
    if role == owner {
        return;
    }
    for item in items.iter_mut().filter(|item| item.grantee == role) {
        item.grantable = item.grantable.without(privileges);
    }
    cascade(items, role, privileges, owner);
}

/// Takes what `role` granted without holding the option any more; whether there was anything.
fn cascade(items: &mut Vec<AclItem>, role: ObjectId, privileges: Privileges, owner: ObjectId) -> bool {
    if role == owner {
        return false;
    }
    let still = items.iter().filter(|i| i.grantee == role).fold(Privileges::NONE, |all, i| all.union(i.grantable));
    let lost = privileges.without(still);
    let mut any = false;
    while let Some(at) = items.iter().position(|i| i.grantor == role && !i.privileges.intersection(lost).is_empty()) {
        any = true;
        let grantee = items[at].grantee;
        items[at].privileges = items[at].privileges.without(lost);
        items[at].grantable = items[at].grantable.without(lost);
        if items[at].privileges.is_empty() {
            items.remove(at);
        }
        cascade(items, grantee, lost, owner);
    }
    any
}

/// The list after REVOKE.
///
/// # Errors
/// 2BP01 if others hold something by what is revoked, unless `cascades`.
pub(crate) fn revoke(items: &[AclItem], taken: Alteration<'_>, cascades: bool) -> Result<Vec<AclItem>> {
    let mut items = items.to_vec();
    for &grantee in taken.grantees {
        for item in items.iter_mut().filter(|i| i.grantee == grantee && i.grantor == taken.grantor) {
            item.grantable = item.grantable.without(taken.privileges);
            if !taken.grant_option {
                item.privileges = item.privileges.without(taken.privileges);
            }
        }
        items.retain(|item| !item.privileges.is_empty());
        let mut rest = items.clone();
        if cascade(&mut rest, grantee, taken.privileges, taken.owner) && !cascades {
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, "dependent privileges exist")
                .with_hint("Use CASCADE to revoke them too."));
        }
        items = rest;
    }
    Ok(items)
}

/// The list of an object that has got another owner: what the old one held and granted is the new one's.
pub(crate) fn with_owner(items: &[AclItem], old: ObjectId, new: ObjectId) -> Vec<AclItem> {
    let swap = |role| if role == old { new } else { role };
    let mut changed: Vec<AclItem> = Vec::new();
    for item in items {
        let item = AclItem { grantee: swap(item.grantee), grantor: swap(item.grantor), ..*item };
        match changed.iter_mut().find(|i| i.grantee == item.grantee && i.grantor == item.grantor) {
            Some(same) => {
                same.privileges = same.privileges.union(item.privileges);
                same.grantable = same.grantable.union(item.grantable);
            }
            None => changed.push(item),
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: ObjectId = 10;

    fn given(grantor: ObjectId, grantees: &[ObjectId], grant_option: bool) -> Alteration<'_> {
        Alteration { grantees, privileges: Privileges::SELECT, grant_option, grantor, owner: OWNER }
    }

    #[test]
    fn a_grant_option_hangs_on_who_gave_it() {
        let items = grant(&[], given(OWNER, &[1], true)).unwrap();
        let items = grant(&items, given(1, &[2], true)).unwrap();
        let items = grant(&items, given(2, &[3], false)).unwrap();
        assert_eq!(items.len(), 3);
        let error = grant(&items, given(2, &[1], true)).unwrap_err();
        assert_eq!(error.sqlstate.0, "0LP01");
        let error = revoke(&items, given(OWNER, &[1], true), false).unwrap_err();
        assert_eq!(error.sqlstate.0, "2BP01");
        let left = revoke(&items, given(OWNER, &[1], true), true).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].grantee, left[0].privileges, left[0].grantable), (1, Privileges::SELECT, Privileges::NONE));
        assert!(revoke(&items, given(OWNER, &[1], false), true).unwrap().is_empty());
        assert_eq!(grant(&[], given(OWNER, &[PUBLIC], true)).unwrap_err().sqlstate.0, "0LP01");
    }

    #[test]
    fn what_is_held_from_two_stays_when_one_takes_it_back() {
        let items = grant(&[], given(OWNER, &[1, 2], true)).unwrap();
        let items = grant(&items, given(2, &[1], true)).unwrap();
        let items = grant(&items, given(1, &[3], false)).unwrap();
        let left = revoke(&items, given(OWNER, &[1], false), false).unwrap();
        assert!(left.iter().any(|i| i.grantee == 3) && left.iter().any(|i| i.grantee == 1 && i.grantor == 2));
    }

    #[test]
    fn a_new_owner_takes_the_old_ones_place() {
        let items = grant(&[], given(OWNER, &[OWNER, 7], true)).unwrap();
        let changed = with_owner(&items, OWNER, 7);
        assert_eq!(changed.len(), 1);
        assert_eq!((changed[0].grantee, changed[0].grantor), (7, 7));
    }
}

//! Whose rights a role has. Membership goes through other roles; rights go only as far as roles inherit.

use std::collections::BTreeSet;

use catalog::objects::access::DATABASE;
use catalog::objects::role::DATABASE_OWNER;
use catalog::objects::{ObjectId, Objects};

/// The role itself and all roles whose rights it has without `SET ROLE`. Superusers have more than that.
pub(crate) fn rights_of(objects: &Objects, role: ObjectId) -> BTreeSet<ObjectId> {
    closure(objects, role, true)
}

/// Whether `role` has the rights of `other`.
pub(crate) fn has_rights_of(objects: &Objects, role: ObjectId, other: ObjectId) -> bool {
    role == other || is_superuser(objects, role) || rights_of(objects, role).contains(&other)
}

/// Whether `role` is `other` or, directly or not, a member of it: then it may `SET ROLE` to it.
pub(crate) fn is_member_of(objects: &Objects, role: ObjectId, other: ObjectId) -> bool {
    is_superuser(objects, role) || is_member_without_superuser(objects, role, other)
}

/// [`is_member_of`] as it is written, without what superusers are let do.
pub(crate) fn is_member_without_superuser(objects: &Objects, role: ObjectId, other: ObjectId) -> bool {
    role == other || closure(objects, role, false).contains(&other)
}

/// Whether `role` may make others members of `other`: it, or a role it is a member of, was given the admin option.
pub(crate) fn is_admin_of(objects: &Objects, role: ObjectId, other: ObjectId) -> bool {
    if is_superuser(objects, role) {
        return true;
    }
    role != other
        && closure(objects, role, false)
            .into_iter()
            .filter_map(|id| objects.role_by_id(id))
            .any(|member| member.member_of.iter().any(|m| m.role == other && m.admin))
}

/// Whether every check passes for it.
pub(super) fn is_superuser(objects: &Objects, role: ObjectId) -> bool {
    objects.role_by_id(role).is_some_and(|role| role.superuser)
}

/// A role and what it is a member of, as far as roles inherit if `inherited`.
fn closure(objects: &Objects, role: ObjectId, inherited: bool) -> BTreeSet<ObjectId> {
    let mut found = BTreeSet::from([role]);
    let mut next = vec![role];
    while let Some(id) = next.pop() {
        let Some(member) = objects.role_by_id(id) else { continue };
        if inherited && !member.inherit {
            continue;
        }
        let implicit = (objects.owner(DATABASE) == id).then_some(DATABASE_OWNER);
        for role in member.member_of.iter().map(|m| m.role).chain(implicit) {
            if found.insert(role) {
                next.push(role);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use catalog::objects::role::POSTGRES;
    use catalog::objects::{Change, Membership, RoleDef};

    use super::*;

    /// a in b in c; b doesn't inherit; c was given to b with the admin option.
    fn chain() -> Objects {
        let of = |role, admin| vec![Membership { role, grantor: POSTGRES, admin }];
        Objects::default()
            .apply(&[
                Change::PutRole(RoleDef::new(16386, "c")),
                Change::PutRole(RoleDef { member_of: of(16386, true), inherit: false, ..RoleDef::new(16385, "b") }),
                Change::PutRole(RoleDef { member_of: of(16385, false), ..RoleDef::new(16384, "a") }),
            ])
            .unwrap()
    }

    #[test]
    fn rights_stop_where_a_role_does_not_inherit_and_membership_does_not() {
        let objects = chain();
        assert!(has_rights_of(&objects, 16384, 16385) && !has_rights_of(&objects, 16384, 16386));
        assert!(is_member_of(&objects, 16384, 16386) && !is_member_of(&objects, 16386, 16384));
        assert!(is_member_of(&objects, POSTGRES, 16386));
        assert!(!is_member_without_superuser(&objects, POSTGRES, 16386));
    }

    #[test]
    fn the_admin_option_reaches_through_membership_but_not_to_oneself() {
        let objects = chain();
        assert!(is_admin_of(&objects, 16384, 16386) && is_admin_of(&objects, 16385, 16386));
        assert!(!is_admin_of(&objects, 16384, 16385) && !is_admin_of(&objects, 16386, 16386));
    }

    #[test]
    fn the_owner_of_the_database_is_a_member_that_is_written_nowhere() {
        assert!(is_member_without_superuser(&chain(), POSTGRES, DATABASE_OWNER));
        assert!(!is_member_of(&chain(), 16384, DATABASE_OWNER));
    }
}

//! What `has_table_privilege` and its kin answer: lists of privileges in words, asked of one role.

use catalog::objects::{ObjectId, Objects, Privileges};

use super::acl::{Held, held, held_on_column};
use super::membership::{has_rights_of, is_admin_of, is_member_of};
use crate::error::{Error, Result, SqlState};

/// Behind a privilege: whether it may be granted to others, too.
const WITH_GRANT_OPTION: &str = " WITH GRANT OPTION";

/// One word of a list: a privilege, and whether it is asked for with its grant option.
type Asked = (Privileges, bool);

/// The privileges of a list such as `SELECT, INSERT WITH GRANT OPTION`, each one of `kinds`.
///
/// # Errors
/// 22023 for what is no privilege of such objects.
fn asked(list: &str, kinds: Privileges) -> Result<Vec<Asked>> {
    list.split(',').map(|word| one(word.trim(), kinds)).collect()
}

fn one(word: &str, kinds: Privileges) -> Result<Asked> {
    let upper = word.to_ascii_uppercase();
    let (name, option) = match upper.strip_suffix(WITH_GRANT_OPTION) {
        Some(name) => (name, true),
        None => (upper.as_str(), false),
    };
    let name = if name == "TEMP" { "TEMPORARY" } else { name };
    let found = kinds.each().find(|privilege| privilege.word() == name);
    found.map(|privilege| (privilege, option)).ok_or_else(|| unrecognized(word))
}

fn unrecognized(word: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized privilege type: \"{word}\""))
}

/// Whether one of those asked for is held.
fn any(asked: &[Asked], held: Held) -> bool {
    asked.iter().any(
        |(privilege, option)| {
            if *option { held.grantable.contains(*privilege) } else { held.privileges.contains(*privilege) }
        },
    )
}

/// Whether a role has one of the privileges of `list` on a table, view, schema or the database.
///
/// # Errors
/// 22023 for what is no privilege of `kinds`.
pub(crate) fn on_object(
    objects: &Objects,
    role: ObjectId,
    id: ObjectId,
    list: &str,
    kinds: Privileges,
) -> Result<bool> {
    Ok(any(&asked(list, kinds)?, held(objects, role, id)))
}

/// Whether a role has one of the privileges on a column, by itself or with its whole relation.
///
/// # Errors
/// As for [`on_object`].
pub(crate) fn on_column(objects: &Objects, role: ObjectId, id: ObjectId, column: &str, list: &str) -> Result<bool> {
    let asked = asked(list, Privileges::OF_COLUMN)?;
    Ok(any(&asked, held(objects, role, id)) || any(&asked, held_on_column(objects, role, id, column)))
}

/// Whether a role has one of the privileges on any column.
///
/// # Errors
/// As for [`on_object`].
pub(crate) fn on_any_column(objects: &Objects, role: ObjectId, id: ObjectId, list: &str) -> Result<bool> {
    let asked = asked(list, Privileges::OF_COLUMN)?;
    let access = objects.access(id);
    let mut columns = access.columns.keys();
    Ok(any(&asked, held(objects, role, id))
        || columns.any(|column| any(&asked, held_on_column(objects, role, id, column))))
}

/// Whether a list holds only privileges of `kinds`, for objects of which everyone may do everything.
///
/// # Errors
/// As for [`on_object`].
pub(crate) fn on_public(list: &str, kinds: Privileges) -> Result<bool> {
    Ok(asked(list, kinds)?.iter().any(|(_, option)| !option))
}

/// `pg_has_role`: USAGE is having the other's rights, MEMBER is being allowed to take the role; with the ADMIN (or GRANT)
/// OPTION, to make others members.
///
/// # Errors
/// 22023 for another word.
pub(crate) fn on_role(objects: &Objects, role: ObjectId, other: ObjectId, list: &str) -> Result<bool> {
    let mut any = false;
    for word in list.split(',') {
        any |= match word.trim().to_ascii_uppercase().as_str() {
            "USAGE" => has_rights_of(objects, role, other),
            "MEMBER" => is_member_of(objects, role, other),
            "USAGE WITH GRANT OPTION"
            | "USAGE WITH ADMIN OPTION"
            | "MEMBER WITH GRANT OPTION"
            | "MEMBER WITH ADMIN OPTION" => is_admin_of(objects, role, other),
            _ => return Err(unrecognized(word.trim())),
        };
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_postgresql_reads_them() {
        let all = Privileges::OF_TABLE;
        assert_eq!(asked("select", all).unwrap(), [(Privileges::SELECT, false)]);
        let both = [(Privileges::INSERT, true), (Privileges::DELETE, false)];
        assert_eq!(asked(" Insert with GRANT option , DELETE", all).unwrap(), both);
        assert_eq!(asked("temp", Privileges::OF_DATABASE).unwrap(), [(Privileges::TEMPORARY, false)]);
        for wrong in ["", "READ", "USAGE", "SELECT,", "SELECT  WITH GRANT OPTION"] {
            assert_eq!(asked(wrong, all).unwrap_err().sqlstate.0, "22023", "{wrong}");
        }
    }
}

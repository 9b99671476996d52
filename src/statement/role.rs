//! CREATE, ALTER and DROP of roles, membership, and what roles own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::objects::access::DATABASE;
use catalog::objects::role::{DATABASE_OWNER, POSTGRES, is_built_in};
use catalog::objects::{AccessDef, Change, Definition, Membership, ObjectId, Objects, Relation, RoleDef, Validity};
use chrono::DateTime;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::scalar::ScalarValue;

use super::access_ast::{RoleOption, RoleSpec, RoleStatement, Secret};
use super::drop::{Target, describe, drop_targets};
use crate::error::{Error, Result, SqlState};
use crate::privileges::{Rights, acl, is_admin_of, is_member_without_superuser, password};
use crate::session::{Execution, Session};
use crate::values::decode::decode;
use crate::values::encode::Zone;
use crate::values::pg_type::oid;

/// The command tag.
pub(super) fn tag(statement: &RoleStatement) -> &'static str {
    match statement {
        RoleStatement::Create { .. } => "CREATE ROLE",
        RoleStatement::Alter { .. } | RoleStatement::Rename { .. } => "ALTER ROLE",
        RoleStatement::Drop { .. } => "DROP ROLE",
        RoleStatement::Membership { tag, .. } => tag,
        RoleStatement::Comment { .. } => "COMMENT",
        RoleStatement::ReassignOwned { .. } => "REASSIGN OWNED",
        RoleStatement::DropOwned { .. } => "DROP OWNED",
    }
}

/// Runs a statement about roles.
pub(super) fn run(session: &mut Session, statement: &RoleStatement) -> Result<Execution> {
    match statement {
        RoleStatement::Create { name, options } => create(session, name, options)?,
        RoleStatement::Alter { role, options } => alter(session, role, options)?,
        RoleStatement::Rename { name, to } => rename(session, name, to)?,
        RoleStatement::Drop { roles, if_exists } => drop(session, roles, *if_exists)?,
        RoleStatement::Membership { roles, members, grant, admin, granted_by, .. } => {
            for role in roles {
                let role = find(session, role)?;
                let members = members.iter().map(|member| find(session, member)).collect::<Result<Vec<_>>>()?;
                if *grant {
                    add_members(session, &role, &members, *admin, granted_by.as_ref())?;
                } else {
                    remove_members(session, &role, &members, *admin)?;
                }
            }
        }
        RoleStatement::Comment { name, comment } => {
            let role = named(session, name)?;
            let rights = session.rights()?;
            if role.superuser && !rights.is_superuser() {
                return Err(refused("must be superuser to comment on superuser"));
            }
            if !may_create_roles(&rights) {
                return Err(refused("must have CREATEROLE privilege"));
            }
            put(session, RoleDef { comment: comment.clone(), ..(*role).clone() })?;
        }
        RoleStatement::ReassignOwned { from, to } => reassign(session, from, to)?,
        RoleStatement::DropOwned { roles, cascade } => drop_owned(session, roles, *cascade)?,
    }
    Ok(Execution::done(tag(statement)))
}

/// The role that a statement means; not everyone.
///
/// # Errors
/// 42704 if there is none.
pub(super) fn find(session: &mut Session, spec: &RoleSpec) -> Result<Arc<RoleDef>> {
    let missing = || Error::new(SqlState::UNDEFINED_OBJECT, "the session's role does not exist any more");
    match spec {
        RoleSpec::Name(name) => named(session, name),
        RoleSpec::CurrentUser => session.rights()?.definition().cloned().ok_or_else(missing),
        RoleSpec::SessionUser => {
            let id = session.session_user()?;
            session.work()?.objects().role_by_id(id).cloned().ok_or_else(missing)
        }
        RoleSpec::Public => named(session, "public"),
    }
}

fn named(session: &mut Session, name: &str) -> Result<Arc<RoleDef>> {
    let role = session.work()?.objects().role(name).cloned();
    role.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
}

/// That who asks could take the role, so that he may give things to it.
pub(super) fn check_member(rights: &Rights, role: &RoleDef) -> Result<()> {
    if rights.is_member_of(role.id) {
        return Ok(());
    }
    Err(refused(format!("must be member of role \"{}\"", role.name)))
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

fn may_create_roles(rights: &Rights) -> bool {
    rights.is_superuser() || rights.definition().is_some_and(|role| role.create_role)
}

fn put(session: &mut Session, role: RoleDef) -> Result<()> {
    Ok(session.work()?.change(Change::PutRole(role))?)
}

fn reserved(name: &str, detail: &str) -> Error {
    Error::new(SqlState::RESERVED_NAME, format!("role name \"{name}\" is reserved")).with_detail(detail)
}

fn check_new_name(session: &mut Session, name: &str) -> Result<()> {
    if name.starts_with("pg_") {
        return Err(reserved(name, "Role names starting with \"pg_\" are reserved."));
    }
    if session.work()?.objects().role(name).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("role \"{name}\" already exists")));
    }
    Ok(())
}

fn create(session: &mut Session, name: &str, options: &[RoleOption]) -> Result<()> {
    let rights = session.rights()?;
    let asks = |option: &RoleOption| options.contains(option);
    if !rights.is_superuser() {
        for (option, what) in [
            (RoleOption::Superuser(true), "superusers"),
            (RoleOption::Replication(true), "replication users"),
            (RoleOption::BypassRls(true), "bypassrls users"),
        ] {
            if asks(&option) {
                return Err(refused(format!("must be superuser to create {what}")));
            }
        }
        if !may_create_roles(&rights) {
            return Err(refused("permission denied to create role"));
        }
    }
    check_new_name(session, name)?;
    let mut role = RoleDef::new(session.work()?.allocate_id(), name);
    set_attributes(session, &mut role, options)?;
    put(session, role.clone())?;
    let made = Arc::new(role);
    for option in options {
        match option {
            RoleOption::InRole(groups) => {
                for group in groups {
                    let group = find(session, group)?;
                    add_members(session, &group, std::slice::from_ref(&made), false, None)?;
                }
            }
            RoleOption::Members(members) => make_members(session, &made, members, false)?,
            RoleOption::Admins(members) => make_members(session, &made, members, true)?,
            _ => {}
        }
    }
    Ok(())
}

fn make_members(session: &mut Session, role: &RoleDef, members: &[RoleSpec], admin: bool) -> Result<()> {
    let members = members.iter().map(|member| find(session, member)).collect::<Result<Vec<_>>>()?;
    add_members(session, role, &members, admin, None)
}

fn set_attributes(session: &mut Session, role: &mut RoleDef, options: &[RoleOption]) -> Result<()> {
    for option in options {
        match option {
            RoleOption::Superuser(yes) => role.superuser = *yes,
            RoleOption::Inherit(yes) => role.inherit = *yes,
            RoleOption::CreateRole(yes) => role.create_role = *yes,
            RoleOption::CreateDb(yes) => role.create_db = *yes,
            RoleOption::Login(yes) => role.login = *yes,
            RoleOption::Replication(yes) => role.replication = *yes,
            RoleOption::BypassRls(yes) => role.bypass_rls = *yes,
            RoleOption::ConnectionLimit(limit) => role.connection_limit = *limit,
            RoleOption::Password(None) => role.password = None,
            RoleOption::Password(Some(Secret(text))) if text.is_empty() => {
                session.notice("empty string is not a valid password, clearing password");
                role.password = None;
            }
            RoleOption::Password(Some(Secret(text))) => role.password = Some(password::stored(text)?),
            RoleOption::ValidUntil(text) => role.valid_until = Some(validity(session, text)?),
            RoleOption::InRole(_) | RoleOption::Members(_) | RoleOption::Admins(_) => {}
        }
    }
    Ok(())
}

/// The time of VALID UNTIL, in the session's zone where it names none.
fn validity(session: &mut Session, text: &str) -> Result<Validity> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => return Ok(Validity::Infinity),
        "-infinity" => return Err(Error::unsupported("VALID UNTIL '-infinity'")),
        _ => {}
    }
    let zone = Zone::parse(&session.settings().time_zone()).unwrap_or(Zone::utc());
    match decode(Some(text.as_bytes()), false, oid::TIMESTAMPTZ, &Field::new("", DataType::Utf8, true), zone)? {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => {
            let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "VALID UNTIL is out of range");
            Ok(Validity::Until(DateTime::from_timestamp_micros(micros).ok_or_else(out_of_range)?))
        }
        _ => Err(Error::internal("a timestamp was read as something else")),
    }
}

fn alter(session: &mut Session, spec: &RoleSpec, options: &[RoleOption]) -> Result<()> {
    let role = find(session, spec)?;
    if role.name.starts_with("pg_") {
        return Err(reserved(&role.name, "Cannot alter reserved roles."));
    }
    let rights = session.rights()?;
    if !rights.is_superuser() {
        let any = |is: fn(&RoleOption) -> bool| options.iter().any(is);
        if role.superuser || any(|o| matches!(o, RoleOption::Superuser(_))) {
            return Err(refused("must be superuser to alter superuser roles or change superuser attribute"));
        }
        if role.replication || any(|o| matches!(o, RoleOption::Replication(_))) {
            return Err(refused("must be superuser to alter replication roles or change replication attribute"));
        }
        if any(|o| matches!(o, RoleOption::BypassRls(_))) {
            return Err(refused("must be superuser to change bypassrls attribute"));
        }
        // Who may do nothing else may change his own password.
        let own_password = rights.role() == role.id && matches!(options, [RoleOption::Password(_)]);
        if !may_create_roles(&rights) && !own_password {
            return Err(refused("permission denied"));
        }
    }
    if role.id == POSTGRES && options.contains(&RoleOption::Superuser(false)) {
        return Err(Error::unsupported("ALTER ROLE postgres NOSUPERUSER")
            .with_hint("it is the superuser that every warehouse has; give others a role of their own"));
    }
    let mut altered = (*role).clone();
    set_attributes(session, &mut altered, options)?;
    put(session, altered)
}

fn rename(session: &mut Session, name: &str, to: &str) -> Result<()> {
    let role = named(session, name)?;
    let rights = session.rights()?;
    if role.id == session.session_user()? {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
    }
    if role.id == rights.role() {
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "current user cannot be renamed"));
    }
    if is_built_in(role.id) {
        return Err(match role.id {
            POSTGRES => Error::unsupported("renaming the role postgres"),
            _ => reserved(name, "Role names starting with \"pg_\" are reserved."),
        });
    }
    check_new_name(session, to)?;
    if role.superuser && !rights.is_superuser() {
        return Err(refused("must be superuser to rename superusers"));
    }
    if !may_create_roles(&rights) {
        return Err(refused("permission denied to rename role"));
    }
    put(session, RoleDef { name: to.to_owned(), ..(*role).clone() })
}

fn drop(session: &mut Session, specs: &[RoleSpec], if_exists: bool) -> Result<()> {
    let rights = session.rights()?;
    if !may_create_roles(&rights) {
        return Err(refused("permission denied to drop role"));
    }
    let mut doomed: Vec<Arc<RoleDef>> = Vec::new();
    for spec in specs {
        let RoleSpec::Name(name) = spec else {
            let message = "cannot use special role specifier in DROP ROLE";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        };
        let Some(role) = session.work()?.objects().role(name).cloned() else {
            if !if_exists {
                return named(session, name).map(|_| ());
            }
            session.notice(format!("role \"{name}\" does not exist, skipping"));
            continue;
        };
        if role.id == rights.role() {
            return Err(Error::new(SqlState::OBJECT_IN_USE, "current user cannot be dropped"));
        }
        if role.id == session.session_user()? {
            return Err(Error::new(SqlState::OBJECT_IN_USE, "session user cannot be dropped"));
        }
        if role.superuser && !rights.is_superuser() {
            return Err(refused("must be superuser to drop superusers"));
        }
        if is_built_in(role.id) {
            let message = format!("cannot drop role {name} because it is required by the database system");
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        if !doomed.iter().any(|other| other.id == role.id) {
            doomed.push(role);
        }
    }
    for role in &doomed {
        let holds = holdings(session.work()?.objects(), role.id);
        if !holds.is_empty() {
            let message = format!("role \"{}\" cannot be dropped because some objects depend on it", role.name);
            let error = Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message);
            return Err(error.with_detail(holds.join("\n")));
        }
    }
    let gone: BTreeSet<ObjectId> = doomed.iter().map(|role| role.id).collect();
    let objects = Arc::clone(session.work()?.objects());
    let mut changes = Vec::new();
    for member in objects.roles().filter(|role| !gone.contains(&role.id)) {
        if member.member_of.iter().any(|m| gone.contains(&m.role)) {
            let mut left = (**member).clone();
            left.member_of.retain(|m| !gone.contains(&m.role));
            changes.push(Change::PutRole(left));
        }
    }
    changes.extend(gone.into_iter().map(Change::DropRole));
    Ok(session.work()?.change_together(changes)?)
}

/// What a role owns and may do, in the words of the detail of 2BP01.
fn holdings(objects: &Objects, role: ObjectId) -> Vec<String> {
    let mut holdings = Vec::new();
    for access in objects.accesses() {
        let what = object_text(objects, access);
        if access.owner == role {
            holdings.push(format!("owner of {what}"));
        }
        let mut items = access.acl.iter().flatten().chain(access.columns.values().flatten());
        if access.owner != role && items.any(|item| item.grantee == role || item.grantor == role) {
            holdings.push(format!("privileges for {what}"));
        }
    }
    holdings
}

fn object_text(objects: &Objects, access: &AccessDef) -> String {
    match objects.definition(access.id) {
        Some(Definition::Schema(schema)) => format!("schema {}", schema.name),
        Some(Definition::Table(table)) => describe(&Relation::Table(table)),
        Some(Definition::View(view)) => describe(&Relation::View(view)),
        _ => format!("database {}", crate::engine::DATABASE),
    }
}

/// That who asks may change who is a member of `role`.
fn check_admin(rights: &Rights, role: &RoleDef) -> Result<()> {
    if role.superuser {
        return if rights.is_superuser() { Ok(()) } else { Err(refused("must be superuser to alter superusers")) };
    }
    if may_create_roles(rights) || is_admin_of(rights.objects(), rights.role(), role.id) {
        return Ok(());
    }
    Err(refused(format!("must have admin option on role \"{}\"", role.name)))
}

fn add_members(
    session: &mut Session,
    role: &RoleDef,
    members: &[Arc<RoleDef>],
    admin: bool,
    granted_by: Option<&RoleSpec>,
) -> Result<()> {
    let rights = session.rights()?;
    check_admin(&rights, role)?;
    let grantor = match granted_by {
        Some(spec) => find(session, spec)?.id,
        None => rights.role(),
    };
    if grantor != rights.role() && !rights.is_superuser() {
        return Err(refused("must be superuser to set grantor"));
    }
    let invalid = |message: String| Err(Error::new(SqlState::INVALID_GRANT_OPERATION, message));
    if role.id == DATABASE_OWNER {
        return invalid(format!("role \"{}\" cannot have explicit members", role.name));
    }
    for member in members {
        if member.id == DATABASE_OWNER {
            return invalid(format!("role \"{}\" cannot be a member of any role", member.name));
        }
        let objects = Arc::clone(session.work()?.objects());
        if is_member_without_superuser(&objects, role.id, member.id) {
            return invalid(format!("role \"{}\" is a member of role \"{}\"", role.name, member.name));
        }
        let mut altered = objects.role_by_id(member.id).map_or_else(|| (**member).clone(), |now| (**now).clone());
        match altered.member_of.iter_mut().find(|m| m.role == role.id) {
            Some(known) if !admin || known.admin => {
                session.notice(format!("role \"{}\" is already a member of role \"{}\"", member.name, role.name));
                continue;
            }
            Some(known) => *known = Membership { role: role.id, grantor, admin },
            None => altered.member_of.push(Membership { role: role.id, grantor, admin }),
        }
        put(session, altered)?;
    }
    Ok(())
}

/// Ends memberships, or takes only the admin option of them.
fn remove_members(session: &mut Session, role: &RoleDef, members: &[Arc<RoleDef>], only_admin: bool) -> Result<()> {
    check_admin(&session.rights()?, role)?;
    for member in members {
        let now = session.work()?.objects().role_by_id(member.id).cloned();
        let mut altered = now.map_or_else(|| (**member).clone(), |now| (*now).clone());
        let Some(place) = altered.member_of.iter().position(|m| m.role == role.id) else {
            let message = format!("role \"{}\" is not a member of role \"{}\"", member.name, role.name);
            session.warning(SqlState::WARNING, message);
            continue;
        };
        if only_admin {
            altered.member_of[place].admin = false;
        } else {
            altered.member_of.remove(place);
        }
        put(session, altered)?;
    }
    Ok(())
}

/// Roles whose objects are given away or dropped: who asks needs the rights of each.
fn owners(session: &mut Session, specs: &[RoleSpec], verb: &str) -> Result<BTreeMap<ObjectId, Arc<RoleDef>>> {
    let mut owners = BTreeMap::new();
    for spec in specs {
        let role = find(session, spec)?;
        if !session.rights()?.has_rights_of(role.id) {
            return Err(refused(format!("permission denied to {verb} objects")));
        }
        if is_built_in(role.id) {
            let what = if verb == "drop" { "drop objects" } else { "reassign ownership of objects" };
            let message =
                format!("cannot {what} owned by role {} because they are required by the database system", role.name);
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        owners.insert(role.id, role);
    }
    Ok(owners)
}

fn reassign(session: &mut Session, from: &[RoleSpec], to: &RoleSpec) -> Result<()> {
    let owners = owners(session, from, "reassign")?;
    let new = find(session, to)?;
    if !session.rights()?.has_rights_of(new.id) {
        return Err(refused("permission denied to reassign objects"));
    }
    let objects = Arc::clone(session.work()?.objects());
    for access in objects.accesses().filter(|access| owners.contains_key(&access.owner)) {
        session.work()?.change(Change::PutAccess(owned_by(access, new.id)))?;
    }
    Ok(())
}

/// Owner and lists of an object that has got another owner.
pub(super) fn owned_by(access: &AccessDef, new: ObjectId) -> AccessDef {
    let swap = |items: &Vec<_>| acl::with_owner(items, access.owner, new);
    let columns = access.columns.iter().map(|(name, items)| (name.clone(), swap(items))).collect();
    AccessDef { id: access.id, owner: new, acl: access.acl.as_ref().map(swap), columns }
}

fn drop_owned(session: &mut Session, specs: &[RoleSpec], cascade: bool) -> Result<()> {
    let owners = owners(session, specs, "drop")?;
    let objects = Arc::clone(session.work()?.objects());
    let mut targets = Vec::new();
    for access in objects.accesses().filter(|access| owners.contains_key(&access.owner)) {
        match objects.definition(access.id) {
            Some(Definition::Table(table)) => targets.push(Target::Relation(Relation::Table(table))),
            Some(Definition::View(view)) => targets.push(Target::Relation(Relation::View(view))),
            Some(Definition::Schema(schema)) => {
                targets.push(Target::Schema { id: schema.id, name: schema.name.clone() });
            }
            _ => {}
        }
    }
    drop_targets(session, targets, cascade)?;
    let objects = Arc::clone(session.work()?.objects());
    for access in objects.accesses().filter(|access| access.id == DATABASE || !owners.contains_key(&access.owner)) {
        let mut left = (**access).clone();
        let is_left = |item: &_| {
            let item: &catalog::objects::AclItem = item;
            !owners.contains_key(&item.grantee) && !owners.contains_key(&item.grantor)
        };
        left.acl.iter_mut().for_each(|items| items.retain(is_left));
        left.columns.values_mut().for_each(|items| items.retain(is_left));
        left.columns.retain(|_, items| !items.is_empty());
        if left != **access {
            session.work()?.change(Change::PutAccess(left))?;
        }
    }
    Ok(())
}

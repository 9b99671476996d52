//! Who a session is: the user who logged in, the one it speaks for, the role it has taken, and the rights that follow.

use std::sync::Arc;

use catalog::objects::access::DATABASE;
use catalog::objects::role::{POSTGRES, READ_SERVER_FILES, WRITE_SERVER_FILES};
use catalog::objects::{ObjectId, Objects, Privileges, RoleDef};
use parking_lot::RwLock;

use super::Session;
use super::settings::{Scope, Settings, Values};
use crate::error::{Error, Result, SqlState};
use crate::privileges::acl::held;
use crate::privileges::{Rights, is_member_of};

/// A number that no role has: whose role was dropped has no rights.
const NOBODY: ObjectId = ObjectId::MAX;

/// The user who logged in.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) name: String,
    pub(super) id: ObjectId,
    /// Whether it was a superuser then: such a session may speak for anyone.
    pub(super) superuser: bool,
}

impl Login {
    /// The user of a new session.
    ///
    /// # Errors
    /// 28000 if there is no such role or it may not log in, 42501 if it may not connect to the database.
    pub(super) fn admit(objects: &Objects, name: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, why));
        let Some(role) = objects.role(name) else { return refused(format!("role \"{name}\" does not exist")) };
        // The way back in, from the warehouse's own machine, for who has locked himself out.
        if !role.login && role.id != POSTGRES {
            return refused(format!("role \"{name}\" is not permitted to log in"));
        }
        if !held(objects, role.id, DATABASE).privileges.contains(Privileges::CONNECT) {
            let message = format!("permission denied for database \"{}\"", crate::engine::DATABASE);
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                .with_detail("User does not have CONNECT privilege."));
        }
        Ok(Self { name: name.to_owned(), id: role.id, superuser: role.superuser })
    }

    /// The number of the role of that name. The user's own is known even if the role has another name by now, and is
    /// not that of another role which got the name later.
    fn resolve(&self, objects: &Objects, name: &str) -> ObjectId {
        if name == self.name { self.id } else { objects.role(name).map_or(NOBODY, |role| role.id) }
    }

    /// The role whose rights count.
    pub(super) fn current(&self, settings: &Settings, objects: &Objects) -> ObjectId {
        self.resolve(objects, &settings.role().unwrap_or_else(|| settings.user()))
    }

    /// The user that the session speaks for.
    fn session(&self, settings: &Settings, objects: &Objects) -> ObjectId {
        self.resolve(objects, &settings.user())
    }
}

/// Who asks, as functions and catalogs know it while a statement runs.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    login: Login,
    settings: Arc<RwLock<Values>>,
    /// The catalog as the newest statement sees it.
    objects: Arc<RwLock<Arc<Objects>>>,
}

impl Asker {
    pub(super) fn new(login: Login, settings: Arc<RwLock<Values>>, objects: Arc<Objects>) -> Self {
        Self { login, settings, objects: Arc::new(RwLock::new(objects)) }
    }

    /// Who has this name, in a catalog of a new warehouse.
    #[cfg(test)]
    pub(super) fn of(name: &str, settings: &Settings) -> Self {
        let login = Login { name: name.to_owned(), id: NOBODY, superuser: false };
        Self::new(login, settings.shared(), Arc::default())
    }

    /// That a statement sees this catalog.
    pub(super) fn sees(&self, objects: &Arc<Objects>) {
        *self.objects.write() = Arc::clone(objects);
    }

    /// The rights that count.
    pub(crate) fn rights(&self) -> Rights {
        let objects = Arc::clone(&self.objects.read());
        let settings = self.settings.read();
        let role = self.login.resolve(&objects, settings.role().unwrap_or_else(|| settings.user()));
        Rights::new(objects, role)
    }
}

impl Session {
    /// The rights that statements are checked against.
    pub(crate) fn rights(&mut self) -> Result<Rights> {
        let objects = Arc::clone(self.work()?.objects());
        let role = self.login.current(&self.settings, &objects);
        Ok(Rights::new(objects, role).with_temporary(self.temporary.schema().cloned()))
    }

    /// The user that the session speaks for, whatever role it has taken.
    pub(crate) fn session_user(&mut self) -> Result<ObjectId> {
        let objects = Arc::clone(self.work()?.objects());
        Ok(self.login.session(&self.settings, &objects))
    }

    /// Whether files and URLs that the server reaches may be read.
    pub(crate) fn may_read_server_files(&mut self) -> Result<bool> {
        Ok(self.rights()?.has_rights_of(READ_SERVER_FILES))
    }

    /// Whether files and URLs that the server reaches may be written.
    pub(crate) fn may_write_server_files(&mut self) -> Result<bool> {
        Ok(self.rights()?.has_rights_of(WRITE_SERVER_FILES))
    }

    /// `SET ROLE`; `None` is NONE.
    ///
    /// # Errors
    /// 22023 if there is no such role, 42501 if the session's user is no member of it.
    pub(crate) fn take_role(&mut self, name: Option<&str>, scope: Scope) -> Result<()> {
        let user = self.session_user()?;
        let objects = Arc::clone(self.work()?.objects());
        let id = match name.filter(|name| *name != "none") {
            None => user,
            Some(name) => {
                let role = find(&objects, name)?;
                if !is_member_of(&objects, user, role.id) {
                    let message = format!("permission denied to set role \"{name}\"");
                    return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
                }
                role.id
            }
        };
        let superuser = objects.role_by_id(id).is_some_and(|role| role.superuser);
        self.settings.take_role(name, superuser, scope);
        Ok(())
    }

    /// `SET SESSION AUTHORIZATION`; `None` is DEFAULT. A role that was taken is given back.
    ///
    /// # Errors
    /// 22023 if there is no such role, 42501 unless a superuser logged in.
    pub(crate) fn speak_for(&mut self, name: Option<&str>, scope: Scope) -> Result<()> {
        let objects = Arc::clone(self.work()?.objects());
        let name = name.map_or_else(|| self.login.name.clone(), str::to_owned);
        let superuser = if name == self.login.name {
            self.login.superuser
        } else {
            let superuser = find(&objects, &name)?.superuser;
            if !self.login.superuser {
                let message = "permission denied to set session authorization";
                return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            superuser
        };
        self.settings.speak_for(&name, superuser, scope);
        Ok(())
    }
}

/// The role that a setting is to name.
fn find(objects: &Objects, name: &str) -> Result<Arc<RoleDef>> {
    objects
        .role(name)
        .cloned()
        .ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("role \"{name}\" does not exist")))
}

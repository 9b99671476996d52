//! Who may do what: PostgreSQL's roles, ownership and access control lists, as questions about one catalog.
//!
//! * `membership`: whose rights a role has, and what it is a member of
//! * `ask`: what `has_table_privilege` and its kin answer
//! * `acl`: what a role may do with an object; what GRANT and REVOKE make of a list
//! * `columns`: which columns of which relations a planned query looks at
//! * `check`: whether a statement may go on, or 42501
//! * `password`: SCRAM verifiers
//!
//! What isn't granted is denied. A superuser passes every check.

pub(crate) mod acl;
pub(crate) mod ask;
mod check;
mod columns;
mod membership;
pub(crate) mod password;

pub(crate) use self::check::{PG_TEMP, Rights, denied};
pub(crate) use self::columns::{Guarded, Use, uses};
pub(crate) use self::membership::{is_admin_of, is_member_of, is_member_without_superuser, rights_of};

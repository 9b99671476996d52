//! The object identifiers of things that have no entry of their own in the warehouse's catalog.
//!
//! A table's index, constraint and rule are there because the table is; their numbers follow from its number and never
//! change. Numbers stay below 2³¹, since many a client reads them into a signed integer:
//!
//! * below 2²⁶: objects of the warehouse, and PostgreSQL's own;
//! * 2²⁶ + table, 2 × 2²⁶ + table …: what follows from a table or view, a range for each kind;
//! * from 2³⁰ on: functions, by a hash of their names and arguments.

use catalog::objects::ObjectId;

const RANGE: u32 = 1 << 26;
const FUNCTIONS: u32 = 1 << 30;

/// PostgreSQL's superuser.
pub(crate) const SUPERUSER: u32 = 10;
/// Schema `pg_catalog`.
pub(crate) const PG_CATALOG: u32 = 11;
/// Schema `information_schema`.
pub(crate) const INFORMATION_SCHEMA: u32 = 13207;
/// The database.
pub(crate) const DATABASE: u32 = 5;
/// Tablespace `pg_default`.
pub(crate) const DEFAULT_TABLESPACE: u32 = 1663;
/// Tablespace `pg_global`.
pub(crate) const GLOBAL_TABLESPACE: u32 = 1664;
/// Access method `heap`.
pub(crate) const HEAP: u32 = 2;
/// Access method `btree`.
pub(crate) const BTREE: u32 = 403;
/// Collation `default`.
pub(crate) const DEFAULT_COLLATION: u32 = 100;
/// Collation `C`, that of `name`.
pub(crate) const C_COLLATION: u32 = 950;
/// Language `internal`.
pub(crate) const INTERNAL_LANGUAGE: u32 = 12;

/// The catalogs themselves, as `classoid` and `::regclass` name them.
pub(crate) mod catalogs {
    pub(crate) const PG_PROC: u32 = 1255;
    pub(crate) const PG_CLASS: u32 = 1259;
    pub(crate) const PG_AUTHID: u32 = 1260;
    pub(crate) const PG_CONSTRAINT: u32 = 2606;
    pub(crate) const PG_NAMESPACE: u32 = 2615;
    pub(crate) const PG_REWRITE: u32 = 2618;
}

/// The index of a table's primary key.
pub(crate) fn primary_key_index(table: ObjectId) -> u32 {
    RANGE + table % RANGE
}

/// A table's primary key as a constraint.
pub(crate) fn primary_key(table: ObjectId) -> u32 {
    2 * RANGE + table % RANGE
}

/// The rule by which a view is its query.
pub(crate) fn rule(view: ObjectId) -> u32 {
    3 * RANGE + view % RANGE
}

/// The table that one of these numbers follows from.
pub(crate) fn owner(oid: u32) -> Option<ObjectId> {
    (oid >= RANGE && oid < 4 * RANGE).then_some(oid % RANGE)
}

/// A column's default.
pub(crate) fn default(table: ObjectId, attnum: usize) -> u32 {
    hash(&format!("{table}.{attnum}")) % FUNCTIONS
}

/// A function that PostgreSQL does not have.
pub(crate) fn function(name: &str, arguments: &[u32]) -> u32 {
    FUNCTIONS + hash(&format!("{name}{arguments:?}")) % FUNCTIONS
}

/// FNV-1a: these numbers are promised not to change, which the standard library's hash does not promise.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!((primary_key_index(16384), primary_key(16384), rule(16385)), (67125248, 134234112, 201342977));
        assert_eq!(function("audience_bucket", &[25, 23]), function("audience_bucket", &[25, 23]));
        assert_eq!(owner(primary_key(16384)), Some(16384));
        assert_eq!(owner(16384), None);
        assert!(function("x", &[]) < 1 << 31);
    }
}

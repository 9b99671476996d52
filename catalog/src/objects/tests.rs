//! Tests of the catalog's rules.

use chrono::{DateTime, Utc};

use super::*;

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn table(id: ObjectId, schema: &str, name: &str) -> TableDef {
    TableDef {
        id,
        schema: schema.into(),
        name: name.into(),
        path: format!("tables/{id}"),
        columns: vec![ColumnDef {
            number: 0,
            name: "k".into(),
            pg_type: "text".into(),
            not_null: true,
            default: None,
            comment: None,
        }],
        primary_key: vec!["k".into()],
        partition_by: None,
        options: BTreeMap::new(),
        comment: None,
        numbered: 0,
        created_at: at(),
    }
}

fn view(id: ObjectId, name: &str, depends_on: &[ObjectId]) -> ViewDef {
    ViewDef {
        id,
        schema: "segments".into(),
        name: name.into(),
        sql: "select 1".into(),
        columns: vec![],
        depends_on: depends_on.to_vec(),
        search_path: vec!["public".into()],
        comment: None,
        created_at: at(),
    }
}

/// Table t (16384), view a (16385) over t, view b (16386) over a.
fn sample() -> Objects {
    Objects::default()
        .apply(&[
            Change::PutTable(table(16384, "public", "t")),
            Change::PutView(view(16385, "a", &[16384])),
            Change::PutView(view(16386, "b", &[16385])),
        ])
        .unwrap()
}

#[test]
fn a_new_warehouse_has_three_schemas() {
    let fresh = Objects::default();
    let names: Vec<&str> = fresh.schemas().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["public", "segments", "audience"]);
    assert_eq!(fresh.next_id, FIRST_USER_ID);
    assert_eq!(fresh.relations("public").count(), 0);
}

#[test]
fn finds_by_name_and_by_dependency() {
    let objects = sample();
    assert_eq!(objects.lookup("public", "t").unwrap().id(), 16384);
    assert!(objects.lookup("segments", "t").is_none());
    assert!(matches!(objects.definition(16386), Some(Definition::View(_))));
    assert_eq!(objects.definition(PUBLIC_ID), Objects::default().definition(PUBLIC_ID));
    assert_eq!(objects.definition(1), None);
    let names: Vec<String> = objects.dependents(16384).iter().map(|v| v.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(objects.next_id, 16387);
}

#[test]
fn names_are_unique_over_tables_and_views() {
    let mut clash = view(16387, "t", &[]);
    clash.schema = "public".into();
    let error = sample().apply(&[Change::PutView(clash.clone())]).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { kind: "relation", .. }), "{error}");
    clash.schema = "nowhere".into();
    let error = sample().apply(&[Change::PutView(clash)]).unwrap_err();
    assert!(matches!(error, Error::NotFound { kind: "schema", .. }), "{error}");
    let second = SchemaDef { id: 16387, name: "public".into(), comment: None };
    let error = sample().apply(&[Change::PutSchema(second)]).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { kind: "schema", .. }), "{error}");
}

#[test]
fn what_is_needed_stays() {
    let objects = sample();
    match objects.apply(&[Change::DropTable(16384)]) {
        Err(Error::Dependents { name, dependents }) => {
            assert_eq!(name, "table t");
            assert_eq!(dependents, ["view segments.a", "view segments.b"]);
        }
        other => panic!("{other:?}"),
    }
    match objects.apply(&[Change::DropSchema(PUBLIC_ID)]) {
        Err(Error::Dependents { dependents, .. }) => assert_eq!(dependents, ["table public.t"]),
        other => panic!("{other:?}"),
    }
    // Together they may go, in any order.
    let all = [Change::DropTable(16384), Change::DropView(16386), Change::DropView(16385)];
    let empty = objects.apply(&all).unwrap();
    assert!(empty.lookup("public", "t").is_none());
    assert!(objects.lookup("public", "t").is_some());
}

#[test]
fn a_folder_is_never_reused_and_ids_grow() {
    let empty = Objects::default()
        .apply(&[Change::PutTable(table(16384, "public", "t"))])
        .and_then(|objects| objects.apply(&[Change::DropTable(16384)]))
        .unwrap();
    assert!(empty.is_path_used("tables/16384"));
    assert_eq!(empty.next_id, 16385);
    let mut again = table(16385, "public", "t");
    again.path = "tables/16384".into();
    let error = empty.apply(&[Change::PutTable(again)]).unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { kind: "folder", .. }), "{error}");
    // A session that began earlier may commit the smaller id later.
    let late = empty.apply(&[Change::PutTable(table(16400, "public", "b"))]).unwrap();
    let late = late.apply(&[Change::PutTable(table(16390, "public", "a"))]).unwrap();
    assert_eq!(late.next_id, 16401);
}

#[test]
fn an_id_that_two_transactions_took_is_a_conflict_and_not_a_rename() {
    let objects = sample();
    let mut other = table(16384, "public", "u");
    other.path = "tables/u".into();
    assert!(matches!(objects.apply(&[Change::PutTable(other)]), Err(Error::Conflict(_))));
    assert!(matches!(objects.apply(&[Change::PutView(view(16384, "u", &[]))]), Err(Error::Conflict(_))));
    let renamed = objects.apply(&[Change::PutTable(table(16384, "public", "u"))]).unwrap();
    assert_eq!(renamed.lookup("public", "u").unwrap().id(), 16384);
    assert!(renamed.lookup("public", "t").is_none());
}

#[test]
fn refuses_views_in_a_circle_and_bad_tables() {
    let error = sample().apply(&[Change::PutView(view(16385, "a", &[16386]))]).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    for path in ["", "/etc", "a/../..", "_audiencedb/t"] {
        let mut bad = table(16387, "public", "bad");
        bad.path = path.into();
        assert!(matches!(sample().apply(&[Change::PutTable(bad)]), Err(Error::Invalid(_))), "{path}");
    }
    let mut keyless = table(16387, "public", "bad");
    keyless.primary_key = vec!["id".into()];
    assert!(matches!(sample().apply(&[Change::PutTable(keyless)]), Err(Error::NotFound { kind: "column", .. })));
}

#[test]
fn versions_only_grow() {
    let objects = sample().with_table_versions([(16384, 0)]).unwrap();
    assert!(matches!(objects.with_table_versions([(16384, 0)]), Err(Error::Conflict(_))));
    assert!(matches!(objects.with_table_versions([(16384, 1), (16384, 1)]), Err(Error::Conflict(_))));
    assert!(objects.with_table_versions([(16385, 0)]).is_err());
    assert_eq!(objects.with_table_versions([(16384, 3)]).unwrap().table_version(16384), 3);
    assert_eq!(objects.table_version(16384), 0);
}

#[test]
fn stored_and_read_again() {
    let objects = sample().with_table_versions([(16384, 5)]).unwrap();
    let text = serde_json::to_string(&objects).unwrap();
    let back: Objects = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(back.lookup("segments", "b"), objects.lookup("segments", "b"));
    assert_eq!(back.table_version(16384), 5);
    // A field from a newer release is not dropped in silence.
    assert!(serde_json::from_str::<Objects>(&text.replacen("\"sql\"", "\"policy\":1,\"sql\"", 1)).is_err());
}

/// `sample` with role ana (16387), who owns view a and may read column k of t.
fn with_ana() -> Objects {
    let read = AclItem {
        grantee: 16387,
        grantor: role::POSTGRES,
        privileges: Privileges::SELECT,
        grantable: Privileges::NONE,
    };
    sample()
        .apply(&[
            Change::PutRole(RoleDef { login: true, ..RoleDef::new(16387, "ana") }),
            Change::PutAccess(AccessDef::owned(16385, 16387)),
            Change::PutAccess(AccessDef {
                columns: BTreeMap::from([("k".to_owned(), vec![read])]),
                ..AccessDef::owned(16384, role::POSTGRES)
            }),
        ])
        .unwrap()
}

#[test]
fn a_new_warehouse_has_one_superuser_and_the_predefined_roles() {
    let fresh = Objects::default();
    assert_eq!(fresh.roles().filter(|r| r.superuser).map(|r| r.name.as_str()).collect::<Vec<_>>(), ["postgres"]);
    assert_eq!(fresh.role("pg_read_all_data").unwrap().id, 6181);
    assert_eq!(fresh.memberships().filter(|(member, _)| member.name == "pg_monitor").count(), 2);
    assert_eq!((fresh.owner(PUBLIC_ID), fresh.owner(SEGMENTS_ID)), (role::DATABASE_OWNER, role::POSTGRES));
}

#[test]
fn a_role_that_owns_or_may_something_stays() {
    let objects = with_ana();
    assert_eq!((objects.owner(16385), objects.owner(16386)), (16387, role::POSTGRES));
    assert!(matches!(objects.definition(16387), Some(Definition::Role(_))));
    let drop = Change::DropRole(16387);
    assert!(matches!(objects.apply(std::slice::from_ref(&drop)), Err(Error::NotFound { kind: "role", .. })));
    // What is known of who may do what goes with its object.
    let alone = [Change::DropView(16386), Change::DropView(16385), Change::DropTable(16384), drop];
    let without = objects.apply(&alone).unwrap();
    assert_eq!((without.role("ana"), without.accesses().count()), (None, 1));
    assert!(objects.apply(&[Change::DropRole(role::MONITOR)]).is_err());
}

#[test]
fn names_of_roles_are_unique_and_what_is_granted_is_there() {
    let objects = with_ana();
    let again = Change::PutRole(RoleDef::new(16388, "ana"));
    assert!(matches!(objects.apply(&[again]), Err(Error::AlreadyExists { kind: "role", .. })));
    let stranger = Membership { role: 99, grantor: role::POSTGRES, admin: false };
    let member = Change::PutRole(RoleDef { member_of: vec![stranger], ..RoleDef::new(16388, "bo") });
    assert!(matches!(objects.apply(&[member]), Err(Error::NotFound { kind: "role", .. })));
    let nowhere = Change::PutAccess(AccessDef::owned(99, role::POSTGRES));
    assert!(matches!(objects.apply(&[nowhere]), Err(Error::NotFound { kind: "object", .. })));
    let columns = BTreeMap::from([("no".to_owned(), vec![])]);
    let column = Change::PutAccess(AccessDef { columns, ..AccessDef::owned(16384, role::POSTGRES) });
    assert!(matches!(objects.apply(&[column]), Err(Error::NotFound { kind: "column", .. })));
}

#[test]
fn roles_are_stored_and_an_older_checkpoint_has_those_of_a_new_warehouse() {
    let objects = with_ana();
    let text = serde_json::to_string(&objects).unwrap();
    let back: Objects = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(back.access(16384), objects.access(16384));

    let mut older: serde_json::Value = serde_json::to_value(sample()).unwrap();
    let fields = older.as_object_mut().unwrap();
    assert!(fields.remove("roles").is_some() && fields.remove("access").is_some());
    let back: Objects = serde_json::from_value(older).unwrap();
    assert!(back.role("postgres").unwrap().superuser);
    assert_eq!(back.owner(16384), role::POSTGRES);
    assert!(back.access(PUBLIC_ID).acl.is_some());
}

#[test]
fn privileges_are_written_as_postgresql_writes_them() {
    let some = Privileges::SELECT.union(Privileges::UPDATE).union(Privileges::INSERT);
    assert_eq!(some.letters(Privileges::SELECT), "ar*w");
    assert_eq!(Privileges::from_letters("rwa"), Some(some));
    assert_eq!(Privileges::from_letters("rq"), None);
    assert_eq!(some.each().map(Privileges::word).collect::<Vec<_>>(), ["INSERT", "SELECT", "UPDATE"]);
    assert_eq!(Privileges::OF_TABLE.letters(Privileges::NONE), "arwdDxt");
    assert_eq!(Privileges::OF_DATABASE.letters(Privileges::NONE), "CTc");
}

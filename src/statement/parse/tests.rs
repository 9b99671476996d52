//! What each statement becomes, what is refused with which code, and where errors point.

use std::time::{Duration, Instant};

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, SelectItem, SetExpr, Value};

use super::*;
use crate::statement::ast::{
    CommentTarget, CreateTable, DiscardTarget, IsolationLevel, ObjectKind, QualifiedName, ResetTarget, SetValue,
    ShowTarget, TransactionModes, fold,
};

fn one(sql: &str) -> Kind {
    let mut statements = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0).kind
}

fn error(sql: &str) -> Error {
    match parse(sql) {
        Err(error) => error,
        Ok(statements) => panic!("{sql}: {statements:?}"),
    }
}

/// The query's text as sqlparser prints its tree.
fn query(sql: &str) -> String {
    match one(sql) {
        Kind::Query(query) => query.to_string(),
        other => panic!("{sql}: {other:?}"),
    }
}

/// The first result column of a query.
fn expr(sql: &str) -> Expr {
    let Kind::Query(query) = one(sql) else { panic!("{sql}") };
    let SetExpr::Select(select) = *query.body else { panic!("{sql}") };
    match select.projection.into_iter().next() {
        Some(SelectItem::UnnamedExpr(expr)) => expr,
        other => panic!("{sql}: {other:?}"),
    }
}

fn table(sql: &str) -> CreateTable {
    match one(sql) {
        Kind::CreateTable(table) => table,
        other => panic!("{sql}: {other:?}"),
    }
}

fn name(text: &str) -> QualifiedName {
    match text.split_once('.') {
        Some((schema, name)) => QualifiedName { schema: Some(schema.into()), name: name.into() },
        None => QualifiedName { schema: None, name: text.into() },
    }
}

fn set(name: &str, values: &[&str]) -> Kind {
    let value = match values {
        [] => SetValue::Default,
        values => SetValue::Values(values.iter().map(|value| (*value).to_owned()).collect()),
    };
    Kind::Set { name: name.to_owned(), value, local: false }
}

#[test]
fn settings() {
    let show = |name: &str| Kind::Show(ShowTarget::Setting(name.into()));
    let reset = |name: &str| Kind::Reset(ResetTarget::Setting(name.into()));
    let cases = [
        ("SET DateStyle TO ISO, MDY", set("datestyle", &["iso", "mdy"])),
        ("set session audience.as_of = '2024-01-01'", set("audience.as_of", &["2024-01-01"])),
        ("SET search_path = \"$user\", public", set("search_path", &["$user", "public"])),
        ("SET extra_float_digits = -1", set("extra_float_digits", &["-1"])),
        ("SET enable_x = on", set("enable_x", &["on"])),
        ("SET x TO DEFAULT", set("x", &[])),
        ("SET session = 1", set("session", &["1"])),
        ("SET TIME ZONE 'Europe/Berlin'", set("timezone", &["Europe/Berlin"])),
        ("SET TIME ZONE -7", set("timezone", &["-7"])),
        ("SET TIME ZONE LOCAL", set("timezone", &[])),
        ("SET NAMES 'UTF8'", set("client_encoding", &["UTF8"])),
        ("SET SCHEMA 's'", set("search_path", &["s"])),
        ("SET ROLE NONE", set("role", &[])),
        ("SET SESSION AUTHORIZATION DEFAULT", set("session_authorization", &[])),
        ("SHOW a.B", show("a.b")),
        ("SHOW TIME ZONE", show("timezone")),
        ("SHOW TRANSACTION ISOLATION LEVEL", show("transaction_isolation")),
        ("SHOW SESSION AUTHORIZATION", show("session_authorization")),
        ("SHOW ALL", Kind::Show(ShowTarget::All)),
        ("SHOW TABLES", Kind::Show(ShowTarget::Tables)),
        ("SHOW FUNCTIONS LIKE 'a%'", Kind::Show(ShowTarget::Functions { like: Some("a%".into()) })),
        ("RESET ALL", Kind::Reset(ResetTarget::All)),
        ("RESET TIME ZONE", reset("timezone")),
        ("RESET ROLE", reset("role")),
        ("DISCARD ALL", Kind::Discard(DiscardTarget::All)),
        ("DISCARD TEMPORARY", Kind::Discard(DiscardTarget::Temp)),
    ];
    for (sql, kind) in cases {
        assert_eq!(one(sql), kind, "{sql}");
    }
    assert!(matches!(one("SET LOCAL x = 1"), Kind::Set { local: true, .. }));
    assert!(matches!(one("SET local = 1"), Kind::Set { local: false, .. }));
}

#[test]
fn transactions() {
    let none = TransactionModes::default();
    let modes = TransactionModes {
        isolation: Some(IsolationLevel::RepeatableRead),
        read_only: Some(true),
        deferrable: Some(false),
    };
    let listed = "ISOLATION LEVEL REPEATABLE READ, READ ONLY NOT DEFERRABLE";
    assert_eq!(one("BEGIN"), Kind::Begin { modes: none });
    assert_eq!(one("BEGIN WORK"), Kind::Begin { modes: none });
    assert_eq!(one(&format!("START TRANSACTION {listed}")), Kind::Begin { modes });
    assert_eq!(
        one(&format!("SET SESSION CHARACTERISTICS AS TRANSACTION {listed}")),
        Kind::SetTransaction { session_characteristics: true, modes }
    );
    assert_eq!(
        one(&format!("SET TRANSACTION {listed}")),
        Kind::SetTransaction { session_characteristics: false, modes }
    );
    for sql in ["COMMIT", "END WORK", "COMMIT TRANSACTION AND NO CHAIN"] {
        assert_eq!(one(sql), Kind::Commit, "{sql}");
    }
    for sql in ["ROLLBACK", "ABORT", "ABORT WORK"] {
        assert_eq!(one(sql), Kind::Rollback, "{sql}");
    }
}

#[test]
fn small_ddl() {
    let drop = |object, names: &[&str], if_exists, cascade| Kind::Drop {
        object,
        names: names.iter().map(|text| name(text)).collect(),
        if_exists,
        cascade,
    };
    let column = CommentTarget::Column { relation: name("s.t"), column: "c".into() };
    let cases = [
        ("CREATE SCHEMA IF NOT EXISTS S", Kind::CreateSchema { name: "s".into(), if_not_exists: true, owner: None }),
        ("DROP TABLE a, S.b", drop(ObjectKind::Table, &["a", "s.b"], false, false)),
        ("DROP VIEW IF EXISTS audience.s.v CASCADE", drop(ObjectKind::View, &["s.v"], true, true)),
        ("DROP SCHEMA s RESTRICT", drop(ObjectKind::Schema, &["s"], false, false)),
        ("COMMENT ON COLUMN s.t.C IS 'it''s'", Kind::Comment { object: column, comment: Some("it's".into()) }),
        ("COMMENT ON VIEW v IS NULL", Kind::Comment { object: CommentTarget::View(name("v")), comment: None }),
        (
            "COMMENT ON SCHEMA s IS $$x$$",
            Kind::Comment { object: CommentTarget::Schema("s".into()), comment: Some("x".into()) },
        ),
    ];
    for (sql, kind) in cases {
        assert_eq!(one(sql), kind, "{sql}");
    }
}

#[test]
fn create_table() {
    let made = table(
        "CREATE TABLE IF NOT EXISTS S.T (a text CONSTRAINT k PRIMARY KEY, \"B\" numeric(10, 2) DEFAULT 1 + 1 NOT NULL, \
         c timestamp with time zone NULL) PARTITION BY RANGE (c) WITH (cluster_by = 'a, c', n = -1, flag, x = On)",
    );
    assert!(made.if_not_exists && made.name == name("s.t"));
    let columns: Vec<_> = made
        .columns
        .iter()
        .map(|column| (fold(&column.name), column.data_type.to_string(), column.not_null, column.default.is_some()))
        .collect();
    assert_eq!(
        columns,
        [
            ("a".to_owned(), "TEXT".to_owned(), true, false),
            ("B".to_owned(), "NUMERIC(10,2)".to_owned(), true, true),
            ("c".to_owned(), "TIMESTAMP WITH TIME ZONE".to_owned(), false, false),
        ]
    );
    assert_eq!(made.primary_key.iter().map(fold).collect::<Vec<_>>(), ["a"]);
    assert_eq!(made.primary_key_name.as_deref(), Some("k"));
    assert_eq!(made.partition_by.as_ref().map(fold).as_deref(), Some("c"));
    let options: Vec<_> = made.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(options, [("cluster_by", "a, c"), ("n", "-1"), ("flag", "true"), ("x", "on")]);

    let made = table("CREATE TABLE t (a int, b int, PRIMARY KEY (b, a)) WITH (x = 1) PARTITION BY RANGE (a)");
    assert_eq!(made.primary_key.iter().map(fold).collect::<Vec<_>>(), ["b", "a"]);
    assert!(made.partition_by.is_some() && made.options.len() == 1);
}

#[test]
fn create_table_as() {
    let made = table("CREATE TABLE t (a, b) WITH (x = 1) AS SELECT 1, 2 WITH NO DATA");
    assert!(made.as_query.is_some() && made.with_no_data && made.columns.is_empty());
    assert_eq!(made.column_names.iter().map(fold).collect::<Vec<_>>(), ["a", "b"]);
    let made = table("CREATE TABLE t AS TABLE u WITH DATA");
    assert_eq!(made.as_query.map(|query| query.to_string()).as_deref(), Some("SELECT * FROM u"));
    assert!(!made.with_no_data);
}

#[test]
fn views_keep_their_text() {
    let Kind::CreateView(view) = one("CREATE OR REPLACE VIEW s.\"V\" (A, b) AS  SELECT 1 /* é */ AS x ,\n 2 -- end")
    else {
        panic!("no view")
    };
    assert!(view.or_replace && view.name == name("s.V"));
    assert_eq!(view.columns.iter().map(fold).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(view.query_text, "SELECT 1 /* é */ AS x ,\n 2");
}

#[test]
fn explain() {
    let cases = [
        ("EXPLAIN ANALYZE VERBOSE SELECT 1", true, true),
        ("EXPLAIN (ANALYZE, VERBOSE off, COSTS off, TIMING 0, SUMMARY false, FORMAT text) SELECT 1", true, false),
        ("EXPLAIN (SELECT 1)", false, false),
        ("EXPLAIN INSERT INTO t VALUES (1)", false, false),
        ("EXPLAIN TABLE t", false, false),
        ("EXPLAIN CREATE TABLE t AS SELECT 1", false, false),
    ];
    for (sql, analyzed, verbosely) in cases {
        let Kind::Explain { analyze, verbose, .. } = one(sql) else { panic!("{sql}") };
        assert_eq!((analyze, verbose), (analyzed, verbosely), "{sql}");
    }
    assert_eq!(error("EXPLAIN CREATE TABLE t (a int)").sqlstate, SqlState::SYNTAX_ERROR);
}

#[test]
fn insert() {
    let Kind::Insert(insert) = one("INSERT INTO s.t AS x (a, \"B\") VALUES ($1, DEFAULT)") else { panic!("no insert") };
    assert_eq!(insert.table.to_string(), "s.t");
    assert_eq!(insert.columns.len(), 2);
    assert!(insert.table_alias.is_some_and(|alias| alias.alias.value == "x") && insert.source.is_some());
    for sql in ["INSERT INTO t (SELECT 1)", "INSERT INTO t TABLE u", "INSERT INTO t WITH x AS (SELECT 1) TABLE x"] {
        assert!(matches!(one(sql), Kind::Insert(insert) if insert.columns.is_empty()), "{sql}");
    }
    assert!(matches!(one("INSERT INTO t DEFAULT VALUES"), Kind::Insert(insert) if insert.source.is_none()));
}

#[test]
fn queries_as_postgresql_reads_them() {
    assert_eq!(query("TABLE \"T\""), "SELECT * FROM \"T\"");
    assert_eq!(query("(TABLE a) UNION ALL TABLE b"), "(SELECT * FROM a) UNION ALL SELECT * FROM b");
    assert_eq!(query("SELECT 1 AS x FROM t LIMIT ALL"), "SELECT 1 AS x FROM t");
    assert_eq!(query("SELECT 1 OFFSET 2 FETCH FIRST 3 ROWS ONLY"), "SELECT 1 LIMIT 3 OFFSET 2");
    assert_eq!(query("SELECT f(a => 1, b := 2, c)"), "SELECT f(a => 1, b := 2, c)");
    assert_eq!(query("WITH x AS (VALUES (1)) SELECT * FROM x"), "WITH x AS (VALUES (1)) SELECT * FROM x");

    for sql in ["SELECT a IS DISTINCT FROM b AND c", "SELECT a IS NOT DISTINCT FROM b AND c"] {
        let Expr::BinaryOp { left, op: BinaryOperator::And, .. } = expr(sql) else { panic!("{sql}") };
        assert!(matches!(*left, Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..)), "{sql}");
    }
    let Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } = expr("SELECT -2 ^ 2") else { panic!("power") };
    assert!(matches!(*left, Expr::UnaryOp { .. }));
    assert!(matches!(expr("SELECT a>-1"), Expr::BinaryOp { op: BinaryOperator::Gt, .. }));
    assert!(matches!(expr("SELECT a>--x\n1"), Expr::BinaryOp { op: BinaryOperator::Gt, .. }));
    assert!(matches!(expr("SELECT a ISNULL"), Expr::IsNull(_)));
    let Expr::Value(value) = expr("SELECT 'a' -- and\n 'b'") else { panic!("string") };
    assert_eq!(value.value, Value::SingleQuotedString("ab".into()));
    let Expr::Value(value) = expr("SELECT U&'\\00e9'") else { panic!("string") };
    assert_eq!(value.value, Value::SingleQuotedString("é".into()));
}

#[test]
fn what_we_do_not_have_is_named() {
    let cases = [
        ("REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW"),
        ("UPDATE t SET a[1] = 1", "an assignment to a part of a column"),
        ("ALTER TABLE t ENABLE TRIGGER ALL", "ALTER TABLE … ENABLE"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ ; $$ LANGUAGE sql", "CREATE OR REPLACE FUNCTION"),
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x'", "CREATE EXTERNAL TABLE"),
        ("CREATE UNLOGGED TABLE t (a int)", "CREATE UNLOGGED TABLE"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW"),
        ("CREATE RECURSIVE VIEW v (a) AS SELECT 1", "CREATE RECURSIVE VIEW"),
        ("SECURITY LABEL ON TABLE t IS 'x'", "SECURITY LABEL"),
        ("COMMENT ON FUNCTION f() IS 'x'", "COMMENT ON FUNCTION"),
        ("DROP MATERIALIZED VIEW v", "DROP MATERIALIZED VIEW"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("COMMIT AND CHAIN", "COMMIT AND CHAIN"),
        ("COMMIT PREPARED 'x'", "COMMIT PREPARED"),
        ("SET TRANSACTION SNAPSHOT 'x'", "SET TRANSACTION SNAPSHOT"),
        ("SET TIME ZONE INTERVAL '1' HOUR", "SET TIME ZONE INTERVAL"),
        ("EXPLAIN (FORMAT json) SELECT 1", "EXPLAIN (FORMAT JSON)"),
        ("EXPLAIN (BUFFERS) SELECT 1", "EXPLAIN (BUFFERS)"),
        ("DELETE FROM t WHERE CURRENT OF c", "WHERE CURRENT OF"),
        ("MERGE INTO t USING s ON true WHEN NOT MATCHED BY SOURCE THEN DELETE", "MERGE … WHEN NOT MATCHED BY"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE a > 0 DO NOTHING", "ON CONFLICT (…) WHERE"),
        ("INSERT INTO t (a) OVERRIDING USER VALUE VALUES (1)", "INSERT … OVERRIDING"),
        ("WITH x AS (DELETE FROM t) SELECT 1", "WITH … DELETE"),
        ("SELECT 1 INTO t", "SELECT … INTO"),
        ("SELECT * FROM t FOR UPDATE", "SELECT … FOR UPDATE"),
        ("SELECT * FROM (SELECT * FROM t FOR SHARE) x", "SELECT … FOR SHARE"),
        ("SELECT * FROM t FOR NO KEY UPDATE", "SELECT … FOR UPDATE"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (1)", "TABLESAMPLE"),
        ("SELECT * FROM f(1) WITH ORDINALITY", "WITH ORDINALITY"),
        ("SELECT 1 FETCH FIRST 1 ROWS WITH TIES", "FETCH … WITH TIES"),
        ("CREATE TABLE t (a text COLLATE \"C\")", "COLLATE in CREATE TABLE"),
        ("CREATE TABLE t (a text DEFAULT 'x' COLLATE \"C\")", "COLLATE in CREATE TABLE"),
        ("CREATE TABLE t (a int UNIQUE)", "UNIQUE in CREATE TABLE"),
        ("CREATE TABLE t (a int CHECK (a > 0))", "CHECK in CREATE TABLE"),
        ("CREATE TABLE t (a int REFERENCES u)", "REFERENCES in CREATE TABLE"),
        ("CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)", "GENERATED in CREATE TABLE"),
        ("CREATE TABLE t (a int, CONSTRAINT c FOREIGN KEY (a) REFERENCES u)", "FOREIGN KEY in CREATE TABLE"),
        ("CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))", "EXCLUDE in CREATE TABLE"),
        ("CREATE TABLE t (LIKE u)", "LIKE in CREATE TABLE"),
        ("CREATE TABLE t (a int) INHERITS (u)", "INHERITS in CREATE TABLE"),
        ("CREATE TABLE t PARTITION OF u DEFAULT", "PARTITION OF in CREATE TABLE"),
        ("CREATE TABLE t (a int) USING heap", "USING in CREATE TABLE"),
        ("CREATE TABLE t (a int) TABLESPACE x", "TABLESPACE in CREATE TABLE"),
        ("CREATE TABLE t (a int) PARTITION BY HASH (a)", "PARTITION BY HASH"),
        ("CREATE TABLE t (a int, b int) PARTITION BY RANGE (a, b)", "PARTITION BY RANGE of more than one column"),
        ("CREATE TABLE t (a int) PARTITION BY RANGE (abs(a))", "PARTITION BY RANGE of an expression"),
        ("CREATE VIEW v WITH (security_barrier) AS SELECT 1", "CREATE VIEW … WITH (…)"),
        ("CREATE VIEW v AS SELECT 1 WITH CHECK OPTION", "WITH CHECK OPTION"),
        ("CREATE SCHEMA s CREATE TABLE t (a int)", "CREATE SCHEMA with elements"),
    ];
    for (sql, what) in cases {
        let error = error(sql);
        assert_eq!(error.message, format!("{what} is not supported yet"), "{sql}");
        assert_eq!(error.sqlstate, SqlState::FEATURE_NOT_SUPPORTED, "{sql}");
    }
    assert_eq!(error("DROP TABLE x.y.z").sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
}

#[test]
fn syntax_errors_point_at_characters_of_the_message() {
    let cases = [
        ("SELECT * FORM t", "syntax error at or near \"FORM\"", 10),
        ("SELECT 'éü' FROM\n WHERE x", "syntax error at or near \"WHERE\"", 19),
        ("SELECT 'é'; SELECT 'é' ü x", "syntax error at or near \"x\"", 26),
        ("SELECT 1;\nSELEC 2", "syntax error at or near \"SELEC\"", 11),
        ("SELECT and", "syntax error at or near \"and\"", 8),
        ("SELECT CASE WHEN a THEN END", "syntax error at or near \"END\"", 25),
        ("INSERT INTO t VALUES (1,)", "syntax error at or near \")\"", 25),
        ("INSERT INTO table VALUES (1)", "syntax error at or near \"table\"", 13),
        ("CREATE FOO x", "syntax error at or near \"FOO\"", 8),
        ("CREATE TABLE t (a int,)", "syntax error at or near \")\"", 23),
        ("CREATE TABLE t (a int) AS SELECT 1", "syntax error at or near \"AS\"", 24),
        ("SELECT (1", "syntax error at end of input", 10),
        ("SELECT (1; SELECT 2", "syntax error at or near \";\"", 10),
        ("/* é */ SELECT 1 +", "syntax error at end of input", 19),
        ("SET x", "syntax error at end of input", 6),
        ("SELECT 'abc", "unterminated quoted string at or near \"'abc\"", 8),
        ("SELECT E'abc\\'", "unterminated quoted string at or near \"E'abc\\'\"", 8),
        ("SELECT \"abc", "unterminated quoted identifier at or near \"\"abc\"", 8),
        ("SELECT $x$ é", "unterminated dollar-quoted string at or near \"$x$ é\"", 8),
        ("SELECT 1 /* never", "unterminated /* comment at or near \"/* never\"", 10),
        ("SELECT 'a' 'b'", "syntax error at or near \"'b'\"", 12),
        ("SELECT 1a", "trailing junk after numeric literal at or near \"1a\"", 8),
        ("SELECT 0x1f", "trailing junk after numeric literal at or near \"0x1f\"", 8),
        ("SELECT $x", "syntax error at or near \"$x\"", 8),
        ("SELECT \"\"", "zero-length delimited identifier at or near \"\"\"\"", 8),
        ("EXPLAIN (FOO) SELECT 1", "unrecognized EXPLAIN option \"foo\"", 10),
    ];
    for (sql, message, position) in cases {
        let error = error(sql);
        assert_eq!((error.message.as_str(), error.position), (message, Some(position)), "{sql}");
        assert_eq!(error.sqlstate, SqlState::SYNTAX_ERROR, "{sql}");
    }
    assert_eq!(error("SELECT E'\\u12'").message, "invalid escape in string constant at or near \"E'\\u12'\"");
}

#[test]
fn contradictions_in_a_table() {
    let twice = error("CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a))");
    assert_eq!((twice.sqlstate, twice.position), (SqlState::INVALID_TABLE_DEFINITION, Some(36)));
    assert_eq!(error("CREATE TABLE t (a int NULL NOT NULL)").sqlstate, SqlState::SYNTAX_ERROR);
    assert_eq!(error("CREATE TABLE t (a int) WITH (x = 1, X = 2)").sqlstate, SqlState::INVALID_PARAMETER_VALUE);
}

#[test]
fn only_tokens_end_a_statement() {
    let message = "SELECT ';' ; /* ; /* ; */ */ ;; SELECT $$;$$ -- ;\n; SELECT $a$ ; $$ $a$, \"a;b\"";
    let texts: Vec<_> = parse(message).unwrap().iter().map(|statement| statement.text.to_string()).collect();
    assert_eq!(texts, ["SELECT ';'", "SELECT $$;$$", "SELECT $a$ ; $$ $a$, \"a;b\""]);
    assert!(parse("").unwrap().is_empty());
    assert!(parse(" ; -- nothing\n ;").unwrap().is_empty());
}

#[test]
fn a_statement_knows_its_place() {
    let statements = parse("SELECT 'é'; SELECT\n1").unwrap();
    let second = &statements[1];
    assert_eq!((&*second.text, second.offset), ("SELECT\n1", 12));
    assert_eq!(second.position(2, 1), Some(20));
    assert_eq!(second.position(1, 13), Some(13));
    assert_eq!(second.position(1, 1), None);
    assert_eq!(second.position(0, 0), None);
    let Kind::Query(query) = &second.kind else { panic!("no query") };
    let SetExpr::Select(select) = &*query.body else { panic!("no select") };
    let start = select.select_token.0.span.start;
    assert_eq!(second.position(start.line, start.column), Some(13));
}

#[test]
fn nothing_exhausts_the_stack_or_the_clock() {
    let too_complex = |sql: String| {
        let begun = Instant::now();
        let error = error(&sql);
        assert_eq!(error.sqlstate, SqlState::STATEMENT_TOO_COMPLEX, "{}", &sql[..40]);
        assert!(begun.elapsed() < Duration::from_secs(60));
    };
    too_complex(format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)));
    too_complex("(".repeat(1 << 20));
    too_complex(format!("SELECT 1{}", " + 1".repeat(1 << 18)));
    too_complex(format!("SELECT 1{}", "::int[]".repeat(1 << 17)));
    too_complex(format!("SELECT {}1", "- ".repeat(1 << 19)));
    too_complex(format!("SELECT 1{}", " UNION SELECT 1".repeat(1 << 16)));
    too_complex(format!("SELECT {}b", "a.".repeat(2000)));
    too_complex("SELECT 1;".repeat(MAX_STATEMENTS + 1));
    too_complex(format!("SELECT '{}'", "x".repeat(tokens::MAX_BYTES)));
    // Each level is tried in two ways.
    let begun = Instant::now();
    assert!(parse(&format!("SELECT {}", "substring(".repeat(60))).is_err());
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_megabyte_and_nested_calls_are_fine() {
    let values = format!(", ('{}')", "x".repeat(100)).repeat(10_000);
    assert!(matches!(one(&format!("INSERT INTO t VALUES ('a'){values}")), Kind::Insert(_)));
    one(&format!("SELECT {}1{}", "f(".repeat(60), ")".repeat(60)));
    one(&format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60)));
    one(&format!("SELECT 1 WHERE a = 1{}", " OR a = 1".repeat(900)));
}

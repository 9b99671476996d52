#!/usr/bin/env python3
"""The privilege matrix: who may do what, asked of us and of a real PostgreSQL, and the two answers compared.

Every role of ROLES stands for one way of holding (or not holding) a privilege. Every statement of PROBES is run by
every role, in a transaction that is rolled back. Rows, or SQLSTATE and message of the error, have to be the same.
With -v every outcome is printed.
"""

import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg import pq

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from postgres import Cluster  # noqa: E402
from served import Server  # noqa: E402

# What there is to be had. `boss` owns it, `clerk` owns views over it.
OBJECTS = [
    "CREATE SCHEMA segments",
    "CREATE ROLE boss",
    "CREATE ROLE clerk",
    "CREATE ROLE stranger",
    "GRANT CREATE, USAGE ON SCHEMA public TO boss, clerk",
    "CREATE SCHEMA shut",
    "GRANT USAGE, CREATE ON SCHEMA shut TO boss",
    "CREATE SCHEMA open",
    "GRANT USAGE ON SCHEMA open TO PUBLIC",
    "CREATE TABLE public.t (k integer PRIMARY KEY, a integer, b text)",
    "CREATE TABLE public.u (k integer, c integer)",
    "CREATE TABLE shut.hidden (x integer)",
    "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two')",
    "INSERT INTO u VALUES (1, 5)",
    "INSERT INTO shut.hidden VALUES (1)",
    "ALTER TABLE t OWNER TO boss",
    "ALTER TABLE u OWNER TO boss",
    "ALTER TABLE shut.hidden OWNER TO boss",
    # Views: of the table's owner, of one who may read it, of one who may read a column, of one who may not.
    "CREATE VIEW v AS SELECT k, a FROM t",
    "ALTER VIEW v OWNER TO boss",
    "CREATE VIEW granted AS SELECT c FROM u",
    "ALTER VIEW granted OWNER TO clerk",
    "GRANT SELECT (c) ON u TO clerk",
    "CREATE VIEW nested AS SELECT v.k, v.a, (SELECT count(*) FROM granted) AS n FROM v",
    "ALTER VIEW nested OWNER TO clerk",
    "GRANT SELECT ON v TO clerk",
    "CREATE VIEW broken AS SELECT k, c FROM u",
    "ALTER VIEW broken OWNER TO clerk",
    "CREATE VIEW deep AS SELECT x FROM shut.hidden",
    "ALTER VIEW deep OWNER TO boss",
    "CREATE ROLE readers",
    "GRANT SELECT ON t, v TO readers",
    "CREATE ROLE writers",
    "GRANT INSERT ON t TO writers",
    "CREATE ROLE outer_readers IN ROLE readers",
    "CREATE ROLE closed_readers NOINHERIT IN ROLE readers",
]

# name: how it came to hold what it holds.
ROLES = {
    "nobody": [],
    "reader": ["GRANT SELECT ON t TO reader"],
    "column_reader": ["GRANT SELECT (a) ON t TO column_reader"],
    "two_column_reader": ["GRANT SELECT (k, a), INSERT (k) ON t TO two_column_reader"],
    "inserter": ["GRANT INSERT ON t TO inserter"],
    "column_inserter": ["GRANT INSERT (k, a) ON t TO column_inserter"],
    "all_of_it": ["GRANT ALL ON t TO all_of_it"],
    "with_option": ["GRANT SELECT, INSERT ON t TO with_option WITH GRANT OPTION"],
    "column_option": ["GRANT SELECT (a) ON t TO column_option WITH GRANT OPTION"],
    "updater": ["GRANT UPDATE ON t TO updater"],
    "column_updater": ["GRANT UPDATE (a), SELECT (k) ON t TO column_updater"],
    "deleter": ["GRANT DELETE ON t TO deleter"],
    "deleter_who_reads": ["GRANT DELETE, SELECT ON t TO deleter_who_reads", "GRANT SELECT ON u TO deleter_who_reads"],
    "upserter": ["GRANT INSERT, UPDATE, SELECT ON t TO upserter", "GRANT SELECT ON u TO upserter"],
    "truncater": ["GRANT TRUNCATE ON t TO truncater"],
    "revoked": ["GRANT ALL ON t TO revoked", "REVOKE SELECT ON t FROM revoked"],
    "column_revoked": ["GRANT SELECT (a), SELECT (b) ON t TO column_revoked", "REVOKE SELECT ON t FROM column_revoked"],
    "member": ["GRANT readers TO member"],
    "member_of_member": ["GRANT outer_readers TO member_of_member"],
    "closed_member": ["ALTER ROLE closed_member NOINHERIT", "GRANT readers TO closed_member"],
    "behind_closed": ["GRANT closed_readers TO behind_closed"],
    "both_member": ["GRANT readers, writers TO both_member"],
    "admin_member": ["GRANT readers TO admin_member WITH ADMIN OPTION"],
    "boss": None,
    "deputy": ["GRANT boss TO deputy"],
    "closed_deputy": ["ALTER ROLE closed_deputy NOINHERIT", "GRANT boss TO closed_deputy"],
    "clerk": None,
    "view_reader": ["GRANT SELECT ON v, nested, broken, deep, granted TO view_reader"],
    "view_column_reader": ["GRANT SELECT (a) ON v TO view_column_reader"],
    "shut_reader": ["GRANT SELECT ON shut.hidden TO shut_reader"],
    "shut_user": ["GRANT USAGE ON SCHEMA shut TO shut_user"],
    "shut_both": ["GRANT SELECT ON shut.hidden TO shut_both", "GRANT USAGE ON SCHEMA shut TO shut_both"],
    "maker": ["GRANT USAGE, CREATE ON SCHEMA open TO maker", "GRANT SELECT ON t TO maker"],
    "public_maker": ["GRANT CREATE ON SCHEMA public TO public_maker"],
    "schema_maker": ["GRANT CREATE ON DATABASE audience TO schema_maker"],
    "all_reader": ["GRANT pg_read_all_data TO all_reader"],
    "all_writer": ["GRANT pg_write_all_data TO all_writer"],
    "closed_all_reader": ["ALTER ROLE closed_all_reader NOINHERIT", "GRANT pg_read_all_data TO closed_all_reader"],
    "file_reader": ["GRANT pg_read_server_files TO file_reader", "GRANT INSERT ON t TO file_reader"],
    "file_writer": ["GRANT pg_write_server_files TO file_writer"],
    "role_maker": ["ALTER ROLE role_maker CREATEROLE"],
    "super": ["ALTER ROLE super SUPERUSER"],
    "super_member": ["GRANT super TO super_member"],
}

PROBES = [
    # SELECT: whole rows, single columns, none.
    "SELECT * FROM t ORDER BY k",
    "SELECT a FROM t ORDER BY a",
    "SELECT k, a FROM t ORDER BY k",
    "SELECT b FROM t ORDER BY b",
    "SELECT count(*) FROM t",
    "SELECT count(a) FROM t",
    "SELECT 1 FROM t",
    "SELECT 1 FROM t WHERE b = 'one'",
    "SELECT a FROM t ORDER BY b",
    "SELECT a, count(*) FROM t GROUP BY a ORDER BY a",
    "SELECT count(*) FROM t GROUP BY b",
    "SELECT k, count(*) FROM t GROUP BY k ORDER BY k",
    "SELECT k, a FROM t GROUP BY k ORDER BY k",
    "SELECT max(a) FROM t HAVING max(b) > ''",
    "SELECT a, row_number() OVER (ORDER BY b) FROM t ORDER BY a",
    "SELECT x.a FROM t AS x ORDER BY x.a",
    "SELECT a FROM (SELECT a, b FROM t) AS s ORDER BY a",
    "SELECT a FROM (SELECT a FROM t) AS s ORDER BY a",
    "WITH s AS (SELECT a FROM t) SELECT a FROM s ORDER BY a",
    "WITH s AS (SELECT * FROM t) SELECT a FROM s ORDER BY a",
    "SELECT x.a FROM t AS x JOIN t AS y ON x.k = y.k ORDER BY x.a",
    "SELECT x.a FROM t AS x JOIN t AS y USING (k) ORDER BY x.a",
    "SELECT x.a FROM t AS x CROSS JOIN u ORDER BY x.a",
    "SELECT c FROM u",
    "SELECT k FROM u",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
    "SELECT c FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.k = u.c)",
    "SELECT (SELECT max(a) FROM t) AS m",
    "SELECT (SELECT max(t.a) FROM t WHERE t.k = u.k) AS m FROM u",
    "SELECT c FROM u WHERE c IN (SELECT a FROM t)",
    "SELECT a FROM t UNION ALL SELECT c FROM u ORDER BY 1",
    "SELECT a FROM t INTERSECT SELECT a FROM t ORDER BY 1",
    "SELECT DISTINCT a FROM t ORDER BY a",
    "SELECT t.a, l.c FROM t CROSS JOIN LATERAL (SELECT c FROM u WHERE u.k = t.k) AS l",
    "SELECT a FROM t WHERE a > 0 LIMIT 1 OFFSET 5",
    "TABLE t ORDER BY k",
    "VALUES (1)",
    # What an error tells.
    "SELECT nothing FROM t",
    "SELECT a FROM missing",
    "SELECT a FROM nowhere.missing",
    "SELECT x FROM shut.missing",
    # Views.
    "SELECT * FROM v ORDER BY k",
    "SELECT a FROM v ORDER BY a",
    "SELECT count(*) FROM v",
    "SELECT * FROM granted",
    "SELECT * FROM nested ORDER BY k",
    "SELECT n FROM nested LIMIT 1",
    "SELECT * FROM broken",
    "SELECT c FROM broken",
    "SELECT * FROM deep",
    "SELECT x FROM shut.hidden",
    # INSERT.
    "INSERT INTO t VALUES (3, 30, 'three')",
    "INSERT INTO t (k) VALUES (3)",
    "INSERT INTO t (k, a) VALUES (3, 30)",
    "INSERT INTO t VALUES (3, 30)",
    "INSERT INTO t (k, b) VALUES (3, 'x')",
    "INSERT INTO t SELECT k + 10, c FROM u",
    "INSERT INTO u (k, c) SELECT k, a FROM t",
    "INSERT INTO shut.hidden VALUES (2)",
    "INSERT INTO t VALUES (3, 30, 'three') RETURNING k",
    "INSERT INTO t (k) VALUES (3) RETURNING b",
    "INSERT INTO t VALUES (1, 5, 'x') ON CONFLICT (k) DO NOTHING",
    "INSERT INTO t (k) VALUES (1) ON CONFLICT (k) DO UPDATE SET a = 1",
    "INSERT INTO t (k, a) VALUES (1, 2) ON CONFLICT (k) DO UPDATE SET a = excluded.a WHERE t.b = 'one'",
    # UPDATE, DELETE, MERGE, TRUNCATE.
    "UPDATE t SET a = 1",
    "UPDATE t SET b = 'x', a = 2",
    "UPDATE t SET a = a + 1",
    "UPDATE t SET a = 1 WHERE k = 1",
    "UPDATE t SET a = 1 WHERE b = 'one'",
    "UPDATE t SET a = c FROM u WHERE u.k = t.k",
    "UPDATE t SET a = (SELECT max(c) FROM u)",
    "UPDATE t SET a = 1 WHERE k = 1 RETURNING k",
    "UPDATE t SET nothing = 1",
    "UPDATE missing SET a = 1",
    "UPDATE shut.hidden SET x = 2",
    "DELETE FROM t",
    "DELETE FROM t WHERE a = 10",
    "DELETE FROM t USING u WHERE u.k = t.k",
    "DELETE FROM t WHERE k = 2 RETURNING b",
    "DELETE FROM shut.hidden",
    "MERGE INTO t USING u ON t.k = u.k WHEN MATCHED THEN UPDATE SET a = u.c",
    "MERGE INTO t USING u ON t.k = u.k WHEN MATCHED THEN DELETE",
    "MERGE INTO t USING u ON t.k = u.k + 5 WHEN NOT MATCHED THEN INSERT VALUES (u.k + 5, u.c, 'n')",
    "TRUNCATE t",
    "TRUNCATE t, u",
    "EXPLAIN UPDATE t SET a = 1 WHERE k = 1",
    "EXPLAIN DELETE FROM t",
    "PREPARE p AS DELETE FROM t",
    # EXPLAIN, PREPARE, CREATE TABLE AS.
    "EXPLAIN SELECT a FROM t",
    "EXPLAIN SELECT b FROM t",
    "EXPLAIN SELECT * FROM nested",
    "EXPLAIN INSERT INTO t (k) VALUES (3)",
    "PREPARE p AS SELECT b FROM t",
    "PREPARE p AS SELECT a FROM t ORDER BY a; EXECUTE p",
    "PREPARE p AS SELECT b FROM t ORDER BY b; EXECUTE p",
    "PREPARE p AS SELECT x FROM shut.hidden",
    "CREATE TABLE open.copy AS SELECT a FROM t",
    "CREATE TABLE open.copy AS SELECT b FROM t WITH NO DATA",
    "CREATE TABLE public.copy AS SELECT a FROM t",
    # COPY: as SELECT, as INSERT, and files.
    "COPY t TO STDOUT",
    "COPY t (a) TO STDOUT",
    "COPY t (k, b) TO STDOUT",
    "COPY (SELECT a FROM t) TO STDOUT",
    "COPY (SELECT b FROM t) TO STDOUT",
    "COPY (SELECT * FROM nested) TO STDOUT",
    "COPY shut.hidden TO STDOUT",
    "COPY t FROM STDIN",
    "COPY t (k) FROM STDIN",
    "COPY t (k, a) FROM STDIN",
    "COPY t FROM '/nowhere/at/all'",
    "COPY t (k) FROM '/nowhere/at/all'",
    "COPY (SELECT a FROM t) TO '/nowhere/at/all'",
    # Making and taking away.
    "CREATE TABLE open.mine (x integer)",
    "CREATE TABLE public.mine (x integer)",
    "CREATE TABLE shut.mine (x integer)",
    "CREATE VIEW open.mine AS SELECT b FROM t",
    "CREATE VIEW open.mine AS SELECT x FROM shut.hidden",
    "CREATE OR REPLACE VIEW v AS SELECT k, a FROM t WHERE a > 0",
    "CREATE TABLE open.mine (x integer); INSERT INTO open.mine VALUES (1); SELECT * FROM open.mine; DROP TABLE open.mine",
    "CREATE SCHEMA mine",
    "CREATE SCHEMA mine; CREATE TABLE mine.x (x integer); DROP SCHEMA mine CASCADE",
    "DROP TABLE u CASCADE",
    "DROP VIEW nested",
    "DROP VIEW v",
    "DROP TABLE shut.hidden CASCADE",
    "DROP SCHEMA open",
    "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON VIEW v IS 'x'",
    "COMMENT ON COLUMN t.a IS 'x'",
    "COMMENT ON SCHEMA open IS 'x'",
    "ALTER TABLE t OWNER TO stranger",
    "ALTER VIEW v OWNER TO boss",
    "ALTER SCHEMA open OWNER TO stranger",
    # GRANT and REVOKE.
    "GRANT SELECT ON t TO stranger",
    "GRANT SELECT ON t TO stranger WITH GRANT OPTION",
    "GRANT SELECT (a) ON t TO stranger",
    "GRANT SELECT (a), INSERT (b) ON t TO stranger",
    "GRANT UPDATE ON t TO stranger",
    "GRANT ALL ON t TO stranger",
    "GRANT SELECT ON t TO PUBLIC",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger",
    "GRANT SELECT ON ALL TABLES IN SCHEMA shut TO stranger",
    "GRANT USAGE ON SCHEMA shut TO stranger",
    "GRANT USAGE ON SCHEMA open TO stranger",
    "GRANT CONNECT ON DATABASE audience TO stranger",
    "REVOKE SELECT ON t FROM readers",
    "REVOKE SELECT ON t FROM with_option",
    "REVOKE GRANT OPTION FOR SELECT ON t FROM with_option",
    "REVOKE ALL ON t FROM PUBLIC",
    "REVOKE INSERT (k) ON t FROM column_inserter",
    "GRANT readers TO stranger",
    "GRANT readers TO stranger WITH ADMIN OPTION",
    "REVOKE readers FROM member",
    "GRANT super TO stranger",
    "GRANT pg_read_all_data TO stranger",
    # Roles.
    "CREATE ROLE made",
    "CREATE ROLE made SUPERUSER",
    "CREATE ROLE made REPLICATION",
    "CREATE USER made PASSWORD 'secret' VALID UNTIL '2030-01-01' CONNECTION LIMIT 3",
    "ALTER ROLE stranger LOGIN",
    "ALTER ROLE stranger SUPERUSER",
    "ALTER ROLE super LOGIN",
    "ALTER ROLE current_user PASSWORD 'mine'",
    "ALTER ROLE current_user CREATEROLE",
    "ALTER ROLE stranger RENAME TO stranger2",
    "DROP ROLE stranger",
    "DROP ROLE boss",
    "DROP ROLE super",
    "DROP ROLE missing",
    "COMMENT ON ROLE stranger IS 'x'",
    "SET ROLE boss",
    "SET ROLE readers; SELECT current_user; SELECT a FROM t ORDER BY a",
    "SET ROLE readers; RESET ROLE; SELECT a FROM t ORDER BY a",
    "SET ROLE missing",
    "SET ROLE super",
    "SET ROLE pg_read_all_data; SELECT a FROM t ORDER BY a",
    "SET SESSION AUTHORIZATION boss",
    "SELECT current_user = session_user",
    "REASSIGN OWNED BY boss TO stranger",
    "DROP OWNED BY stranger",
    "DROP OWNED BY readers",
]

# The functions that tell, for all of these at once.
TOLD = [
    "has_table_privilege('t', 'SELECT')",
    "has_table_privilege('t', 'INSERT')",
    "has_table_privilege('t', 'UPDATE, SELECT')",
    "has_table_privilege('t', 'SELECT WITH GRANT OPTION')",
    "has_table_privilege('v', 'SELECT')",
    "has_table_privilege('shut.hidden'::regclass, 'SELECT')",
    "has_any_column_privilege('t', 'SELECT')",
    "has_any_column_privilege('t', 'INSERT')",
    "has_column_privilege('t', 'a', 'SELECT')",
    "has_column_privilege('t', 'b', 'SELECT')",
    "has_column_privilege('t', 'a', 'SELECT WITH GRANT OPTION')",
    "has_column_privilege('t', 2::smallint, 'SELECT')",
    "has_schema_privilege('shut', 'USAGE')",
    "has_schema_privilege('open', 'USAGE')",
    "has_schema_privilege('open', 'CREATE')",
    "has_schema_privilege('public', 'CREATE')",
    "has_database_privilege('audience', 'CONNECT')",
    "has_database_privilege('audience', 'CREATE')",
    "has_database_privilege('audience', 'TEMP')",
    "has_function_privilege('lower(text)', 'EXECUTE')",
    "pg_has_role('boss', 'USAGE')",
    "pg_has_role('boss', 'MEMBER')",
    "pg_has_role('readers', 'USAGE')",
    "pg_has_role('readers', 'MEMBER')",
    "pg_has_role('readers', 'MEMBER WITH ADMIN OPTION')",
    "pg_has_role('pg_read_all_data', 'USAGE')",
]

# Asked once, by the superuser, of the catalogs.
CATALOGS = [
    "SELECT relname, relacl::text FROM pg_class WHERE relname IN ('t', 'u', 'v', 'nested', 'hidden') ORDER BY 1",
    "SELECT attname, attacl::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY 1",
    "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname IN ('open', 'shut', 'public') ORDER BY 1",
    "SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('t', 'v', 'nested') ORDER BY 1",
    "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcanlogin, rolconnlimit FROM pg_roles "
    "WHERE rolname !~ '^pg_' ORDER BY 1",
    "SELECT pg_get_userbyid(roleid), pg_get_userbyid(member), admin_option FROM pg_auth_members "
    "WHERE pg_get_userbyid(member) !~ '^pg_' ORDER BY 1, 2",
    "SELECT grantor, grantee, table_name, privilege_type, is_grantable FROM information_schema.role_table_grants "
    "WHERE table_name IN ('t', 'v') ORDER BY 2, 3, 4",
    "SELECT has_table_privilege('reader', 't', 'SELECT'), has_table_privilege('nobody', 't', 'SELECT')",
    "SELECT has_table_privilege('missing', 't', 'SELECT')",
    "SELECT has_table_privilege('missing', 'SELECT')",
    "SELECT has_table_privilege('t', 'READ')",
    "SELECT has_column_privilege('t', 'missing', 'SELECT')",
    "SELECT pg_has_role('member', 'readers', 'USAGE'), pg_has_role('nobody', 'readers', 'MEMBER')",
    "SELECT pg_has_role('missing', 'USAGE')",
    "SELECT has_table_privilege(99999999, 'SELECT')",
]


def outcome(connection, sql):
    """Rows of the last statement, or the error."""
    server = connection.pgconn
    result = server.exec_(sql.encode())
    if result.status == pq.ExecStatus.COPY_IN:
        columns = sql.split("(")[1].split(")")[0].count(",") + 1 if "(" in sql else 3
        server.put_copy_data("\t".join(["9"] * columns).encode() + b"\n")
        server.put_copy_end()
    if result.status in (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT):
        while result.status == pq.ExecStatus.COPY_OUT and server.get_copy_data(0)[0] > 0:
            pass
        result = server.get_result()
        while server.get_result() is not None:
            pass
    if result.status == pq.ExecStatus.FATAL_ERROR:
        field = lambda code: (result.error_field(code) or b"").decode()
        return f"{field(pq.DiagnosticField.SQLSTATE)}: {field(pq.DiagnosticField.MESSAGE_PRIMARY)}"
    if result.status == pq.ExecStatus.TUPLES_OK and not sql.startswith("EXPLAIN"):
        value = lambda row, column: (result.get_value(row, column) or b"NULL").decode()
        rows = [[value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return "\n".join("|".join(row) for row in rows)
    return (result.command_status or b"").decode() if not sql.startswith("EXPLAIN") else "explained"


def prepare(connection):
    statements = [sql for sql in OBJECTS]
    for role, grants in ROLES.items():
        if grants is not None:
            statements += [f"CREATE ROLE {role}"]
    statements += [grant for grants in ROLES.values() for grant in grants or []]
    for sql in statements:
        got = outcome(connection, sql)
        if got[5:6] == ":" and not (sql == "CREATE SCHEMA segments" and got.startswith("42P06")):
            raise SystemExit(f"{sql}\n  {got}")


# Which of several relations is refused first is a matter of how PostgreSQL's catalog lies on its disk, and each has its
# words for a file that can't be opened.
BY_SQLSTATE = ("ON ALL TABLES IN SCHEMA", "/nowhere/at/all")


def ask(connection):
    """Every outcome, by who and what."""
    answers = {}
    for role in ROLES:
        for sql in [*PROBES, *(f"SELECT {told}" for told in TOLD)]:
            for begin in ("BEGIN", f"SET LOCAL SESSION AUTHORIZATION {role}"):
                got = outcome(connection, begin)
                if got not in ("BEGIN", "SET"):
                    raise SystemExit(f"{begin}: {got}")
            answers[role, sql] = outcome(connection, sql)
            outcome(connection, "DEALLOCATE ALL")
            outcome(connection, "ROLLBACK")
            outcome(connection, "DEALLOCATE ALL")
    for sql in CATALOGS:
        answers["postgres", sql] = outcome(connection, sql)
    return answers


def main():
    verbose = "-v" in sys.argv
    with Cluster() as cluster:
        cluster.fresh()
        with cluster.connect() as connection:
            prepare(connection)
            theirs = ask(connection)
    with tempfile.TemporaryDirectory(prefix="audiencedb-privileges-") as folder, Server(folder) as server:
        address = f"host=127.0.0.1 port={server.port} user=postgres dbname=audience"
        with psycopg.connect(address, autocommit=True) as connection:
            prepare(connection)
            ours = ask(connection)
    # Of all columns PostgreSQL names the last it comes to, a system column; we name one of the user's.
    vague = lambda key: any(text in key[1] for text in BY_SQLSTATE) or 'column "tableoid"' in theirs[key]
    shown = lambda key, answer: answer[:5] if vague(key) else answer
    differ = [(key, theirs[key], ours[key]) for key in theirs if shown(key, theirs[key]) != shown(key, ours[key])]
    if verbose:
        for (role, sql), got in theirs.items():
            print(f"{role:18} {got.splitlines()[0] if got else '':60.60} {sql}")
    for (role, sql), wanted, got in differ:
        print(f"FAIL {role}: {sql}\n  PostgreSQL {wanted}\n  AudienceDB {got}")
    denied = sum(answer.startswith("42501") for answer in theirs.values())
    print(f"{len(theirs)} outcomes, {denied} of them denied")
    print(f"privileges: {len(theirs) - len(differ)} passed, {len(differ)} failed")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()

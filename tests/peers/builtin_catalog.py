#!/usr/bin/env python3
"""Writes src/pg_catalog/builtin/*.tsv: what the catalogs of every PostgreSQL 15 say about built-in things.

These are facts that clients rely on: which catalogs exist and with which columns, the numbers of types, functions and
operators. Only what has to do with types that this engine knows, or that a catalog has a column of, is taken.

usage: builtin_catalog.py
"""

from pathlib import Path

from postgres import Cluster

TARGET = Path(__file__).resolve().parents[2] / "src" / "pg_catalog" / "builtin"

# Types whose values the engine has, and the pseudo-types by which functions are declared.
TYPES = """bool bytea char name int8 int2 int4 regproc text oid xid json float4 float8 unknown bpchar varchar date time
timestamp timestamptz interval numeric regprocedure regoper regoperator regclass regtype regnamespace regrole regcollation
regconfig regdictionary uuid jsonb record any anyarray anyelement anynonarray anycompatible anycompatiblearray
anycompatiblenonarray void cstring internal trigger int2vector oidvector aclitem pg_node_tree""".split()

SETUP = f"""
CREATE TEMP TABLE kept AS
  SELECT t.oid FROM pg_type t WHERE t.typrelid = 0 AND t.typnamespace IN (11, 'information_schema'::regnamespace)
    AND (t.typname = ANY ('{{{",".join(TYPES)}}}')
      OR t.oid IN (SELECT a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   WHERE c.relnamespace IN (11, 'information_schema'::regnamespace) AND a.attnum > 0));
INSERT INTO kept SELECT typelem FROM pg_type WHERE oid IN (SELECT oid FROM kept) AND typelem <> 0 AND typelem NOT IN (SELECT oid FROM kept);
INSERT INTO kept SELECT typarray FROM pg_type WHERE oid IN (SELECT oid FROM kept) AND typarray <> 0 AND typarray NOT IN (SELECT oid FROM kept);
CREATE TEMP TABLE functions AS
  SELECT p.oid FROM pg_proc p
  WHERE p.pronamespace = 11 AND p.prorettype IN (SELECT oid FROM kept)
    AND NOT EXISTS (SELECT 1 FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) a WHERE a NOT IN (SELECT oid FROM kept))
    -- What works on the server's own structures can't be called, and only types refer to it.
    AND (2281 <> ALL (p.proargtypes) AND p.prorettype <> 2281
      OR p.oid IN (SELECT typreceive FROM pg_type WHERE oid IN (SELECT oid FROM kept)));
"""

# Files named for a catalog hold its columns in order, as COPY writes them, functions and types as numbers.
CATALOGS = {
    "pg_type": "oid IN (SELECT oid FROM kept)",
    "pg_proc": "oid IN (SELECT oid FROM functions)",
    "pg_operator": "oprleft IN (SELECT oid FROM kept UNION SELECT 0) AND oprright IN (SELECT oid FROM kept) AND oprcode IN (SELECT oid FROM functions)",
    "pg_cast": "castsource IN (SELECT oid FROM kept) AND casttarget IN (SELECT oid FROM kept)",
    "pg_aggregate": "aggfnoid IN (SELECT oid FROM functions)",
    "pg_am": "true",
    "pg_opclass": "opcintype IN (SELECT oid FROM kept) AND opcmethod = 403",
    "pg_opfamily": "oid IN (SELECT opcfamily FROM pg_opclass WHERE opcintype IN (SELECT oid FROM kept) AND opcmethod = 403)",
    "pg_collation": "collname IN ('default', 'C', 'POSIX', 'ucs_basic')",
    "pg_language": "lanname IN ('internal', 'sql')",
    "pg_description": """(classoid = 'pg_proc'::regclass AND objoid IN (SELECT oid FROM functions))
        OR (classoid = 'pg_type'::regclass AND objoid IN (SELECT oid FROM kept))
        OR (classoid = 'pg_operator'::regclass AND objoid IN (SELECT oid FROM pg_operator WHERE oprright IN (SELECT oid FROM kept) AND oprcode IN (SELECT oid FROM functions)))
        OR classoid IN ('pg_am'::regclass, 'pg_language'::regclass, 'pg_namespace'::regclass)""",
}

# Columns that are the same for every built-in function, or say how PostgreSQL itself computes it.
OMITTED = "proowner prolang procost prosupport prosrc probin prosqlbody proconfig proacl protrftypes proargdefaults".split()

RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind,
       (SELECT string_agg(a.attname || ':' || t.typname || CASE WHEN a.attnotnull THEN '!' ELSE '' END, ' ' ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v')
ORDER BY n.nspname DESC, c.relname
"""


def write(connection, name, query):
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy, open(TARGET / f"{name}.tsv", "wb") as file:
        for chunk in copy:
            file.write(chunk)


def main():
    with Cluster() as cluster, cluster.connect("postgres") as connection:
        connection.execute(SETUP)
        write(connection, "relations", RELATIONS)
        for name, condition in CATALOGS.items():
            columns = connection.execute(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                [name],
            ).fetchall()
            numbers = [f"{column}::oid" if kind.startswith("reg") else column for column, kind in columns if column not in OMITTED]
            write(connection, name, f"SELECT {', '.join(numbers)} FROM {name} WHERE {condition} ORDER BY 1")


if __name__ == "__main__":
    main()

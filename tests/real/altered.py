#!/usr/bin/env python3
"""Tables of every layout, altered in every way: after each change the Python packages deltalake and duckdb read the
same rows from the folder as psql from the server, and so does the server that is started on it again.

usage: altered.py
"""

import sys
import tempfile
from pathlib import Path

import duckdb
from deltalake import DeltaTable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from served import Server, Tally  # noqa: E402

# The layouts: any file, buckets of a key, days.
LAYOUTS = {
    "plain": "(id integer, word text, day date)",
    "keyed": "(id integer PRIMARY KEY, word text, day date) WITH (buckets = 3)",
    "daily": "(id integer, word text, day date) PARTITION BY RANGE (day) WITH (cluster_by = 'word')",
}
ROWS = "(1, 'one', '2026-03-01'), (2, NULL, '2026-03-02'), (3, 'three', NULL)"
MORE = {"id": "100", "number": "100", "word": "'more'", "day": "'2026-03-05'", "date": "'2026-03-05'"}
CHANGES = [
    "ADD COLUMN extra text",
    "ADD COLUMN score numeric(8,2) NOT NULL DEFAULT 1.25",
    "RENAME COLUMN day TO date",
    "RENAME COLUMN id TO number",
    "ALTER COLUMN number TYPE bigint",
    "ALTER COLUMN extra TYPE varchar(9), ALTER COLUMN extra SET DEFAULT 'new'",
    "RENAME COLUMN word TO words",
    "ALTER COLUMN score TYPE double precision",
    "DROP COLUMN extra, ADD COLUMN extra integer DEFAULT 7",
    "ALTER COLUMN score DROP NOT NULL",
    "DROP COLUMN words",
    "ADD COLUMN tags text[]",
    "DROP COLUMN number",
]


def text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def lines(rows):
    return sorted("|".join(text(value) for value in row) for row in rows)


def compare(tally, server, folder, name, columns, what):
    """What psql, deltalake and DuckDB each say of the table."""
    names = ", ".join(columns)
    want = sorted(server.psql(f"SELECT {names} FROM {name}").splitlines())
    table = DeltaTable(str(folder))
    fields = [field.name for field in table.schema().fields if not field.name.startswith("_")]
    tally.same(f"{what}: columns that deltalake sees", fields, columns)
    arrow = table.to_pyarrow_table(columns=columns)
    tally.same(f"{what}: deltalake", lines(zip(*(column.to_pylist() for column in arrow.columns))), want)
    found = duckdb.sql(f"SELECT {names} FROM arrow").fetchall()
    tally.same(f"{what}: duckdb over it", lines(found), want)
    # The files themselves, by name of column; a column that none of them has is not there for DuckDB.
    stored = duckdb.sql(f"SELECT * FROM read_parquet({table.file_uris()!r}, union_by_name = true, hive_partitioning = false)")
    there = [column for column in columns if column in stored.columns]
    places = [columns.index(column) for column in there]
    wanted = sorted("|".join(line.split("|")[place] for place in places) for line in want)
    tally.same(f"{what}: duckdb over the files", lines(stored.select(*there).fetchall()), wanted)
    return table.metadata().id


def columns_of(server, name):
    return server.psql(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{name}' ORDER BY ordinal_position").splitlines()


def altered(tally, server, data, name):
    server.psql(f"CREATE TABLE {name} {LAYOUTS[name]}")
    server.psql(f"INSERT INTO {name} VALUES {ROWS}")
    folder = Path(data) / "public" / name
    identity = compare(tally, server, folder, name, columns_of(server, name), name)
    for change in CHANGES:
        server.psql(f"ALTER TABLE {name} {change}")
        columns = columns_of(server, name)
        same = compare(tally, server, folder, name, columns, f"{name}: {change}")
        tally.same(f"{name}: {change}: the table's id", same, identity)
        # New rows beside those that were there, in the layout as it is now.
        if change.startswith("ADD"):
            given = [column for column in columns if column in MORE]
            values = ", ".join(MORE[column] for column in given)
            server.psql(f"INSERT INTO {name} ({', '.join(given)}) VALUES ({values})" + (" ON CONFLICT DO NOTHING" if name == "keyed" else ""))
            compare(tally, server, folder, name, columns, f"{name}: rows after {change}")
    server.psql("CALL audience.maintain(retain => '0 seconds', retain_log => '0 seconds')")
    compare(tally, server, folder, name, columns_of(server, name), f"{name}: maintained")
    server.psql(f"ALTER TABLE {name} RENAME TO {name}_renamed")
    compare(tally, server, folder, f"{name}_renamed", columns_of(server, f"{name}_renamed"), f"{name}: RENAME TO")


def main():
    tally = Tally("altered")
    with tempfile.TemporaryDirectory(prefix="audiencedb-altered-") as scratch:
        data = Path(scratch) / "warehouse"
        with Server(data) as server:
            for name in LAYOUTS:
                tally.run(name, altered, tally, server, data, name)
            server.kill()
        with Server(data) as server:
            for name in LAYOUTS:
                renamed = f"{name}_renamed"
                compare(tally, server, data / "public" / name, renamed, columns_of(server, renamed), f"{name}: after kill -9")
            tally.run("graceful stop", server.stop)
    tally.end()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""COPY of the grocer's year beside PostgreSQL 15 and DuckDB: the same rows, the same machine, one run.

AudienceDB and PostgreSQL are fed by psycopg over their sockets, and write and read files of the server; DuckDB reads
and writes files inside this process. PostgreSQL runs with fsync on, as AudienceDB always does. Row counts and sums are
compared before a time counts.

usage: copying.py [--tables a,b]   (needs what tests/run installs, and a release build)
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import psycopg

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "real"), str(TESTS / "peers")]
from postgres import Cluster  # noqa: E402
from run import TABLES, files  # noqa: E402
from served import Server  # noqa: E402

TYPES = {"VARCHAR": "text", "DOUBLE": "double precision", "INTEGER": "integer", "BIGINT": "bigint", "DATE": "date",
         "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz", "HUGEINT": "numeric(38,0)"}


def timed(work, *arguments):
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def send(connection, sql, path):
    with connection.cursor().copy(sql) as copy, path.open("rb") as file:
        while piece := file.read(1 << 18):
            copy.write(piece)


def receive(connection, sql, path):
    with connection.cursor().copy(sql) as copy, path.open("wb") as file:
        for piece in copy:
            file.write(piece)


def line(what, rows, *seconds):
    shown = [f"{'-':>20}" if s is None else f"{s:>9.2f} {rows / s / 1000:>10,.0f}" for s in seconds]
    print(f"{what:<34}" + "".join(shown), flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tables", default=",".join(TABLES))
    tables = arguments.parse_args().tables.split(",")
    print(f"{os.cpu_count()} cores, duckdb {duckdb.__version__} with 2 threads; seconds, thousand rows a second")
    print(f"{'':<34}{'audiencedb':>20}{'postgresql':>20}{'duckdb':>20}")
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch, Cluster() as cluster:
        folder = Path(scratch)
        folder.chmod(0o777)
        cluster.fresh()
        duck = duckdb.connect(str(folder / "duck.db"), config={"threads": 2})
        with Server(folder / "warehouse") as server, cluster.connect() as theirs:
            address = f"host=127.0.0.1 port={server.port} user=postgres dbname=audience"
            with psycopg.connect(address, autocommit=True) as ours:
                theirs.execute("ALTER SYSTEM SET fsync = on")
                theirs.execute("SELECT pg_reload_conf()")
                for table in tables:
                    bench(table, folder, ours, theirs, duck)
            server.stop()


def bench(table, folder, ours, theirs, duck):
    rows, parquet = TABLES[table][0], files()[table]
    columns = duck.execute(f"DESCRIBE SELECT * FROM read_parquet('{parquet}')").fetchall()
    declared = ", ".join(f'"{name}" {TYPES.get(kind, "text")}' for name, kind, *_ in columns)
    csv = folder / f"{table}.csv"
    duck.execute(f"COPY (SELECT * FROM read_parquet('{parquet}')) TO '{csv}' (FORMAT csv, HEADER)")
    counted = f"SELECT count(*), count({columns[0][0]}) FROM {table}"

    def fresh(*connections):
        for connection in connections:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"CREATE TABLE {table} ({declared})")

    def checked():
        found = {tuple(connection.execute(counted).fetchone()) for connection in (ours, theirs, duck)}
        if len(found) != 1 or next(iter(found))[0] != rows:
            sys.exit(f"the rows differ: {found}")

    fresh(ours, theirs, duck)
    sql = f"COPY {table} FROM STDIN (FORMAT csv, HEADER)"
    seconds = [timed(send, connection, sql, csv) for connection in (ours, theirs)]
    seconds.append(timed(duck.execute, f"COPY {table} FROM '{csv}' (FORMAT csv, HEADER)"))
    checked()
    line(f"{table}: csv in, {csv.stat().st_size >> 20} MiB", rows, *seconds)
    for form in ("csv", "text", "binary"):
        paths = [folder / f"{who}.{form}" for who in ("ours", "theirs", "duck")]
        sql = f"COPY {table} TO STDOUT (FORMAT {form})"
        seconds = [timed(receive, connection, sql, path) for connection, path in zip((ours, theirs), paths)]
        out = f"COPY {table} TO '{paths[2]}' (FORMAT csv)"
        seconds.append(timed(duck.execute, out) if form == "csv" else None)
        line(f"{table}: {form} out", rows, *seconds)
        if form != "csv":
            fresh(ours, theirs)
            sql = f"COPY {table} FROM STDIN (FORMAT {form})"
            seconds = [timed(send, connection, sql, path) for connection, path in zip((ours, theirs), paths)]
            checked()
            line(f"{table}: {form} in", rows, *seconds, None)
        for path in paths:
            path.unlink(missing_ok=True)
    for form in ("parquet", "json"):
        mine, duck_file = folder / f"ours.{form}", folder / f"duck.{form}"
        seconds = timed(ours.execute, f"COPY {table} TO '{mine}' (FORMAT {form})")
        line(f"{table}: {form} file out", rows, seconds, None, timed(duck.execute, f"COPY {table} TO '{duck_file}' (FORMAT {form})"))
        fresh(ours)
        seconds = timed(ours.execute, f"COPY {table} FROM '{mine}' (FORMAT {form})")
        fresh(duck)
        line(f"{table}: {form} file in", rows, seconds, None, timed(duck.execute, f"COPY {table} FROM '{duck_file}' (FORMAT {form})"))
        checked()
        mine.unlink()
        duck_file.unlink()
    csv.unlink()


if __name__ == "__main__":
    main()

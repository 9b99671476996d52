#!/usr/bin/env python3
"""Changes of rows beside PostgreSQL with fsync on: one run, one machine, the same statements.

Single-row INSERTs, upserts and UPDATEs of 1, 16 and 64 clients (pgbench), then an upsert of 1 % and of 10 % of a table
of a million profiles and a DELETE of 1,000 of them. Before any figure counts, both sides have the same rows.

usage: changes.py [--rows N] [--seconds N] [--clients N,N,…]
(needs what tests/run installs, PostgreSQL 15's server and pgbench, and a release build)
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "peers"), str(Path(__file__).resolve().parent)]
from inserts import Durable  # noqa: E402
from served import Server  # noqa: E402

COLUMNS = "(id text PRIMARY KEY, name text, email text, visits bigint, spent numeric(12,2), seen timestamptz)"
SCRIPTS = {
    "insert": "\\set key random(1, 1000000000000)\n"
    "INSERT INTO events VALUES ('e' || :key, :client_id, now());\n",
    "upsert": "\\set key random(1, {rows})\n"
    "INSERT INTO profiles VALUES ('p' || lpad(:key::text, 9, '0'), 'new', 'new', 1, 1, now()) "
    "ON CONFLICT (id) DO UPDATE SET visits = profiles.visits + 1, seen = excluded.seen;\n",
    "update": "\\set key random(1, {rows})\n"
    "UPDATE profiles SET visits = visits + 1 WHERE id = 'p' || lpad(:key::text, 9, '0');\n",
}
PROFILE = "'p' || lpad(n::text, 9, '0'), 'name ' || n, 'mail' || n || '@example.org', n % 50, (n % 10000) / 100.0, to_timestamp(1700000000 + n)"
WHOLE = "SELECT count(*), sum(visits), sum(spent), min(id), max(id), count(DISTINCT name) FROM profiles"


def pgbench(binary, port, clients, seconds, script):
    """Statements a second."""
    command = [binary, "-n", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-c", clients, "-j", 2, "-T", seconds]
    command += ["-M", "prepared", "-f", script, "audience"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    if done.returncode or not rate or "aborted" in done.stdout:
        sys.exit(f"pgbench failed:\n{done.stdout}")
    return float(rate.group(1))


def timed(connection, statement):
    start = time.perf_counter()
    connection.execute(statement)
    return time.perf_counter() - start


def bulk(connection, rows):
    """Seconds of each large change, and what the table holds after it."""
    for share in (1, 10):
        count = rows * share // 100
        # Every tenth of them is new; the others lie all over the table.
        upsert = (
            f"INSERT INTO profiles SELECT {PROFILE} FROM (SELECT i * {100 // share} + CASE WHEN i % 10 = 0 THEN {rows} ELSE 0 END "
            f"AS n FROM generate_series(1, {count}) AS g (i)) AS s "
            "ON CONFLICT (id) DO UPDATE SET visits = profiles.visits + excluded.visits, seen = excluded.seen"
        )
        yield f"upsert of {share} %", timed(connection, upsert), connection.execute(WHOLE).fetchone()
    delete = (
        "DELETE FROM profiles WHERE id IN "
        f"(SELECT 'p' || lpad((i * {max(rows // 1000, 1)})::text, 9, '0') FROM generate_series(1, 1000) AS g (i))"
    )
    yield "DELETE of 1,000", timed(connection, delete), connection.execute(WHOLE).fetchone()


def side(connection, binary, port, given, scratch):
    """All figures of one side: name → (figure, unit), and what its tables held."""
    figures, held = {}, []
    connection.execute(f"CREATE TABLE profiles {COLUMNS}")
    connection.execute("CREATE TABLE events (id text NOT NULL, client integer, at timestamptz)")
    load = f"INSERT INTO profiles SELECT {PROFILE} FROM generate_series(1, {given.rows}) AS g (n)"
    figures["load"] = (timed(connection, load), "s")
    for name, seconds, rows in bulk(connection, given.rows):
        figures[name] = (seconds, "s")
        held.append(rows)
    before = connection.execute("SELECT sum(visits) FROM profiles").fetchone()[0]
    for name, text in SCRIPTS.items():
        script = Path(scratch) / f"{name}.sql"
        script.write_text(text.format(rows=given.rows))
        for clients in given.clients:
            figures[f"{name}s of {clients} clients"] = (pgbench(binary, port, clients, given.seconds, script), "/s")
    if connection.execute("SELECT sum(visits) FROM profiles").fetchone()[0] <= before:
        sys.exit("the clients' changes are not there")
    return figures, held


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--clients", type=lambda text: [int(n) for n in text.split(",")], default=[1, 16, 64])
    given = arguments.parse_args()
    print(f"{os.cpu_count()} cores, {given.rows:,} profiles, {given.seconds} s for each rate", flush=True)
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch, Durable() as postgres:
        binary = postgres.bin / "pgbench"
        with Server(Path(scratch) / "warehouse") as server:
            with psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=audience", autocommit=True) as ours:
                here, rows_here = side(ours, binary, server.port, given, scratch)
        address = f"host=127.0.0.1 port={postgres.port} user=postgres"
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as setup:
            setup.execute("CREATE DATABASE audience TEMPLATE template0")
        with psycopg.connect(f"{address} dbname=audience", autocommit=True) as theirs:
            if theirs.execute("SHOW fsync").fetchone()[0] != "on":
                sys.exit("PostgreSQL runs without fsync")
            there, rows_there = side(theirs, binary, postgres.port, given, scratch)
        if rows_here != rows_there:
            sys.exit(f"the tables differ: {rows_here} and {rows_there}")
    print(f"{'':<26}{'audiencedb':>12}  {'postgresql':>12}   times as fast")
    for name, (ours, unit) in here.items():
        theirs = there[name][0]
        ratio = theirs / ours if unit == "s" else ours / theirs
        print(f"{name:<26}{ours:>10.2f} {unit:<2} {theirs:>10.2f} {unit:<2}  {ratio:>10.2f}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Single-row inserts of many clients beside PostgreSQL with fsync on: one run, one machine, the same pgbench script.

Each row is a transaction of its own. Shown are rates, and for AudienceDB how many commits and files they became,
before and after CALL audience.maintain. Rows are counted on both sides, and by deltalake and duckdb, before any
figure counts.

usage: inserts.py [--rows N] [--clients N] [--protocol simple|prepared]
(needs what tests/run installs, PostgreSQL 15's server and pgbench, and a release build)
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import psycopg
from deltalake import DeltaTable

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "peers")]
from postgres import Cluster  # noqa: E402
from served import Server  # noqa: E402

SCRIPT = """\\set profile random(1, 100000)
\\set cents random(1, 100000)
INSERT INTO events VALUES ('p' || :profile, now(), 'purchase', :cents / 100.0, :client_id);
"""
COLUMNS = "(profile_id text NOT NULL, ts timestamptz NOT NULL, kind text, amount numeric(12,2), client integer)"


class Durable(Cluster):
    """PostgreSQL as it is installed: fsync on, reached over TCP as AudienceDB is."""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = self.dir / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='{self.dir}'"
        self._run("pg_ctl", "-D", data, "-w", "-l", self.dir / "log", "-o", options, "start")
        return self


def insert(pgbench, port, rows, clients, protocol, script):
    """Rows a second."""
    command = [pgbench, "-n", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-c", clients, "-j", 2, "-t", rows // clients]
    command += ["-M", protocol, "-f", script, "audience"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    if done.returncode or not rate:
        sys.exit(f"pgbench failed:\n{done.stdout}")
    return float(rate.group(1))


def count(connection, rows):
    found = connection.execute("SELECT count(*), count(DISTINCT client) FROM events").fetchone()
    return found[0] == rows or sys.exit(f"{found[0]} rows instead of {rows}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--protocol", choices=["simple", "prepared"], default="prepared")
    given = arguments.parse_args()
    rows = given.rows // given.clients * given.clients
    print(f"{os.cpu_count()} cores, {rows:,} rows, {given.clients} clients, {given.protocol} protocol", flush=True)
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch, Durable() as postgres:
        script = Path(scratch) / "insert.sql"
        script.write_text(SCRIPT)
        pgbench = postgres.bin / "pgbench"
        data = Path(scratch) / "warehouse"
        with Server(data) as server:
            with psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=audience", autocommit=True) as ours:
                ours.execute(f"CREATE TABLE events {COLUMNS} PARTITION BY RANGE (ts)")
                rate = insert(pgbench, server.port, rows, given.clients, given.protocol, script)
                count(ours, rows)
                table = data / "public" / "events"
                commits = len(list((table / "_delta_log").glob("*.json"))) - 1
                before = DeltaTable(str(table)).file_uris()
                print(f"audiencedb   {rate:>10.0f} rows/s, {commits:,} commits, {rows / commits:.1f} rows a commit")
                start = time.perf_counter()
                ours.execute("CALL audience.maintain('events')")
                took = time.perf_counter() - start
                count(ours, rows)
                after = DeltaTable(str(table))
                if after.to_pyarrow_dataset().count_rows() != rows:
                    sys.exit("deltalake reads another number of rows")
                found = duckdb.sql(f"SELECT count(*) FROM read_parquet({after.file_uris()!r})").fetchall()[0][0]
                if found != rows:
                    sys.exit("duckdb reads another number of rows")
                print(f"             {len(before):,} files before maintenance, {len(after.file_uris()):,} after, in {took:.1f} s")
        address = f"host=127.0.0.1 port={postgres.port} user=postgres"
        with psycopg.connect(f"{address} dbname=postgres", autocommit=True) as setup:
            setup.execute("CREATE DATABASE audience TEMPLATE template0")
        with psycopg.connect(f"{address} dbname=audience", autocommit=True) as theirs:
            theirs.execute(f"CREATE TABLE events {COLUMNS}")
            rate = insert(pgbench, postgres.port, rows, given.clients, given.protocol, script)
            count(theirs, rows)
            print(f"postgresql   {rate:>10.0f} rows/s, fsync {theirs.execute('SHOW fsync').fetchone()[0]}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs tests/slt against a real PostgreSQL, so that no expectation there is only our own opinion.

A scratch cluster is made in a temporary folder and removed afterwards. A record that PostgreSQL
must not run says `skipif postgres` above itself; the folders in OURS hold no plain PostgreSQL.

usage: postgres.py [FILE.slt ...]
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg import pq

SLT = Path(__file__).resolve().parent.parent / "slt"
OURS = ("explain", "functions", "history", "macros")


class Cluster:
    """A PostgreSQL of our own on a Unix socket in a temporary folder."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
        fifteen = [p for p in found if p.split("/")[-2] == "15"]
        if not found:
            sys.exit("no PostgreSQL server found: apt-get install postgresql")
        self.bin = Path((fifteen or found)[-1])
        self.dir = Path(tempfile.mkdtemp(prefix="audiencedb-postgres-"))
        # PostgreSQL refuses to run as root.
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.prefix:
            shutil.chown(self.dir, "postgres")

    def __enter__(self):
        data = self.dir / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.dir}' -c fsync=off -c timezone=UTC"
        self._run("pg_ctl", "-D", data, "-w", "-l", self.dir / "log", "-o", options, "start")
        return self

    def __exit__(self, *_):
        self._run("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.dir, ignore_errors=True)

    def _run(self, program, *arguments):
        command = [*self.prefix, str(self.bin / program), *map(str, arguments)]
        done = subprocess.run(command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{program} failed:\n{done.stdout}")

    def connect(self, database="audience"):
        return psycopg.connect(host=str(self.dir), user="postgres", dbname=database, autocommit=True)

    def fresh(self):
        """An empty database named as ours is."""
        with self.connect("postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS audience WITH (FORCE)")
            connection.execute("CREATE DATABASE audience TEMPLATE template0")


def records(path):
    """Yields (line, kind, head, sql, expected lines or None, connection, labels to skip)."""
    lines = path.read_text().split("\n")
    at, connection, skip, only = 0, "default", [], []
    while at < len(lines):
        line, start = lines[at], at + 1
        at += 1
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "include":
            for included in sorted(path.parent.glob(words[1])):
                yield from records(included)
        elif words[0] == "connection":
            connection = words[1]
        elif words[0] == "skipif":
            skip.append(words[1])
        elif words[0] == "onlyif":
            only.append(words[1])
        elif words[0] in ("statement", "query"):
            sql, expected = [], None
            while at < len(lines) and lines[at] and lines[at] != "----":
                sql.append(lines[at])
                at += 1
            if at < len(lines) and lines[at] == "----":
                expected, at = [], at + 1
                while at < len(lines) and lines[at]:
                    expected.append(lines[at])
                    at += 1
            skipped = "postgres" in skip or any(label != "postgres" for label in only)
            if not skipped:
                yield f"{path.relative_to(SLT)}:{start}", words[0], words[1:], "\n".join(sql), expected, connection
            connection, skip, only = "default", [], []
        elif words[0] == "halt":
            return
        elif words[0] not in ("subtest", "control", "hash-threshold", "sleep"):
            raise SystemExit(f"{path}:{start}: cannot read {line!r}")


def text(value):
    """One value as the .slt files write it."""
    if value is None:
        return "NULL"
    return value.decode().replace("\n", "\\n") or "(empty)"


def run(connection, sql):
    """Returns (error text or None, rows or None, affected count)."""
    result = connection.pgconn.exec_(sql.encode())
    if result.status == pq.ExecStatus.FATAL_ERROR:
        field = lambda code: (result.error_field(code) or b"").decode()
        message = f"{field(pq.DiagnosticField.SQLSTATE)}: {field(pq.DiagnosticField.MESSAGE_PRIMARY)}"
        position = field(pq.DiagnosticField.STATEMENT_POSITION)
        return message + (f" at character {position}" if position else ""), None, 0
    if result.status != pq.ExecStatus.TUPLES_OK:
        return None, None, int(result.command_tuples or 0)
    rows = [[text(result.get_value(r, c)) for c in range(result.nfields)] for r in range(result.ntuples)]
    return None, (rows, result.nfields), len(rows)


def check(kind, head, expected, outcome):
    """The reason why an outcome is not the expected one, or None."""
    error, answer, count = outcome
    if head and head[0] == "error":
        wanted = " ".join(head[1:])
        if error is None:
            return "should have failed, but succeeded"
        state = re.fullmatch(r"\(([0-9A-Z]{5})\)", wanted)
        matched = error.startswith(state[1]) if state else re.search(wanted, error)
        return None if matched else f"expected the error {wanted}, got {error}"
    if error is not None:
        return error
    if kind == "statement":
        if head[0] == "count" and count != int(head[1]):
            return f"expected {head[1]} rows, got {count}"
        return None
    if answer is None:
        return "returned no rows at all" if expected else None
    rows, columns = answer
    if head and len(head[0]) != columns:
        return f"expected {len(head[0])} columns, got {columns}"
    if "rowsort" in head:
        rows = sorted(rows)
    if "valuesort" in head:
        rows = sorted([value] for row in rows for value in row)
    got = [" ".join(row).rstrip() for row in rows]
    want = [line.rstrip() for line in expected or []]
    return None if got == want else "expected\n    " + "\n    ".join(want) + "\n  got\n    " + "\n    ".join(got)


def main():
    if len(sys.argv) > 1:
        files = [Path(name).resolve() for name in sys.argv[1:]]
    else:
        files = [path for path in sorted(SLT.rglob("*.slt")) if path.relative_to(SLT).parts[0] not in OURS]
    passed = failed = 0
    with Cluster() as cluster:
        for path in files:
            if path.name.startswith("_"):
                continue
            cluster.fresh()
            connections, wrong = {}, []
            for place, kind, head, sql, expected, name in records(path):
                if name not in connections:
                    connections[name] = cluster.connect()
                reason = check(kind, head, expected, run(connections[name], sql))
                if reason:
                    wrong.append(f"  {place}: {sql}\n  {reason}")
            for connection in connections.values():
                connection.close()
            failed += bool(wrong)
            passed += not wrong
            print(f"{'FAIL' if wrong else 'ok  '} {path.relative_to(SLT)}")
            print("\n".join(wrong), end="\n" if wrong else "")
    print(f"postgres: {passed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

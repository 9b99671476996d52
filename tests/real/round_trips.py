#!/usr/bin/env python3
"""COPY beside PostgreSQL's own: round trips of random rows of every type, the same bytes out of both servers, files of
either read by the other, psql's \\copy with a million rows, psycopg's copy in both formats.

usage: round_trips.py [--rows N] [--seed N]   (needs PostgreSQL's server and psql)
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import psycopg

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "peers")]
from postgres import Cluster  # noqa: E402
from served import Server, Tally  # noqa: E402

COLUMNS = {
    "n": "integer",
    "b": "boolean",
    "i2": "smallint",
    "i4": "integer",
    "i8": "bigint",
    "f4": "real",
    "f8": "double precision",
    "num": "numeric(20,5)",
    "t": "text",
    "v": "varchar(40)",
    "c": "char(8)",
    "raw": "bytea",
    "d": "date",
    "ti": "time",
    "ts": "timestamp",
    "tz": "timestamptz",
    "u": "uuid",
    "j": "json",
    "jb": "jsonb",
    "ai": "integer[]",
    "at": "text[]",
    "an": "numeric(10,2)[]",
}
TABLE = "(" + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()) + ")"
FORMATS = {
    "text": "FORMAT text",
    "text, strange": "FORMAT text, DELIMITER '|', NULL '<null>', HEADER",
    "csv": "FORMAT csv, HEADER",
    "csv, strange": "FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'nil', FORCE_QUOTE (t, v, d)",
    "binary": "FORMAT binary",
}
LETTERS = ["a", "Z", "0", " ", "\t", "\n", "\r", "\\", "\"", "'", ",", ";", "|", "\\N", "\\.", "nil", "é", "表", "😀", "\x01", "\x7f", "{", "}"]


def word(random):
    return "".join(random.choice(LETTERS) for _ in range(random.randrange(0, 9)))


def row(random, n):
    """One row of values as psycopg takes them; every column but the first may be null."""
    instant = datetime(1, 1, 2) + timedelta(days=random.randrange(0, 3_000_000), microseconds=random.randrange(0, 86_400_000_000))
    values = [
        random.random() < 0.5,
        random.choice([0, -32768, 32767, random.randrange(-999, 999)]),
        random.choice([0, -(2**31), 2**31 - 1, random.randrange(-99999, 99999)]),
        random.choice([0, -(2**63), 2**63 - 1, random.randrange(-(2**40), 2**40)]),
        random.choice([0.0, -0.0, 1.5, float("inf"), float("nan"), random.randrange(-9999, 9999) / 8]),
        random.choice([0.1, -1e300, 5e-324, float("-inf"), random.random() * 10 ** random.randrange(-20, 20)]),
        Decimal(random.randrange(-(10**19), 10**19)) / 10**5,
        word(random) * random.choice([1, 1, 1, 40]),
        word(random)[:40],
        random.choice(["", "ab", "abcdefgh", "é"]),
        random.randbytes(random.randrange(0, 9)),
        instant.date(),
        instant.time(),
        instant,
        instant.replace(tzinfo=timezone.utc),
        uuid.UUID(int=random.getrandbits(128)),
        random.choice(['{"a": [1, "x\\ny"]}', '"s"', "1.50", "[ ]", '{"b":1,"b":2}']),
        random.choice(['{"b": 1, "aa": [1, null, "\\u00e9"]}', '"s\\tx"', "1.5", "[]"]),
        random.choice([[], [1, None, -7], list(range(40))]),
        [word(random) for _ in range(random.randrange(0, 4))] + [None],
        [Decimal("1.25"), None, Decimal("-3.00")],
    ]
    return [n] + [None if random.random() < 0.1 else value for value in values]


def out(connection, sql):
    with connection.cursor().copy(sql) as copy:
        return b"".join(bytes(piece) for piece in copy)


def feed(connection, sql, data, piece=70_001):
    with connection.cursor().copy(sql) as copy:
        for at in range(0, len(data), piece):
            copy.write(data[at : at + piece])


def refused(connection, sql, data):
    try:
        feed(connection, sql, data)
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.context
    return None


def byte_for_byte(tally, ours, theirs, rows, seed):
    """The same rows in both, copied out of both, compared; then each read by the other."""
    random_rows = random.Random(seed)
    made = [row(random_rows, n) for n in range(rows)]
    for connection in (ours, theirs):
        connection.execute(f"CREATE TABLE a {TABLE}")
    with theirs.cursor().copy("COPY a FROM STDIN") as copy:
        for values in made:
            copy.write_row(values)
    text = out(theirs, "COPY (SELECT * FROM a ORDER BY n) TO STDOUT")
    feed(ours, "COPY a FROM STDIN", text)
    tally.same("rows", ours.execute("SELECT count(*) FROM a").fetchone()[0], rows)
    for name, options in FORMATS.items():
        ask = f"COPY (SELECT * FROM a ORDER BY n) TO STDOUT ({options})"
        mine, want = out(ours, ask), out(theirs, ask)
        where = next((at for at, (a, b) in enumerate(zip(mine, want)) if a != b), min(len(mine), len(want)))
        around = slice(max(0, where - 60), where + 20)
        tally.check(f"{name}: the same {len(want):,} bytes", mine == want, f"{mine[around]!r} and {want[around]!r}")
        back = options.split(", FORCE_QUOTE")[0]
        for who, reader, data in (("we read PostgreSQL's", ours, want), ("PostgreSQL reads ours", theirs, mine)):
            reader.execute(f"CREATE TABLE back {TABLE}")
            try:
                feed(reader, f"COPY back FROM STDIN ({back})", data)
                again = out(reader, "COPY (SELECT * FROM back ORDER BY n) TO STDOUT")
                tally.check(f"{name}: {who}", again == text)
            except psycopg.Error as error:
                tally.check(f"{name}: {who}", False, f"{error} {error.diag.context}")
            reader.execute("DROP TABLE back")


def files(tally, ours, folder):
    """Every format through a file of the server and back."""
    text = out(ours, "COPY (SELECT * FROM a ORDER BY n) TO STDOUT")
    for name in ["text", "csv", "binary", "json", "parquet"]:
        path = folder / f"a.{name}"
        ours.execute(f"COPY a TO '{path}' (FORMAT {name})")
        ours.execute(f"CREATE TABLE back {TABLE}")
        done = ours.execute(f"COPY back FROM '{path}' (FORMAT {name})")
        again = out(ours, "COPY (SELECT * FROM back ORDER BY n) TO STDOUT")
        where = next((at for at, (a, b) in enumerate(zip(again, text)) if a != b), 0)
        around = slice(max(0, where - 60), where + 20)
        tally.check(f"{name} file and back: {done.statusmessage}", again == text, f"{again[around]!r} and {text[around]!r}")
        ours.execute("DROP TABLE back")


# What is wrong, in which words, and where: the same from both.
FAULTS = [
    ("COPY w FROM STDIN", b"1\tx\t1\nabc\ty\t2\n"),
    ("COPY w FROM STDIN", b"1\tx\n"),
    ("COPY w FROM STDIN", b"1\tx\t1\t2\n"),
    ("COPY w FROM STDIN", b"1\ttoo long\t1\n"),
    ("COPY w FROM STDIN", b"\\N\tx\t1\n"),
    ("COPY w FROM STDIN", b"1\tx\t123456\n"),
    ("COPY w FROM STDIN", b"1\tx\t1\r\n2\ty\t2\n"),
    ("COPY w FROM STDIN", b"1\tx\t1\n2\ty\t2\r\n"),
    ("COPY w FROM STDIN", b"1\tx\t1\n\\.\n2\n"),
    ("COPY w FROM STDIN", b"1\tx\t1\n\\.x\n"),
    ("COPY w FROM STDIN", b"1\t\xff\t1\n"),
    ("COPY w FROM STDIN", b"1\t\xe2\x28\xa1\t1\n"),
    ("COPY w FROM STDIN", b"1\t\\xff\t1\n"),
    ("COPY w FROM STDIN", b"\n"),
    ("COPY w FROM STDIN (FORMAT csv)", b'1,"x,1\n2,y,2\n'),
    ("COPY w FROM STDIN (FORMAT csv)", b"1,x,1\n2,y\r,2\n"),
    ("COPY w FROM STDIN (FORMAT csv)", b'1,x,\n2,"y\nz",abc\n'),
    ("COPY w FROM STDIN (FORMAT csv, HEADER match)", b"id,name,amounts\n"),
    ("COPY w FROM STDIN (FORMAT csv, HEADER match)", b"id,name\n"),
    ("COPY w FROM STDIN (FORMAT csv, HEADER match)", b"id,,amount\n"),
    ("COPY w FROM STDIN (FORMAT csv, ENCODING 'WIN1252')", b"1,\x81,1\n"),
    ("COPY w FROM STDIN (FORMAT binary)", b"nonsense and more of it"),
    ("COPY w FROM STDIN (FORMAT binary)", b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0"),
    ("COPY w FROM STDIN (FORMAT binary)", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02"),
    ("COPY w FROM STDIN (FORMAT binary)", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x02\0"),
    ("COPY w FROM STDIN (FORMAT binary)", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\xff\xff\xff\xfe"),
    ("COPY w FROM STDIN (FORMAT binary)", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff\0"),
]


def faults(tally, ours, theirs):
    for connection in (ours, theirs):
        connection.execute("CREATE TABLE w (id integer NOT NULL, name varchar(5), amount numeric(5,2))")
    for sql, data in FAULTS:
        tally.same(f"{sql[17:] or 'text'} {data[:40]!r}", refused(ours, sql, data), refused(theirs, sql, data))
    same = "SELECT count(*) FROM w"
    tally.same("what stays", ours.execute(same).fetchone(), theirs.execute(same).fetchone())
    for connection in (ours, theirs):
        connection.execute("TRUNCATE w" if connection is theirs else "DROP TABLE w")


def million(tally, server, folder, rows):
    """psql's \\copy, both ways."""
    server.psql("CREATE TABLE m (id bigint, name text, at timestamptz, amount numeric(12,2))")
    source = folder / "million.csv"
    with source.open("w") as file:
        for n in range(rows):
            file.write(f'{n},"name {n % 1000}, or so",2026-01-01 00:00:{n % 60:02}+00,{n % 100000}.{n % 100:02}\n')
    start = time.perf_counter()
    server.psql(f"\\copy m FROM '{source}' (FORMAT csv)", "-q")
    into = time.perf_counter() - start
    target = folder / "back.csv"
    start = time.perf_counter()
    server.psql(f"\\copy (SELECT * FROM m ORDER BY id) TO '{target}' (FORMAT csv)", "-q")
    back = time.perf_counter() - start
    tally.check(f"psql \\copy of {rows:,} rows: in {into:.1f} s, out {back:.1f} s", source.read_bytes() == target.read_bytes())


def drivers(tally, ours):
    """psycopg's own rows, in both formats and both directions."""
    ours.execute("CREATE TABLE p (id integer, name text, amount numeric(12,2), at timestamptz, day date)")
    made = [(n, None if n % 7 == 0 else f"n\t{n}", Decimal(n) / 4, datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=n), date(2026, 1, 1)) for n in range(10_000)]
    types = ["int4", "text", "numeric", "timestamptz", "date"]
    for form in ["text", "binary"]:
        cursor = ours.cursor()
        with cursor.copy(f"COPY p FROM STDIN (FORMAT {form})") as copy:
            copy.set_types(types)
            for values in made:
                copy.write_row(values)
        tally.same(f"psycopg {form} in", cursor.statusmessage, "COPY 10000")
        with ours.cursor().copy(f"COPY (SELECT * FROM p ORDER BY id LIMIT 10000) TO STDOUT (FORMAT {form})") as copy:
            copy.set_types(types)
            rows = list(copy.rows())
        tally.check(f"psycopg {form} out", rows == made if form == "text" else rows[::2] == rows[1::2], f"{rows[:2]}")
    try:
        with ours.cursor().copy("COPY p FROM STDIN") as copy:
            copy.write_row(made[0])
            raise KeyError("the program's own mistake")
    except KeyError:
        pass
    tally.same("a program that fails in the middle leaves nothing", ours.execute("SELECT count(*) FROM p").fetchone()[0], 20_000)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=2_000)
    arguments.add_argument("--seed", type=int, default=20_261_122)
    given = arguments.parse_args()
    tally = Tally("copy")
    with tempfile.TemporaryDirectory(prefix="audiencedb-copy-") as scratch, Cluster() as cluster:
        folder = Path(scratch)
        cluster.fresh()
        with Server(folder / "warehouse") as server, cluster.connect() as theirs:
            address = f"host=127.0.0.1 port={server.port} user=postgres dbname=audience"
            with psycopg.connect(address, autocommit=True) as ours:
                for connection in (ours, theirs):
                    connection.execute("SET timezone = 'UTC'")
                tally.run("byte for byte", byte_for_byte, tally, ours, theirs, given.rows, given.seed)
                tally.run("faults", faults, tally, ours, theirs)
                tally.run("files", files, tally, ours, folder)
                tally.run("drivers", drivers, tally, ours)
                tally.run("a million rows", million, tally, server, folder, 1_000_000)
            tally.run("graceful stop", server.stop)
    tally.end()


if __name__ == "__main__":
    main()

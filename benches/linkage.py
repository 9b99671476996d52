#!/usr/bin/env python3
"""Record linkage beside Splink on DuckDB: the same persons, blocking rules and comparisons, two threads each, in one run.

The persons are made from a seed: French and English names as frequent as names are, a fifth of the records a second
one of somebody, with slips of the keyboard, swapped names, moves, new addresses and things left out. Who is who is
known, so both are told how right they were, F1 over pairs at a probability of a half, beside how long they took: from
the loaded table to a table of the pairs, with training. Splink is used as its documentation does: u from random pairs,
m by expectation maximization in two blocks. Each runs as often as --runs says, the best time counts.

usage: linkage.py [--persons N] [--seed N] [--runs N]
(needs what tests/run --full installs, pip install splink==5.0.0, and a release build)
"""

import argparse
import logging
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

GIVEN = """Marie Jean Pierre Michel Nathalie Isabelle Philippe Sylvie Alain Catherine Patrick Martine Nicolas Christophe
Françoise Christine Bernard Monique Valérie Sandrine Véronique Daniel Stéphanie Laurent Stéphane Sophie Frédéric Céline
Chantal Éric Julien Christian Anne Gérard Patricia David Thierry Jacques Brigitte Sébastien Dominique Alexandre Julie
Pascal Aurélie Virginie Thomas Olivier Laurence Bruno Karine Guillaume Camille Léa Manon Chloé Emma Inès Lucas Enzo Hugo
Théo Mathis Nathan Clément Antoine Maxime Quentin Margaux Pauline Élodie Mélanie Émilie Hélène Noémie Zoé Jade Louise
James Mary John Patricia Robert Jennifer Linda William Elizabeth Richard Barbara Susan Joseph Jessica Charles Sarah Karen
Lisa Nancy Matthew Betty Anthony Margaret Mark Sandra Donald Ashley Steven Kimberly Paul Emily Andrew Donna Joshua Michelle
Kenneth Carol Kevin Amanda Brian Dorothy George Melissa Edward Deborah Ronald Rebecca Timothy Sharon Jason Laura Jeffrey
Cynthia Ryan Kathleen Jacob Amy Gary Angela Nigel Graham Gareth Fiona Siobhan Harriet Oliver Poppy Isla Freya Alfie Archie
Jean-Pierre Marie-Odile Anne-Sophie Jean-Luc Marie-Christine Jean-François Billie Callum Rhys Imogen Beatrice Rupert""".split()
FRENCH = ("""Bert Gir Mart Rouss Moul Chab Vald Perr Gaud Lamb Fourn Mor Dup Blanch Garn Rob Cler Gauth Masl Brun Den Lem
Ren Card Mich Par Vas Ram Duf Cout Rich Bour Thom Her Col Bonn Marchand Barb Jacqu Guill Delm Tess Vign Sauv Besn""".split(),
          "and ard aud eau et el ert ier in iot on ot oux aux y ez ac igny euil ois as al our ette".split())
ENGLISH = ("""Ash Brad Cal Dun Ed Farn Hal Har Ken Lang Mil Nor Pem Pres Rad Red Shel Stan Sut Thorn Wal Wes Whit Win Wood Worth
Bar Ches Cran Den Ather Black Green Stock Hart Crom Ever Black Old Brook Clif Hamp Lind Mal""".split(),
           "ton ley ford field son ham well bury worth by wick den man stead more ward combe shaw mer dale land ridge".split())
TOWNS = """Paris Marseille Lyon Toulouse Nice Nantes Montpellier Strasbourg Bordeaux Lille Rennes Reims Toulon Grenoble Dijon
Angers Nîmes Villeurbanne Clermont-Ferrand Brest Limoges Tours Amiens Metz Besançon London Birmingham Leeds Glasgow Sheffield
Bradford Liverpool Edinburgh Manchester Bristol Wakefield Cardiff Coventry Nottingham Leicester Sunderland Belfast Newcastle
Brighton Plymouth Derby Swansea Oxford York Exeter""".split()
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
COLUMNS = ("given_name", "surname", "birth_date", "postcode", "town", "email", "phone")


def slipped(rng, text):
    """One slip: a letter too many, too few, another one, or two swapped."""
    place, kind = rng.integers(len(text)), rng.integers(4)
    letter = str(rng.integers(10)) if text[place].isdigit() else LETTERS[rng.integers(26)]
    if kind == 0:
        return text[:place] + letter + text[place:]
    if kind == 1 and len(text) > 1:
        return text[:place] + text[place + 1:]
    if kind == 2 and place + 1 < len(text):
        return text[:place] + text[place + 1] + text[place] + text[place + 2:]
    return text[:place] + letter + text[place + 1:]


def drawn(rng, among, count, exponent):
    """Names as frequent as by Zipf's law."""
    share = 1.0 / np.arange(1, len(among) + 1) ** exponent
    return among[rng.choice(len(among), size=count, p=share / share.sum())]


def persons(count, seed):
    """The records, and whose each is."""
    rng = np.random.default_rng(seed)
    people = count - count // 5
    surnames = np.array(sorted({start + end for starts, ends in (FRENCH, ENGLISH) for start in starts for end in ends}))
    rng.shuffle(surnames)
    given = drawn(rng, np.array(GIVEN), people, 0.7)
    family = drawn(rng, surnames, people, 0.6)
    born = (np.datetime64("1935-01-01") + rng.integers(0, 75 * 365, people)).astype(str)
    town = drawn(rng, np.array(TOWNS), people, 0.6)
    code = np.char.zfill(rng.integers(1000, 99_000, people).astype(str), 5)
    number = rng.integers(0, 10**8, people)
    phone = np.char.add("06", np.char.zfill(number.astype(str), 8))
    hosts = np.array(["example.com", "example.net", "example.org"])[rng.integers(0, 3, people)]
    suffix = rng.integers(1, 100_000, people)
    email = np.array([f"{g[:6]}.{f}{s}@{h}".lower() for g, f, s, h in zip(given, family, suffix, hosts)])
    first = {"given_name": given, "surname": family, "birth_date": born, "postcode": code, "town": town, "email": email, "phone": phone}
    again = rng.integers(0, people, count - people)
    records = {name: np.concatenate([values, values[again]]).astype(object) for name, values in first.items()}
    known = np.concatenate([np.arange(people), again])
    second = np.arange(people, count)

    def some(share):
        return second[rng.random(len(second)) < share]

    at = some(0.08)
    records["postcode"][at] = np.char.zfill(rng.integers(1000, 99_000, len(at)).astype(str), 5)
    records["town"][at] = drawn(rng, np.array(TOWNS), len(at), 0.6)
    at = some(0.2)
    records["email"][at] = [f"{a[:4]}{n}@example.com".lower() for a, n in zip(records["surname"][at], rng.integers(1, 10**6, len(at)))]
    at = some(0.15)
    records["phone"][at] = np.char.add("07", np.char.zfill(rng.integers(0, 10**8, len(at)).astype(str), 8))
    at = some(0.03)
    records["surname"][at] = drawn(rng, surnames, len(at), 0.6)
    at = some(0.03)
    records["given_name"][at], records["surname"][at] = records["surname"][at].copy(), records["given_name"][at].copy()
    for name in COLUMNS:
        at = some(0.12 if name != "town" else 0.04)
        records[name][at] = [slipped(rng, text) for text in records[name][at]]
    for name, share in zip(COLUMNS, (0.01, 0.01, 0.04, 0.04, 0.04, 0.3, 0.4)):
        records[name][rng.random(count) < share] = None
    order = rng.permutation(count)
    columns = {name: pa.array(values[order], pa.string()) for name, values in records.items()}
    return pa.table({"id": np.arange(count), **columns}), pa.table({"id": np.arange(count), "person": known[order]})


BLOCKING = (("email",), ("phone",), ("surname", "birth_date"), ("given_name", "birth_date"), ("birth_date", "postcode"), ("given_name", "surname", "postcode"))


def ours(server):
    """Links the records with link_records: seconds, and the pairs' table."""
    blocking = ", ".join(f"'{', '.join(rule)}'" for rule in BLOCKING)
    compare = ("given_name jw:0.92,0.88,0.7", "surname jw:0.92,0.88,0.7", "birth_date lev:1 + date:1 month,1 year,10 years",
               "postcode exact", "town exact", "email dl:1,2", "phone dl:1,2")
    linked = (f"link_records('records', 'id', blocking => ARRAY[{blocking}], compare => ARRAY[{', '.join(map(repr, compare))}], "
              "tf => ARRAY['given_name', 'surname', 'town'])")
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=audience", autocommit=True) as client:
        client.execute("DROP TABLE IF EXISTS pairs")
        start = time.perf_counter()
        client.execute(f"CREATE TABLE pairs AS SELECT l, r FROM {linked} AS linked")
        seconds = time.perf_counter() - start
        return seconds, client.execute("SELECT l, r FROM pairs").fetchall(), ""


def splinks(connection):
    """The same with Splink."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)
    settings = SettingsCreator(
        link_type="dedupe_only", unique_id_column_name="id", retain_matching_columns=False,
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in BLOCKING],
        comparisons=[
            cl.JaroWinklerAtThresholds("given_name", [0.92, 0.88, 0.7]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("surname", [0.92, 0.88, 0.7]).configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.ExactMatch("postcode"),
            cl.ExactMatch("town").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("email", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("phone", [1, 2]),
        ])
    start = time.perf_counter()
    api = DuckDBAPI(connection)
    linker = Linker(api.register(connection.table("records")), settings, log_level=logging.ERROR)
    linker.training.estimate_probability_two_random_records_match([block_on("email"), block_on("surname", "given_name", "birth_date")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("surname", "birth_date"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("given_name", "postcode"))
    trained = time.perf_counter() - start
    pairs = linker.inference.predict(threshold_match_probability=0.5)
    seconds = time.perf_counter() - start
    found = connection.execute(f"SELECT id_l, id_r FROM {pairs.physical_name}").fetchall()
    return seconds, found, f"{trained:.2f} s of it to train"


def quality(pairs, known):
    """Precision, recall and F1 over pairs."""
    whose = known["person"].to_numpy()
    pairs = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    right = int((whose[pairs[:, 0]] == whose[pairs[:, 1]]).sum())
    sizes = np.bincount(whose)
    all_of_them = int((sizes * (sizes - 1) // 2).sum())
    return right / max(1, len(pairs)), right / all_of_them, 2 * right / (len(pairs) + all_of_them)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--persons", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="audiencedb-linkage-") as scratch:
        folder = Path(scratch)
        records, known = persons(given.persons, given.seed)
        path = folder / "records.parquet"
        pq.write_table(records, path)
        load(path, "records", folder / "warehouse")
        connection = duckdb.connect(str(folder / "duck.db"), config={"threads": 2})
        connection.execute(f"CREATE TABLE records AS SELECT * FROM read_parquet('{path}')")
        print(f"{given.persons:,} records, seed {given.seed}")
        with Server(folder / "warehouse") as server:
            seconds = {}
            for name, work in (("audiencedb", lambda: ours(server)), ("splink", lambda: splinks(connection))):
                runs = [work() for _ in range(given.runs)]
                seconds[name] = min(run[0] for run in runs)
                precision, recall, f1 = quality(runs[-1][1], known)
                print(f"{name:<12} {seconds[name]:>6.2f} s   P {precision:.5f}  R {recall:.4f}  F1 {f1:.4f}   {len(runs[-1][1]):,} pairs   {runs[-1][2]}", flush=True)
            print(f"splink takes {seconds['splink'] / seconds['audiencedb']:.2f} times as long")


if __name__ == "__main__":
    main()

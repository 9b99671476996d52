#!/usr/bin/env python3
"""A device graph with its truth: real simulated households, and what a website would see of their screens.

People, households and employers are pseudopeople's sample census of 2020; what they own, where they are connected and
how often they browse is drawn from a seed. Browser cookies live as long as their browsers let them, addresses change
with the provider's leases, some providers put forty households behind one address, offices and carriers put many
more, and few people ever log in, some of them with an address that is wrong or shared.

usage: device_graph.py FOLDER [--seed N] [--days N]

Writes FOLDER/observations.parquet (id, ip, ts, email), one row for each page view, and FOLDER/truth.parquet (id,
person, household, shared): whose identifier it is; a screen that a household shares belongs to no person.
"""

import argparse
import glob
from pathlib import Path

import numpy as np
import pseudopeople
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

# A Monday: days 5 and 6 of each week are a weekend by the calendar, too.
START = np.datetime64("2026-01-05T00:00:00", "us")
# Days that a cookie lives in the mean, and the share of each browser.
BROWSERS = (("safari", 7.0, 0.35), ("chrome", 45.0, 0.5), ("firefox", 30.0, 0.15))
SECOND = 1_000_000


def people():
    """Person, household, age and employer (or -1) of everybody in the census."""
    folder = Path(pseudopeople.__file__).parent / "data" / "sample_datasets"

    def read(name, columns):
        return pq.read_table(glob.glob(str(folder / name / "*.parquet"))[0], columns=columns).to_pandas()

    census = read("decennial_census", ["simulant_id", "household_id", "age", "year", "housing_type"])
    census = census[(census.year.astype(int) == 2020) & (census.housing_type == "Household")]
    census = census.drop_duplicates("simulant_id").sort_values("simulant_id").reset_index(drop=True)
    jobs = read("taxes_w2_and_1099", ["simulant_id", "employer_id", "tax_year"])
    jobs = jobs[jobs.tax_year.astype(int) == 2020].drop_duplicates("simulant_id")
    census = census.merge(jobs[["simulant_id", "employer_id"]], on="simulant_id", how="left")
    age = census.age.astype(float).fillna(40).to_numpy()
    households = census.household_id.astype("category").cat.codes.to_numpy(dtype=np.int64)
    employers = census.employer_id.astype("category").cat.codes.to_numpy(dtype=np.int64)
    return np.arange(len(census)), households, age, employers


def screens(rng, person, household, age):
    """Each device: its person (-1 for a shared one), household and kind."""
    found = []
    phone = np.interp(age, [5, 12, 18, 40, 65, 85], [0.0, 0.45, 0.97, 0.97, 0.85, 0.5])
    computer = np.interp(age, [8, 15, 25, 55, 80], [0.0, 0.3, 0.65, 0.6, 0.15])
    for p, h, a, has_phone, has_computer in zip(person, household, age, phone, computer):
        if rng.random() < has_phone:
            found.append((p, h, "phone"))
        if a >= 4 and rng.random() < 0.35:
            found.append((p, h, "tablet"))
        if rng.random() < has_computer:
            found.append((p, h, "computer"))
    for h in np.unique(household):
        if rng.random() < 0.35:
            found.append((-1, h, "computer"))
        if rng.random() < 0.80:
            found.append((-1, h, "tv"))
    return found


def addresses(rng, count, days, mean):
    """For each of `count` lines: times (in days) at which a new address begins, the first at 0."""
    leases = []
    for _ in range(count):
        starts, at = [0.0], rng.exponential(mean)
        while at < days:
            starts.append(at)
            at += rng.exponential(mean)
        leases.append(np.array(starts))
    return leases


def generate(seed, days):
    rng = np.random.default_rng(seed)
    person, household, age, employer = people()
    homes = int(household.max()) + 1
    members = np.bincount(household, minlength=homes)
    # Forty households behind one address of their provider, for one in eight.
    shared_line = rng.random(homes) < 0.12
    line = np.arange(homes)
    behind = np.flatnonzero(shared_line)
    rng.shuffle(behind)
    line[behind] = homes + np.arange(len(behind)) // 40
    leases = {l: starts for l, starts in zip(np.unique(line), addresses(rng, len(np.unique(line)), days, 45.0))}
    carriers = [f"100.{c}.0.{i}" for c in range(4) for i in range(60)]
    public = [f"198.18.0.{i}" for i in range(120)]

    logs_in = rng.random(len(person)) < 0.62
    junk = [f"contact{i}@example.org" for i in range(5)]

    def mail(p, h):
        """What somebody types who logs in."""
        chance = rng.random()
        if chance < 0.004:
            return junk[rng.integers(len(junk))]
        own = f"person{p}@example.com"
        if chance < 0.014:
            return own.replace("@", "x@")
        if chance < 0.054 and members[h] > 1:
            return f"family{h}@example.com"
        if extra[p] and chance < 0.35:
            return f"person{p}.work@example.net"
        return own

    extra = rng.random(len(person)) < 0.45
    ids, ips, times, mails = [], [], [], []
    truth = []
    next_id = 0
    for p, h, kind in screens(rng, person, household, age):
        at_home = np.flatnonzero(household == h) if p < 0 else None
        rate = 1.2 * np.exp(rng.normal())
        count = rng.poisson(rate * days)
        if count == 0:
            continue
        # People browse in the evening more than at night.
        moment = np.sort(rng.integers(days, size=count) + np.clip(rng.normal(17, 4.5, count) % 24, 0, 23.99) / 24)
        life = BROWSERS[rng.choice(3, p=[share for *_, share in BROWSERS])][1] if kind != "tv" else 1e9
        if kind == "phone" or kind == "tablet":
            life = 7.0 if rng.random() < 0.5 else 45.0
        born = np.concatenate([[0.0], np.cumsum(rng.exponential(life, size=max(2, int(4 * days / life) + 8)))])
        cookie = np.searchsorted(born, moment, side="right") - 1
        used, cookie = np.unique(cookie, return_inverse=True)
        names = next_id + np.arange(len(used))
        next_id += len(used)
        truth.extend((n, p, h) for n in names)
        hour = (moment % 1) * 24
        weekday = (moment.astype(int) % 7) < 5
        starts = leases[line[h]]
        for t, c, hour_of, working in zip(moment, cookie, hour, weekday):
            chance = rng.random()
            office = p >= 0 and employer[p] >= 0 and working and 9 <= hour_of < 17
            if office and kind in ("phone", "computer") and chance < 0.6:
                ip = f"203.{employer[p] // 250}.{employer[p] % 250}.1"
            elif kind == "phone" and chance < 0.35:
                ip = carriers[rng.integers(len(carriers))]
            elif kind in ("phone", "tablet", "computer") and p >= 0 and chance > 0.985:
                ip = public[rng.integers(len(public))]
            else:
                lease = np.searchsorted(starts, t, side="right") - 1
                ip = f"10.{line[h] // 250}.{line[h] % 250}.{lease + 1}"
            who = p if p >= 0 else at_home[rng.integers(len(at_home))]
            typed = mail(who, h) if logs_in[who] and kind != "tv" and rng.random() < 0.02 else None
            ids.append(names[c])
            ips.append(ip)
            times.append(int(t * 86_400) * SECOND)
            mails.append(typed)
    observations = pa.table({
        "id": pa.array([f"id{n:06d}" for n in ids]),
        "ip": pa.array(ips),
        "ts": pa.array(START + np.array(times, dtype="timedelta64[us]"), pa.timestamp("us", tz="UTC")),
        "email": pa.array(mails, pa.string()),
    })
    known = pa.table({
        "id": [f"id{n:06d}" for n, _, _ in truth],
        "person": [p for _, p, _ in truth],
        "household": [h for _, _, h in truth],
        "shared": [p < 0 for _, p, _ in truth],
    })
    return observations, known


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--days", type=int, default=46)
    given = arguments.parse_args()
    observations, known = generate(given.seed, given.days)
    given.folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(observations, given.folder / "observations.parquet")
    pq.write_table(known, given.folder / "truth.parquet")
    logged_in = len(set(observations.filter(pa.compute.is_valid(observations["email"]))["id"].to_pylist()))
    pairs = np.array(sorted({*zip(observations["id"].to_pylist(), observations["ip"].to_pylist())}))
    _, per_ip = np.unique(pairs[:, 1], return_counts=True)
    quantiles = np.percentile(per_ip, [50, 90, 99, 100]).astype(int)
    print(f"{known.num_rows:,} ids, {observations.num_rows:,} page views, {len(per_ip):,} addresses, "
          f"{logged_in / known.num_rows:.1%} of the ids ever logged in, ids at an address p50/p90/p99/max {'/'.join(map(str, quantiles))}")


if __name__ == "__main__":
    main()

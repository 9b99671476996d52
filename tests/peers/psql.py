#!/usr/bin/env python3
"""psql's backslash commands on the same objects, here and on a real PostgreSQL 15, compared line by line.

What may differ is in DIFFERENT, each with its reason; anything else is a failure. Where nothing is expected to be the
same (sizes, lists of all functions), the command only has to work here and to show what SHOWS says.

usage: psql.py
"""

import difflib
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from postgres import Cluster  # noqa: E402
from served import Server, Tally  # noqa: E402

SETUP = """
CREATE TABLE profiles (
  profile_id text PRIMARY KEY, email varchar(120), city text DEFAULT 'Oslo', score numeric(10,2) NOT NULL, born date,
  tags text[], extra jsonb, small smallint, n integer DEFAULT 3, big bigint, r real, d double precision, ok boolean,
  seen timestamptz, local timestamp, at time, raw bytea, id uuid, code char(3), free varchar
);
COMMENT ON TABLE profiles IS 'people';
COMMENT ON COLUMN profiles.email IS 'where to write';
CREATE TABLE memberships (profile_id text, "Segment" text, since date, PRIMARY KEY (profile_id, "Segment"));
CREATE TABLE notes (a integer, b timestamptz);
CREATE SCHEMA crm;
COMMENT ON SCHEMA crm IS 'what the shop knows';
CREATE TABLE crm.orders (order_id bigint PRIMARY KEY, amount numeric(12,2));
CREATE VIEW crm.large AS SELECT order_id, amount FROM crm.orders WHERE amount > 100;
COMMENT ON VIEW crm.large IS 'worth a call';
INSERT INTO notes VALUES (1, NULL), (2, NULL);
"""

# Commands whose output is the same, after the changes of DIFFERENT.
SAME = r"""
\d
\d profiles
\d memberships
\d crm.orders
\d crm.large
\d profiles_pkey
\d nothing
\dt
\dt crm.*
\dt *.orders
\dv crm.*
\di
\di crm.*
\dm
\ds
\dE
\dn
\dn+
\du
\dg
\dp
\dp crm.*
\ddp
\dd
\des
\dew
\det
\deu
\dRp
\dRs
\dX
\dy
\dP
\dD
\dc
\drds
\dew
\dl
\dT int4
\dT+ int4
\dT uuid
\dT+ jsonb
\df abs
\df+ abs
\df length
\df pg_get_viewdef
\da sum
\da count
\sf nothing
\sv nothing
""".strip().splitlines()

# Scripts whose output is the same, after the changes of DIFFERENT.
SCRIPTS = {
    "FETCH_COUNT": r"""
\set FETCH_COUNT 2
SELECT a, b FROM notes ORDER BY a;
SELECT a FROM notes WHERE a > 9;
SELECT nothing FROM notes;
BEGIN;
SELECT a, b FROM notes ORDER BY a DESC;
SELECT 1 / (a - 2) FROM notes ORDER BY a;
SELECT 1;
ROLLBACK;
\x on
SELECT g FROM generate_series(1, 5) AS s (g);
""",
    "cursors": r"""
FETCH c;
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT a FROM notes ORDER BY a;
DECLARE c CURSOR FOR SELECT 1;
ROLLBACK;
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT a FROM notes ORDER BY a;
FETCH FIRST FROM c;
MOVE LAST IN c;
COMMIT;
FETCH BACKWARD ALL FROM c;
SELECT name, is_holdable, is_binary, is_scrollable FROM pg_cursors;
CLOSE c;
CLOSE ALL;
""",
    "temporary tables": r"""
CREATE TEMP TABLE notes (n integer PRIMARY KEY, word text DEFAULT 'none');
CREATE VIEW words AS SELECT word FROM notes;
\d
\d notes
\d words
\dt
\dv
\dn
DROP TABLE notes;
DROP TABLE notes CASCADE;
\dt notes
DISCARD TEMP;
DISCARD ALL;
""",
}

# Commands that have to work here, with a pattern that their output must show.
SHOWS = {
    r"\d+": r"profiles *\| table *\| postgres *\| permanent *\| heap *\| 0 bytes *\| people",
    r"\d+ profiles": r"email *\| character varying\(120\) .* where to write",
    r"\d+ crm.large": r"View definition:\n SELECT order_id, amount FROM crm.orders WHERE amount > 100;",
    r"\dt+": r"notes *\| table *\| postgres *\| permanent *\| heap *\| \d+ (bytes|kB)",
    r"\dv+ crm.*": r"large *\| view .* worth a call",
    r"\di+": r"profiles_pkey *\| index .*\| profiles *\| permanent *\| btree",
    r"\l": r"audience *\| postgres *\| UTF8 *\| C",
    r"\l+": r"pg_default",
    r"\db": r"pg_default",
    r"\db+": r"pg_default",
    r"\dx": r"List of installed extensions",
    r"\dT+ timestamptz": r"timestamp with time zone *\| timestamptz *\| 8",
    r"\do+ +": r"bigint *\| bigint *\| bigint *\| int8pl *\| add",
    r"\dF": r"List of text search configurations",
    r"\dC": r"bigint *\| integer",
    r"\dO": r"List of collations",
    r"\dL": r"List of languages",
    r"\dA+": r"btree",
    r"\dAc btree": r"btree",
    r"\df audience_bucket": r"audience_bucket *\| .*key.*buckets",
    r"\df+ audience_bucket": r"audience_bucket",
    r"\sv crm.large": r"CREATE OR REPLACE VIEW crm.large AS\n SELECT order_id, amount FROM crm.orders WHERE amount > 100",
    r"\sf abs(integer)": r"CREATE OR REPLACE FUNCTION pg_catalog.abs\(integer\)\n RETURNS integer",
    r"\dS pg_class": r"relname *\| name",
    r"\dt pg_catalog.pg_class": r"pg_catalog *\| pg_class *\| table",
    r"\z": r"Access privileges",
}

# What psql completes, typed as far as this, with a pattern of what is on the terminal then.
COMPLETED = {
    "SELECT * FROM prof": r"FROM profiles ",
    "SELECT * FROM crm.": r"crm\.large +crm\.orders",
    "DROP VIEW crm.l": r"VIEW crm\.large ",
    "\\d mem": r"d memberships",
    "\\df pg_get_viewd": r"pg_get_viewdef",
    "SET search_path TO cr": r"search_path TO crm",
    "INSERT INTO no": r"INTO notes ",
    "\\dn cr": r"dn crm",
    "\\dT uui": r"dT uuid",
}

# (pattern, replacement, why) applied to both outputs.
DIFFERENT = [
    (r"::(text|bpchar|character varying)\b", "", "PostgreSQL prints a default with the type it worked out, we as it was typed"),
    (r"(?m)^( pg_catalog \| abs .*\| internal \| )\w+ +\|", r"\1|", "the name of the C function"),
    (r"(?m)\| +Source code +\|", "| Source code |", "its width"),
    (r"(?m)^[-+ ]+$", "", "widths"),
    (r"(?m)^ *(audience|segments) +\| postgres.*\n", "", "the schemas that every warehouse has"),
    (r"(?m)^.*\| (bit|lseg|path|tsvector|money) +\|.*\n", "", "types that are not here"),
    (r"pg_temp_\d+", "pg_temp_N", "the number of a session's schema"),
    (r"[ ]+", " ", "widths"),
    (r"\(\d+ rows?\)", "", "counts where rows above were left out"),
]


def completions(psql, typed):
    """What psql makes of `typed` when the tabulator key is pressed twice, as it stands on the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(psql[0], [*psql, "-q", "-v", "PROMPT1=> "])
    shown = b""
    try:
        for wait, keys in ((1.0, b""), (2.5, typed.encode() + b"\t\t"), (0.3, b"\x03"), (0.3, b"\\q\n")):
            os.write(terminal, keys)
            end = time.monotonic() + wait
            while time.monotonic() < end:
                if select.select([terminal], [], [], 0.1)[0]:
                    shown += os.read(terminal, 65536)
    except OSError:
        pass  # psql has gone.
    os.waitpid(pid, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07", "", shown.decode(errors="replace"))


def completes(psql, typed, expected):
    shown = completions(psql, typed)
    if not re.search(expected, shown):
        raise AssertionError(f"{expected} is not in\n{shown}")


def output(psql, command):
    script = {"input": SCRIPTS[command]} if command in SCRIPTS else {"stdin": subprocess.DEVNULL}
    arguments = [] if command in SCRIPTS else ["-c", command]
    done = subprocess.run([*psql, *arguments], **script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    # How a mistake is put right, each server says in its own words.
    return re.sub(r"(?m)^(HINT|DETAIL): .*\n", "", done.stdout) if command in SCRIPTS else done.stdout


def plain(text):
    for pattern, replacement, _ in DIFFERENT:
        text = re.sub(pattern, replacement, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def same(ours, theirs, command):
    got, want = plain(output(ours, command)), plain(output(theirs, command))
    if got != want:
        raise AssertionError("\n".join(difflib.unified_diff(want, got, "PostgreSQL", "AudienceDB", lineterm="")))


def shows(ours, command, pattern):
    text = output(ours, command)
    if not re.search(pattern, text) or "ERROR" in text:
        raise AssertionError(f"{pattern} is not in\n{text[:3000]}")


def main():
    tally = Tally("psql")
    with tempfile.TemporaryDirectory(prefix="audiencedb-psql-") as scratch, Cluster() as cluster:
        with Server(Path(scratch) / "warehouse") as server:
            cluster.fresh()
            theirs = ["psql", "-X", "-h", str(cluster.dir), "-U", "postgres", "audience"]
            ours = ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "audience"]
            for psql in (ours, theirs):
                done = subprocess.run([*psql, "-q", "-v", "ON_ERROR_STOP=1", "-c", SETUP], capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(done.stderr)
            for command in [*SAME, *SCRIPTS]:
                tally.run(command, same, ours, theirs, command)
            for command, pattern in SHOWS.items():
                tally.run(command, shows, ours, command, pattern)
            for typed, expected in COMPLETED.items():
                tally.run(f"{typed} and the tabulator key", completes, ours, typed, expected)
            server.stop()
    tally.end()


if __name__ == "__main__":
    main()

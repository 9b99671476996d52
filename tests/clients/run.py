#!/usr/bin/env python3
"""Real clients against one served folder: psql, psycopg, asyncpg, SQLAlchemy with pandas, pgjdbc."""

import difflib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from served import Server, Tally  # noqa: E402

JDBC = "/usr/share/java/postgresql.jar"

SETUP = """
CREATE TABLE households (household_id bigint, name text, joined date);
INSERT INTO households VALUES (1, 'Ames', '2024-01-15'), (2, 'Bell', '2024-02-29'), (3, 'Cruz', '2024-03-10'), (4, 'Diaz', NULL);
CREATE TABLE purchases (purchase_id bigint, household_id bigint, department text, amount numeric(10,2), bought_at timestamp);
INSERT INTO purchases VALUES
  (1, 1, 'GROCERY', 89.99, '2024-04-01 09:30:00'), (2, 1, 'DRUG', 7.25, '2024-04-02 18:05:10'),
  (3, 2, 'FUEL', 15.50, '2024-04-01 23:59:59'), (4, 9, NULL, 0.00, '2024-05-05 11:11:11')
"""


def psql(server):
    """The script's whole output, compared line by line."""
    command = ["psql", "-X", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-f", HERE / "psql.sql", "audience"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # psql puts its script's path before each error; hints are worded by each server for itself.
    got = re.sub(r"^psql:.*?psql\.sql:", "psql.sql:", done.stdout, flags=re.MULTILINE)
    got = re.sub(r"^HINT: .*\n", "", got, flags=re.MULTILINE)
    want = (HERE / "psql.out").read_text()
    if got != want:
        lines = difflib.unified_diff(want.splitlines(), got.splitlines(), "psql.out", "psql", lineterm="")
        raise AssertionError("\n".join(lines))


def program(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise AssertionError(f"ended with {done.returncode}:\n{done.stdout}")
    print("  " + done.stdout.strip())


def main():
    tally = Tally("clients")
    with tempfile.TemporaryDirectory(prefix="audiencedb-clients-") as scratch, Server(Path(scratch) / "warehouse") as server:
        server.psql(SETUP)
        tally.run("psql", psql, server)
        tally.run("psycopg", program, sys.executable, HERE / "with_psycopg.py", str(server.port))
        tally.run("asyncpg", program, sys.executable, HERE / "with_asyncpg.py", str(server.port))
        tally.run("SQLAlchemy and pandas", program, sys.executable, HERE / "with_pandas.py", str(server.port))
        tally.run("SQLAlchemy's inspector", program, sys.executable, HERE / "with_reflection.py", str(server.port))
        tally.run("pgjdbc's metadata", program, "java", "-cp", JDBC, HERE / "WithMetadata.java", str(server.port))
        tally.run("pgjdbc", program, "java", "-cp", JDBC, HERE / "WithJdbc.java", str(server.port))
        tally.run("graceful stop", server.stop)
    tally.run("TLS and passwords", program, sys.executable, HERE / "with_tls.py")
    tally.end()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A warehouse in object storage, each store on loopback: S3 (moto), Azure (Azurite), Google (gcs.py beside this file).

Statements, a view, a second writer that is refused, and the lease taken over after kill -9.

usage: store.py
"""

import base64
import gzip
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from served import Server, Tally, binary, load  # noqa: E402

# A lease that is not renewed runs out after 15 s by its contender's clock; a start needs a little more.
TAKEOVER = 40


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    tally = Tally("store")
    with tempfile.TemporaryDirectory() as scratch:
        s3(tally, scratch)
        gs(tally, scratch)
        az(tally, scratch)
    tally.end()


def s3(tally, scratch):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1",
        AWS_ENDPOINT=endpoint, AWS_ALLOW_HTTP="true",
    )
    with serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/warehouse", method="PUT")).close()
        check(tally, "s3://warehouse/grocer")
        loads(tally, endpoint, scratch)


def loads(tally, endpoint, scratch):
    """Files in S3 into a table: a folder with partitions, a pattern, each file once, whichever way it is named."""
    rows = b"id,note\n1,a\n2,b\n"
    parquet = Path(scratch) / "rows.parquet"
    duckdb.sql(f"COPY (SELECT range AS id, 'note ' || range AS note FROM range(1000)) TO '{parquet}'")
    objects = {
        "in/day=2024-01-01/rows.csv": rows, "in/day=2024-01-02/rows.csv.gz": gzip.compress(rows),
        "in/day=2024-01-03/x y%.ndjson": b'{"id":3,"note":"c"}\n', "in/day=2024-01-04/rows.parquet": parquet.read_bytes(),
    }
    for key, content in objects.items():
        url = f"{endpoint}/warehouse/{urllib.parse.quote(key)}"
        urllib.request.urlopen(urllib.request.Request(url, content, {"Content-Type": "binary/octet-stream"}, method="PUT")).close()
    data = str(Path(scratch) / "local")
    load("s3://warehouse/in", "t", data)
    found = query(data, "SELECT day::text AS day, count(*) AS rows, sum(id) AS ids FROM t GROUP BY day ORDER BY day")
    expected = [("2024-01-01", 2, 3), ("2024-01-02", 2, 3), ("2024-01-03", 1, 3), ("2024-01-04", 1000, 499500)]
    tally.same("files in S3 are loaded", found, [dict(zip(("day", "rows", "ids"), row)) for row in expected])
    load("s3://warehouse/in/*/rows.csv*", "t", data)
    tally.same("and each once", query(data, "SELECT count(*) AS n FROM t"), [{"n": 1005}])
    load("s3://warehouse/in/day=2024-01-03", "t", "s3://warehouse/other")
    tally.same("from S3 to S3", query("s3://warehouse/other", "SELECT id, note FROM t"), [{"id": 3, "note": "c"}])


def gs(tally, scratch):
    port = free_port()
    account = Path(scratch) / "account.json"
    account.write_text(json.dumps({
        "gcs_base_url": f"http://127.0.0.1:{port}", "disable_oauth": True,
        "client_email": "", "private_key": "", "private_key_id": "",
    }))
    os.environ.update(GOOGLE_SERVICE_ACCOUNT=str(account), GOOGLE_ALLOW_HTTP="true")
    with serving([sys.executable, str(Path(__file__).with_name("gcs.py")), str(port)], port):
        check(tally, "gs://warehouse/grocer")


def az(tally, scratch):
    # The emulator's account, its key and its address are the same everywhere, so the client knows them.
    port = 10000
    azurite = Path(os.environ.get("AUDIENCEDB_NODE", Path.home() / ".cache/audiencedb-node")) / "node_modules/.bin/azurite-blob"
    os.environ.update(
        AZURE_STORAGE_USE_EMULATOR="true", AZURE_STORAGE_ACCOUNT_NAME="devstoreaccount1", AZURE_ALLOW_HTTP="true"
    )
    command = [str(azurite), "--silent", "--skipApiVersionCheck", "--blobPort", str(port)]
    with serving([*command, "--location", str(scratch)], port):
        container(port)
        check(tally, "az://warehouse/grocer")


def container(port):
    """Creates the container: the one call that a warehouse does not make itself."""
    key = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
    date = formatdate(usegmt=True)
    account = "devstoreaccount1"
    signed = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n/{account}/{account}/warehouse\nrestype:container"
    signature = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey {account}:{signature}"}
    url = f"http://127.0.0.1:{port}/{account}/warehouse?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()


@contextmanager
def serving(command, port):
    """Runs a store's server until it is no longer needed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError(f"{command[0]} did not start")
        yield
    finally:
        process.kill()
        process.wait()


def query(data, sql):
    """`audiencedb query` as JSON rows; fails with its messages."""
    done = subprocess.run(
        [binary(), "query", sql, "--data", data, "--format", "json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(tally, data):
    scheme = data.split(":")[0]
    with Server(data) as server:
        server.psql("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
        server.psql("INSERT INTO people SELECT n, 'Zoë ' || n FROM generate_series(1, 10000) AS g (n)")
        server.psql("CREATE VIEW segments.some AS SELECT id FROM people WHERE id <= 1051")
        tally.same(f"rows over {scheme}", server.psql("SELECT count(*), max(name) FROM people"), "10000|Zoë 9999")
        tally.same(f"a view over {scheme}", server.psql("SELECT count(*) FROM segments.some"), "1051")
        tally.same(f"read beside the writer over {scheme}", query(data, "SELECT count(*) AS n FROM segments.some"), [{"n": 1051}])
        try:
            query(data, "INSERT INTO people VALUES (0, 'x')")
            refused = ""
        except AssertionError as e:
            refused = str(e)
        tally.check(f"a second writer is told who writes over {scheme}", "55006" in refused and "serve" in refused, refused)
        copies(tally, server, scheme)
        server.kill()
    start = time.perf_counter()
    while True:
        try:
            query(data, "INSERT INTO people VALUES (0, 'x')")
            break
        except AssertionError as e:
            if "55006" not in str(e) or time.perf_counter() - start > TAKEOVER:
                raise
            time.sleep(1)
    tally.same(f"after kill -9 and takeover over {scheme}", query(data, "SELECT count(*) AS n FROM people"), [{"n": 10001}])
    print(f"  the lease over {scheme} was taken over {time.perf_counter() - start:.1f} s after kill -9")


def copies(tally, server, scheme):
    """COPY to objects and back, one of them large enough to go up in parts; one that fails leaves none."""
    server.psql("CREATE TABLE copied (id bigint, name text)")
    many = "SELECT n AS id, repeat('x', 99) AS name FROM generate_series(1, 250000) AS g (n)"
    for form in ["csv", "text", "binary", "json", "parquet"]:
        url = f"{scheme}://warehouse/files/{form}/day=1/out.{form}"
        rows = many if form == "text" else "SELECT id, name FROM people"
        server.psql(f"COPY ({rows}) TO '{url}' (FORMAT {form})", "-q")
        server.psql(f"COPY copied FROM '{url}' (FORMAT {form})", "-q")
        want = "250000|99" if form == "text" else "10000|9"
        found = server.psql("SELECT count(*), max(length(name)) FROM copied")
        tally.same(f"COPY as {form} over {scheme}", found, want)
        server.psql("DROP TABLE copied; CREATE TABLE copied (id bigint, name text)")
    server.psql(f"COPY copied FROM '{scheme}://warehouse/files/csv/*/out.*' (FORMAT csv)", "-q")
    tally.same(f"COPY by a pattern over {scheme}", server.psql("SELECT count(*) FROM copied"), "10000")
    failed, url = [], f"{scheme}://warehouse/files/none.csv"
    for sql in [f"COPY (SELECT repeat('x', 99), 1 / (200000 - n) FROM generate_series(1, 250000) AS g (n)) TO '{url}'", f"COPY copied FROM '{url}'"]:
        try:
            failed.append(server.psql(sql))
        except AssertionError as error:
            failed.append("division by zero" in str(error) or "No such file or directory" in str(error))
    tally.same(f"a COPY that fails leaves no object over {scheme}", failed, [True, True])


if __name__ == "__main__":
    main()

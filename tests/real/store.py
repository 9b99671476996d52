#!/usr/bin/env python3
"""A warehouse in object storage: over the S3 API of a moto server on loopback, with conditional puts and the lease.

usage: store.py
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from served import Server, Tally, binary  # noqa: E402

# A lease that is not renewed runs out after 15 s by its contender's clock; a start needs a little more.
TAKEOVER = 40


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    tally = Tally("store")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1",
        AWS_ENDPOINT=endpoint, AWS_ALLOW_HTTP="true",
    )
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(endpoint)
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/warehouse", method="PUT")).close()
        check(tally, "s3://warehouse/grocer")
    finally:
        moto.kill()
        moto.wait()
    tally.end()


def wait_for(endpoint):
    for _ in range(100):
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the S3 server did not start")


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
    with Server(data) as server:
        server.psql("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
        server.psql("INSERT INTO people SELECT n, 'Zoë ' || n FROM generate_series(1, 10000) AS g (n)")
        server.psql("CREATE VIEW segments.some AS SELECT id FROM people WHERE id <= 1051")
        tally.same("rows over S3", server.psql("SELECT count(*), max(name) FROM people"), "10000|Zoë 9999")
        tally.same("a view over S3", server.psql("SELECT count(*) FROM segments.some"), "1051")
        tally.same("read beside the writer", query(data, "SELECT count(*) AS n FROM segments.some"), [{"n": 1051}])
        try:
            query(data, "INSERT INTO people VALUES (0, 'x')")
            refused = ""
        except AssertionError as e:
            refused = str(e)
        tally.check("a second writer is told who writes", "55006" in refused and "serve" in refused, refused)
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
    tally.same("after kill -9 and takeover", query(data, "SELECT count(*) AS n FROM people"), [{"n": 10001}])
    print(f"  the lease was taken over {time.perf_counter() - start:.1f} s after kill -9")


if __name__ == "__main__":
    main()

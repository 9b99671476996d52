#!/usr/bin/env python3
"""Input that nobody means well with: whatever comes over a socket, the server goes on, answers others, and grows by little.

Statements that are nested too deeply or are very long, random bytes, messages of the protocol that were changed at
random, counts of rows that make no sense, thousands of connections that say nothing, bytes before a TLS handshake, a
client that sends a byte at a time and one that never reads. Each round ends with a look at the server: another client
is answered, memory and open files are about where they were, and nothing has panicked.

usage: run.py [--seed N]    (AUDIENCEDB_FULL=1: twenty times as many rounds)
"""

import argparse
import os
import random
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]
from served import Server, Tally  # noqa: E402

TIMES = 20 if os.environ.get("AUDIENCEDB_FULL") else 1
# What the server may keep after a round: its allocator's and the plans of the longest statements.
GROWTH = 400 << 20

TOO_DEEP, TOO_LONG = 4000, 20_000
# Each either runs or is refused for what it is: too complex, too long, a syntax error.
REFUSALS = {"ok", "54000", "54001", "54011", "42601"}
STATEMENTS = {
    "10,000 nested parentheses": "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "10,000 terms": "SELECT " + "+".join(["1"] * 10_000),
    "10,000 alternatives": "SELECT 1 WHERE " + " OR ".join(f"1 = {n}" for n in range(10_000)),
    "nested CASE": "SELECT " + "CASE WHEN true THEN " * TOO_DEEP + "1" + " END" * TOO_DEEP,
    "nested arrays": "SELECT " + "ARRAY[" * TOO_DEEP + "1" + "]" * TOO_DEEP,
    "nested sub-selects": "SELECT * FROM " + "(SELECT * FROM " * TOO_DEEP + "(SELECT 1) AS x" + ") AS y" * TOO_DEEP,
    "nested calls": "SELECT " + "abs(" * TOO_DEEP + "1" + ")" * TOO_DEEP,
    "NOT NOT NOT": "SELECT " + "NOT " * TOO_LONG + "true",
    "- - -": "SELECT " + "- " * TOO_LONG + "1",
    "casts of casts": "SELECT 1" + "::int" * TOO_DEEP,
    "a text of 1 MB": "SELECT '" + "x" * 1_000_000 + "'",
    "a list of 1 MB": "SELECT 1 WHERE 1 IN (" + ",".join(map(str, range(150_000))) + ")",
    "1 MB of statements": "SELECT 1;" * 110_000,
    "3,000 unions": " UNION ALL ".join(["SELECT 1"] * 3000),
    "300 cross joins": "SELECT count(*) FROM " + " CROSS JOIN ".join(f"(SELECT 1) AS t{n}" for n in range(300)),
    "WITH upon WITH": "WITH c0 AS (SELECT 1)" + "".join(f", c{n} AS (SELECT * FROM c{n - 1})" for n in range(1, 300)) + " SELECT * FROM c299",
}


def message(kind, body=b""):
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


STARTUP = (lambda body: struct.pack("!i", len(body) + 4) + body)(struct.pack("!i", 196_608) + text("user") + text("postgres") + text("database") + text("audience") + b"\0")
SYNC = message("S")
# One of every kind that a client may send.
MESSAGES = [
    message("P", text("a") + text("SELECT $1::int + 1") + struct.pack("!hi", 1, 23)),
    message("P", text("") + text("SELECT * FROM generate_series(1, 100)") + struct.pack("!h", 0)),
    message("B", text("p") + text("a") + struct.pack("!hhhi", 1, 1, 1, 4) + b"\0\0\0\5" + struct.pack("!hh", 1, 1)),
    message("B", text("") + text("") + struct.pack("!hhh", 0, 0, 0)),
    message("D", b"P" + text("p")), message("D", b"S" + text("a")), message("E", text("p") + struct.pack("!i", 0)),
    message("E", text("") + struct.pack("!i", 7)), message("C", b"P" + text("p")), message("C", b"S" + text("a")),
    message("Q", text("SELECT 1")), message("Q", text("COPY kept FROM STDIN")), message("Q", text("BEGIN")), message("H"), SYNC,
    message("d", b"1\tx\n"), message("c"), message("f", text("no")), message("F", struct.pack("!ihhh", 1, 0, 0, 0)), message("X"),
]


class Client:
    def __init__(self, port, patience=20, start=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        if start:
            self.send(STARTUP)
            self.until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def until_ready(self):
        """The messages up to ReadyForQuery, by their kinds and bodies."""
        found = []
        while not found or found[-1][0] != "Z":
            kind, length = struct.unpack("!ci", self.exactly(5))
            found.append((kind.decode("latin-1"), self.exactly(length - 4)))
        return found

    def drain(self):
        """Says that no more comes, and reads until the server closes."""
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(1 << 16):
            pass

    def state(self, sql):
        """The SQLSTATE of a statement, `ok` without one."""
        self.send(message("Q", text(sql)))
        for kind, body in self.until_ready():
            if kind == "E":
                return next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")
        return "ok"


class Round:
    """What a round may not change about the server."""

    def __init__(self, server, tally):
        self.server, self.tally = server, tally
        server.psql("CREATE TABLE kept (n bigint, t text)")
        server.psql("INSERT INTO kept VALUES (1, 'x')")
        self.before, self.files = server.memory(), self.open_files()

    def open_files(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def ends(self, what):
        answer = self.server.psql("SELECT n, t FROM kept")
        self.tally.same(f"after {what} others are answered", answer, "1|x")
        deadline = time.monotonic() + 10
        while self.open_files() > self.files + 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.tally.check(f"after {what} files are closed", self.open_files() <= self.files + 4, f"{self.files} were open, {self.open_files()} are")
        grown = self.server.memory() - self.before
        self.tally.check(f"after {what} memory is let go", grown < GROWTH, f"{grown >> 20} MiB more")
        panics = [line for line in self.server.log if "panic" in line]
        self.tally.check(f"after {what} nothing has panicked", not panics, panics[:3])


def statements(server, tally):
    for what, sql in STATEMENTS.items():
        with Client(server.port, patience=60) as client:
            state = client.state(sql)
            tally.check(what, state in REFUSALS, f"answered {state}")
            tally.same(f"{what}: the session goes on", client.state("SELECT 1"), "ok")


def noise(server, dice):
    for number in range(300 * TIMES):
        with Client(server.port, start=number % 2 == 0) as client:
            try:
                client.send(dice.randbytes(dice.randrange(1, 400)))
                client.drain()
            except ConnectionError:
                pass


def changed(server, dice):
    for _ in range(1000 * TIMES):
        with Client(server.port) as client:
            data = bytearray(b"".join(dice.choice(MESSAGES) for _ in range(dice.randrange(1, 10))))
            for _ in range(dice.randrange(4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            if dice.randrange(4) == 0:
                del data[dice.randrange(len(data)):]
            try:
                client.send(bytes(data) + SYNC)
                client.drain()
            except ConnectionError:
                pass


def startups(server, dice):
    for _ in range(300 * TIMES):
        with Client(server.port, start=False) as client:
            data = bytearray(STARTUP)
            for _ in range(1 + dice.randrange(4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            try:
                client.send(bytes(data))
                client.drain()
            except ConnectionError:
                pass


def counts(server, tally):
    for limit in (-1, -(2**31), 2**31 - 1):
        with Client(server.port) as client:
            client.send(message("P", text("") + text("SELECT g FROM generate_series(1, 1000) AS s (g)") + struct.pack("!h", 0)))
            client.send(message("B", text("") + text("") + struct.pack("!hhh", 0, 0, 0)) + message("E", text("") + struct.pack("!i", limit)) + SYNC)
            rows = sum(kind == "D" for kind, _ in client.until_ready())
            tally.same(f"a limit of {limit} rows is none", rows, 1000)


def connections(server):
    for number in range(10_000 * TIMES):
        with Client(server.port, start=False) as client:
            if number % 3 == 0:
                client.send(STARTUP)


def before_tls(server, tally):
    """What follows a request for TLS in the same packet must never be taken for what the client says under TLS."""
    for code, what in ((80_877_103, "TLS"), (80_877_104, "GSS encryption")):
        with Client(server.port, start=False) as client:
            client.send(struct.pack("!ii", 8, code) + STARTUP + message("Q", text("SELECT 1")))
            answer = b""
            try:
                while more := client.socket.recv(4096):
                    answer += more
            except ConnectionError:
                pass
            tally.check(f"a statement behind a request for {what} is not run", b"SELECT 1" not in answer and answer[:1] in (b"E", b""), answer[:80])


def slow(server, tally):
    with Client(server.port, start=False) as client:
        for byte in STARTUP:
            client.send(bytes([byte]))
            time.sleep(0.01)
        tally.same("a client that sends byte by byte is served", client.until_ready()[-1][0], "Z")
    with Client(server.port) as client:
        client.send(message("Q", text("SELECT g, repeat('x', 1000) FROM generate_series(1, 3000000) AS s (g)")))
        time.sleep(2)
        tally.check("a client that never reads is not buffered for", server.memory() < 2 << 30, f"{server.memory() >> 20} MiB")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    seed = arguments.parse_args().seed
    tally = Tally("hostile")
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="audiencedb-hostile-") as folder, Server(Path(folder) / "warehouse") as server:
        after = Round(server, tally)
        for what, body in (
            ("long statements", lambda: statements(server, tally)),
            ("random bytes", lambda: noise(server, dice)),
            ("changed messages", lambda: changed(server, dice)),
            ("changed startups", lambda: startups(server, dice)),
            ("odd limits", lambda: counts(server, tally)),
            ("idle connections", lambda: connections(server)),
            ("requests for encryption", lambda: before_tls(server, tally)),
            ("slow clients", lambda: slow(server, tally)),
        ):
            tally.run(what, body)
            after.ends(what)
        tally.run("graceful stop", server.stop)
    tally.end()


if __name__ == "__main__":
    main()

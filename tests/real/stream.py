"""A reader of endless results: extended protocol with max_rows = 0, bytes counted and thrown away."""

import socket
import struct
import time


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


class Reader:
    """A connection that runs one statement at a time and keeps nothing of its result."""

    def __init__(self, port, **settings):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port))
        parameters = {"user": "postgres", "database": "audience", **settings}
        body = struct.pack("!i", 196608)
        body += b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.key = None
        while True:
            kind, body = self._next()
            if kind == b"K":
                self.key = body
            if kind == b"E":
                raise AssertionError(body)
            if kind == b"Z":
                return

    def _exactly(self, count):
        found = b""
        while len(found) < count:
            part = self.socket.recv(count - len(found))
            if not part:
                raise AssertionError("the server hung up")
            found += part
        return found

    def _next(self):
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack("!i", head[1:])[0] - 4)

    def ask(self, sql):
        """Sends Parse, Bind, Execute of all rows, Sync."""
        self.socket.sendall(
            message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))
            + message(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, 0))
            + message(b"E", b"\0" + struct.pack("!i", 0))
            + message(b"S", b"")
        )
        self.asked, self.first_row = time.perf_counter(), None

    def read(self, seconds=None):
        """Reads to the end, or for so long. Returns (bytes, last command tag or SQLSTATE, None if cut short)."""
        size, tail, until = 0, b"", time.perf_counter() + (seconds or 3600)
        while time.perf_counter() < until:
            part = self.socket.recv(1 << 20)
            if not part:
                raise AssertionError("the server hung up")
            size += len(part)
            tail = (tail + part)[-4096:]
            # ParseComplete and BindComplete are ten bytes; what follows is a row.
            if self.first_row is None and size > 10:
                self.first_row = time.perf_counter() - self.asked
            if tail.endswith(b"Z\0\0\0\x05I"):
                return size, self._outcome(tail)
        return size, None

    @staticmethod
    def _outcome(tail):
        error = tail.rfind(b"\0C", 0, len(tail) - 6)
        command = tail.rfind(b"C\0\0\0", 0, len(tail) - 6)
        if command >= 0 and tail[command + 5 :].split(b"\0")[0][:1].isalpha():
            return tail[command + 5 :].split(b"\0")[0].decode()
        return tail[error + 2 : error + 7].decode()

    def cancel(self):
        """A cancel request, on a connection of its own as the protocol wants it."""
        with socket.create_connection(("127.0.0.1", self.port)) as other:
            other.sendall(struct.pack("!ii", 8 + len(self.key), 80877102) + self.key)
            other.recv(1)

    def close(self):
        self.socket.close()

"""TLS and passwords with real clients: psql, psycopg, pgjdbc, and handshakes by hand.

Certificates are made with the openssl command for this run alone.
"""

import base64
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from served import Server, binary  # noqa: E402

JDBC = "/usr/share/java/postgresql.jar"
PASSWORD = "geheim, pässwort"


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Certificates:
    """An authority, a server's certificate of it in three forms of key, a client's, and an authority of strangers."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("ca", "stranger"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30,
                    "-subj", f"/CN={name}", "-keyout", self[f"{name}.key"], "-out", self[f"{name}.crt"])
        self.sign("server", "ca", "DNS:localhost,IP:127.0.0.1")
        self.sign("next", "ca", "DNS:localhost,IP:127.0.0.1", rsa=True)
        self.sign("client", "ca", "DNS:ana")
        self.sign("foreign", "stranger", "DNS:ana")
        # The same keys in their older forms.
        openssl("ec", "-in", self["server.key"], "-out", self["server.sec1.key"])
        openssl("rsa", "-in", self["next.key"], "-traditional", "-out", self["next.pkcs1.key"])
        for key in folder.glob("*.key"):
            key.chmod(0o600)

    def __getitem__(self, name):
        return self.folder / name

    def sign(self, name, by, names, rsa=False):
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", self[f"{name}.key"], "-out", self[f"{name}.csr"])
        self[f"{name}.ext"].write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", self[f"{name}.csr"], "-CA", self[f"{by}.crt"], "-CAkey", self[f"{by}.key"], "-CAcreateserial",
                "-days", 30, "-extfile", self[f"{name}.ext"], "-out", self[f"{name}.crt"])


def settings(path, **tls):
    path.write_text("[tls]\n" + "".join(f'{name} = "{value}"\n' for name, value in tls.items()))
    return ("--config", str(path))


def connect(server, **parameters):
    given = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": "audience", "connect_timeout": 20}
    return psycopg.connect(psycopg.conninfo.make_conninfo(**{**given, **parameters}), autocommit=True)


def refused(server, words, sqlstate=None, **parameters):
    try:
        connect(server, **parameters).close()
    except psycopg.OperationalError as error:
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError(f"got in with {parameters}, expected: {words}")


def does_not_start(data, words, *arguments):
    done = subprocess.run([binary(), "serve", "--data", str(data), "--listen", "127.0.0.1:0", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and words in done.stderr, f"{done.returncode}: {done.stderr}"


def startup(user="postgres", version=196608):
    body = struct.pack("!I", version) + b"".join(w.encode() + b"\0" for w in ("user", user, "database", "audience")) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


SSL_REQUEST = struct.pack("!II", 8, 80877103)


def message(sock):
    """The next message: its letter and body."""
    head = b""
    while len(head) < 5:
        more = sock.recv(5 - len(head))
        if not more:
            return None, b""
        head += more
    length = struct.unpack("!I", head[1:])[0] - 4
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    return head[:1], body


def encrypted(server, certificates, alpn=("postgresql",), ask=True):
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    if ask:
        sock.sendall(SSL_REQUEST)
        assert sock.recv(1) == b"S"
    context = ssl.create_default_context(cafile=certificates["ca.crt"])
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(sock, server_hostname="localhost")


def bad_files(folder, data, certificates):
    missing = folder / "missing.crt"
    key, config = certificates["server.key"], folder / "bad.toml"
    does_not_start(data, str(missing), *settings(config, cert=missing, key=key))
    does_not_start(data, "it does not belong to the certificate", *settings(config, cert=certificates["server.crt"], key=certificates["next.key"]))
    open_key = folder / "open.key"
    shutil.copy(key, open_key)
    open_key.chmod(0o644)
    does_not_start(data, "group or world access", *settings(config, cert=certificates["server.crt"], key=open_key))
    does_not_start(data, "there is no private key in it", *settings(config, cert=certificates["server.crt"], key=private(folder, certificates["ca.crt"])))
    does_not_start(data, "there is no certificate in it", *settings(config, cert=key, key=key))
    does_not_start(data, "tls.client_ca has no force", *settings(config, cert=certificates["server.crt"], key=key, client_ca=certificates["ca.crt"]))


def private(folder, path):
    copy = folder / "private.pem"
    shutil.copy(path, copy)
    copy.chmod(0o600)
    return copy


def before_passwords(server, certificates):
    """Trust on loopback, with TLS and without; others do not get in."""
    with connect(server, sslmode="disable") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    for host in ("localhost", "127.0.0.1"):
        with connect(server, host=host, sslmode="verify-full", sslrootcert=certificates["ca.crt"]) as connection:
            # Larger than every buffer on the way, both directions.
            big = "x" * 5_000_000
            assert connection.execute("SELECT %s::text || 'y'", (big,)).fetchone()[0] == big + "y"
            assert sum(n for (n,) in connection.cursor().stream("SELECT n FROM generate_series(1, 300000) AS g (n)")) == 45000150000
    refused(server, 'role "ana" does not exist', user="ana")
    refused(server, "certificate verify failed", host="localhost", sslmode="verify-full", sslrootcert=certificates["stranger.crt"])
    refused(server, "does not match host name", host="localhost.localdomain", hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=certificates["ca.crt"])


def passwords(server, certificates):
    ca = certificates["ca.crt"]
    with connect(server) as connection:
        connection.execute("CREATE ROLE ana LOGIN PASSWORD 'ana''s'")
        connection.execute("CREATE ROLE group_role PASSWORD 'x'")
        connection.execute("CREATE ROLE bare LOGIN")
        connection.execute("CREATE ROLE old LOGIN PASSWORD 'x' VALID UNTIL '2001-01-01'")
        connection.execute("CREATE ROLE one LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
        connection.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
    for sslmode in ("disable", "require"):
        with connect(server, password=PASSWORD, sslmode=sslmode) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    with connect(server, password="ana's", user="ana", host="localhost", sslmode="verify-full", sslrootcert=ca, channel_binding="require") as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("ana",)
    with connect(server, password="ana's", user="ana", sslmode="require", channel_binding="disable") as connection:
        connection.execute("SELECT 1")
    refused(server, "channel binding", password=PASSWORD, sslmode="disable", channel_binding="require")
    for user, password in [("postgres", "wrong"), ("postgres", ""), ("ana", PASSWORD), ("nobody", "x"), ("bare", "x"), ("old", "x")]:
        words = f'password authentication failed for user "{user}"' if password else "no password supplied"
        refused(server, words, user=user, password=password)
    refused(server, 'role "group_role" is not permitted to log in', user="group_role", password="x")
    with connect(server, user="one", password="x"):
        refused(server, 'too many connections for role "one"', user="one", password="x")
    log = "".join(server.log)
    assert "login failed" in log and "there is no such role" in log and PASSWORD not in log and "SCRAM-SHA-256$" not in log


def psql_and_jdbc(server, certificates):
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    address = f"host=localhost port={server.port} user=postgres dbname=audience sslmode=verify-full channel_binding=require sslrootcert={certificates['ca.crt']}"
    done = subprocess.run(["psql", "-X", "-At", "-c", "\\conninfo", "-c", "SELECT 6 * 7", address], env=environment, capture_output=True, text=True)
    assert "SSL connection (protocol: TLSv1.3" in done.stdout and done.stdout.endswith("42\n"), done.stdout + done.stderr
    done = subprocess.run(["java", "-cp", JDBC, HERE / "WithTls.java", str(server.port), str(certificates["ca.crt"]), PASSWORD], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def by_hand(server, certificates):
    # Bytes behind the request that the server has not answered yet: nobody can know whose they are.
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(SSL_REQUEST + startup())
        kind, body = message(sock)
        assert kind == b"E" and b"received unencrypted data after SSL request" in body, (kind, body)
    # Asked twice; GSSAPI encryption declined; cancel requests of nobody.
    with encrypted(server, certificates) as sock:
        sock.sendall(SSL_REQUEST)
        assert message(sock)[0] == b"E"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(struct.pack("!II", 8, 80877104))
        assert sock.recv(1) == b"N"
    # A handshake that is none.
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(SSL_REQUEST)
        assert sock.recv(1) == b"S"
        sock.sendall(b"\x16\x03\x01\xff\xff" + b"nonsense" * 10)
        while sock.recv(4096):
            pass
    # Direct TLS, with the protocol's name and without.
    with encrypted(server, certificates, ask=False) as sock:
        assert sock.selected_alpn_protocol() == "postgresql"
        sock.sendall(startup())
        kind, body = message(sock)
        assert kind == b"R" and b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0" in body, (kind, body)
    with encrypted(server, certificates, ask=False, alpn=()) as sock:
        sock.sendall(startup())
        assert message(sock)[0] == b"E"
    try:
        encrypted(server, certificates, alpn=("http/1.1",)).close()
        raise AssertionError("another protocol was taken")
    except ssl.SSLError:
        pass


def salt(server, user):
    """What the server says is the salt of a user's password."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(startup(user))
        kind, body = message(sock)
        assert kind == b"R" and body[:4] == b"\0\0\0\x0a", (kind, body)
        first = b"n,,n=,r=" + base64.b64encode(os.urandom(18))
        body = b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first
        sock.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)
        kind, body = message(sock)
        assert kind == b"R" and body[:4] == b"\0\0\0\x0b", (kind, body)
        parts = dict(part.split("=", 1) for part in body[4:].decode().split(","))
        assert parts["i"] == "4096", parts
        return parts["s"]


def presented(server, certificates):
    with encrypted(server, certificates) as sock:
        return sock.getpeercert(binary_form=True)


def hang_up(server, certificates, served, words):
    """SIGHUP, until the log says what came of it."""
    seen = len(server.log)
    server.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        if any(words in line for line in server.log[seen:]):
            return
        time.sleep(0.05)
    raise AssertionError("".join(server.log[seen:]))


def reload(server, certificates, served):
    before = presented(server, certificates)
    with connect(server, password=PASSWORD, sslmode="require") as old:
        (served / "cert").write_text("nothing")
        hang_up(server, certificates, served, "keeping the old certificate")
        assert presented(server, certificates) == before
        shutil.copy(certificates["next.crt"], served / "cert")
        shutil.copy(certificates["next.pkcs1.key"], served / "key")
        hang_up(server, certificates, served, "read certificate and key again")
        assert presented(server, certificates) != before
        assert old.execute("SELECT 1").fetchone() == (1,)
    with connect(server, password=PASSWORD, host="localhost", sslmode="verify-full", sslrootcert=certificates["ca.crt"], channel_binding="require"):
        pass


def only_encrypted(folder, data, certificates):
    """hostssl, and certificates of clients."""
    config = settings(folder / "never.toml", cert=certificates["server.crt"], key=certificates["server.sec1.key"], plaintext="never", min_version="1.3")
    with Server(data, *config) as server:
        refused(server, "connections without TLS are refused", password=PASSWORD, sslmode="disable")
        with connect(server, password=PASSWORD, sslmode="prefer") as connection:
            connection.execute("SELECT 1")
        server.stop()
    config = settings(folder / "clients.toml", cert=certificates["server.crt"], key=certificates["server.key"], plaintext="never", client_ca=certificates["ca.crt"])
    with Server(data, *config) as server:
        good = {"sslcert": certificates["client.crt"], "sslkey": certificates["client.key"]}
        with connect(server, password=PASSWORD, sslmode="require", **good) as connection:
            connection.execute("SELECT 1")
        refused(server, "password authentication failed", password="wrong", sslmode="require", **good)
        foreign = {"sslcert": certificates["foreign.crt"], "sslkey": certificates["foreign.key"]}
        for bad in ({}, foreign):
            try:
                connect(server, password=PASSWORD, sslmode="require", **bad).close()
                raise AssertionError("got in without a certificate of the authority")
            except psycopg.OperationalError:
                pass
        server.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="audiencedb-tls-") as scratch:
        folder, served = Path(scratch), Path(scratch) / "served"
        data = folder / "warehouse"
        (folder / "certificates").mkdir()
        served.mkdir()
        certificates = Certificates(folder / "certificates")
        bad_files(folder, data, certificates)
        shutil.copy(certificates["server.crt"], served / "cert")
        shutil.copy(certificates["server.key"], served / "key")
        config = settings(folder / "tls.toml", cert=served / "cert", key=served / "key")
        with Server(data, *config) as server:
            before_passwords(server, certificates)
            passwords(server, certificates)
            psql_and_jdbc(server, certificates)
            by_hand(server, certificates)
            salts = [salt(server, user) for user in ("postgres", "nobody", "somebody")]
            assert len(set(salts)) == 3 and salts == [salt(server, user) for user in ("postgres", "nobody", "somebody")]
            reload(server, certificates, served)
            server.stop()
        only_encrypted(folder, data, certificates)
        with Server(data) as server:
            # Without TLS: declined; passwords hold; a made-up salt is what it was.
            refused(server, "server does not support SSL", password=PASSWORD, sslmode="require")
            assert salts == [salt(server, user) for user in ("postgres", "nobody", "somebody")]
            server.stop()
    print("TLS and passwords ok,", ssl.OPENSSL_VERSION)


if __name__ == "__main__":
    main()

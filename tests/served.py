"""The binary under test, for the Python parts of the tests: load, serve, stop, kill, watch."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def binary():
    """The release binary that tests/run built, or the one named in AUDIENCEDB_BIN."""
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
    path = Path(os.environ.get("AUDIENCEDB_BIN") or Path(target) / "release" / "audiencedb")
    if not path.exists():
        sys.exit(f"{path} is not there: run tests/run, or cargo build --release")
    return str(path)


def load(path, table, data, *options):
    """`audiencedb load`; returns the seconds it took."""
    start = time.perf_counter()
    done = subprocess.run(
        [binary(), "load", str(path), "--table", table, "--data", str(data), *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode:
        raise AssertionError(f"load of {path} ended with {done.returncode}:\n{done.stdout}")
    return time.perf_counter() - start


class Server:
    """A running `audiencedb serve`."""

    def __init__(self, data, *arguments):
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", str(data), "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        self.port, self.log = None, []
        for line in self.process.stderr:
            self.log.append(line)
            if "listening on " in line:
                self.port = int("".join(c for c in line.split("listening on ")[1].split()[0].rsplit(":")[-1] if c.isdigit()))
                break
        if self.port is None:
            raise AssertionError("the server did not start:\n" + "".join(self.log))
        self.ready_after = time.perf_counter() - start
        # The rest of the log is read to its end: a full pipe would stop the server.
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()

    def stop(self):
        """SIGTERM; the exit code has to be 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        if code:
            raise AssertionError(f"graceful stop ended with {code}:\n" + "".join(self.log[-20:]))

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=60)

    def psql(self, sql, *options):
        """What psql prints: values only, columns parted by `|`."""
        command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        command += [*(options or ("-At",)), "-c", sql, "audience"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"psql: {done.stderr.strip()}\n  {sql}")
        return done.stdout.strip()

    def memory(self):
        """Bytes in use."""
        return self._status("VmRSS")

    def peak(self):
        """The most bytes in use since forget_peak()."""
        return self._status("VmHWM")

    def forget_peak(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, field):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")

    def load(self, seconds=1.0):
        """Processor time used during the next second, as a share of one core."""
        before = self._cpu()
        time.sleep(seconds)
        return (self._cpu() - before) / seconds

    def _cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Tally:
    """Counts checks, prints each, and ends with the line that says how many passed."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def same(self, what, got, want):
        self.check(what, got == want, f"got {got!r}, expected {want!r}")

    def check(self, what, holds, why=""):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"  {'ok  ' if holds else 'FAIL'} {what}{'' if holds else ': ' + str(why)}", flush=True)

    def run(self, what, body, *arguments):
        """A step that raises has failed; the steps after it still run."""
        start = time.perf_counter()
        try:
            body(*arguments)
        except Exception as error:  # Whatever went wrong, it is this step's result.
            self.check(what, False, f"{type(error).__name__}: {error}")
        else:
            self.check(f"{what} ({time.perf_counter() - start:.1f} s)", True)

    def end(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)

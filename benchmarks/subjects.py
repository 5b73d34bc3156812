"""Who is measured: the Rewake server and the hand-written application, each started in a process of its own.

Everything lies in one scratch folder on one disk, so that a commit costs everybody the same.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.handwritten_app import SCHEMA
from benchmarks.load import Load, Outcome
from benchmarks.processes import raise_open_files

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "benchmarks" / "backend_project"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0
LOAD_SECONDS_MAX = 120.0
ACCOUNTS = 100_000
ACCOUNTS_PER_CALL = 1_000
NOTES_PER_CALL = 4_000
"""A commit of 1,000 writes nearly as many pages: the ids lie anywhere in their index."""
CHANNELS_PER_CALL = 50
NO_CACHE = {"REWAKE_LIMIT_CACHE_BYTES_MAX": "0"}
BALANCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes that lie there before anything is measured, spread evenly over channels."""

    count: int
    channels: int
    body: str

    def rows(self) -> Iterator[tuple[int, str, str, float]]:
        """As the hand-written application stores them: the newest has the largest number."""
        for number in range(self.count):
            yield number + 1, f"channel-{number % self.channels}", self.body, 1e9 + number


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under load, and how it is named in the table."""

    name: str
    kind: str
    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def put_under(self, **load: object) -> Outcome:
        """Run the load generator against it. `load` are fields of `Load` beside those that say who it is."""
        described = Load(port=self.port, server_pid=self.process.pid, subject=self.kind, **load)  # type: ignore[arg-type]
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(asdict(described)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=LOAD_SECONDS_MAX,
        )
        if run.returncode:
            raise SystemExit(f"benchmarks: the load on {self.name} failed:\n{run.stderr}\n{self.log_tail()}")
        outcome = Outcome(**json.loads(run.stdout))
        line = f"    {self.name}: {outcome.rate:,.0f}/s, p50 {outcome.p50_us:,.0f} us"
        line += f", p99 {outcome.p99_us:,.0f} us, generator {outcome.generator_cpu:.0%} of a core"
        line += f", server {outcome.server_cpu:.0%}"
        if outcome.failures:
            line += f"; {outcome.failures} FAILED: {outcome.first_failure}"
        print(line, flush=True)
        return outcome

    def call(self, door: str, function: str, arguments: object) -> object:
        """One call over Rewake's HTTP API.

        Raises:
            SystemExit: it failed; a benchmark on wrong data is worth nothing.
        """
        body = json.dumps({"path": function, "args": arguments, "format": "convex_encoded_json"})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{door}", body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if answer["status"] != "success":
            raise SystemExit(f"benchmarks: {function} failed: {answer}")
        return answer["value"]

    def log_tail(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-4000:]


@contextmanager
def rewake(
    scratch: Path,
    *,
    data: Path | None = None,
    settings: Mapping[str, str] | None = None,
    folder_name: str = "rewake",
) -> Iterator[Subject]:
    """The server under test, on an empty database, or on the one in the folder `data`, which stays.

    `settings` are environment variables such as REWAKE_LIMIT_*. Two servers at a time want folders of their
    own.
    """
    folder = fresh(scratch / folder_name)
    command = ["-m", "rewake", "serve", str(PROJECT), "--data", str(data or folder / "data")]
    with _served("Rewake", "rewake", folder, command, settings) as subject:
        yield subject


@contextmanager
def handwritten(
    scratch: Path,
    *,
    sync: str,
    commit: str,
    has_accounts: bool = False,
    notes: Notes | None = None,
    keeps_lists: bool = False,
) -> Iterator[Subject]:
    """The hand-written application, on an empty database or one with the accounts or `notes` in it."""
    folder = fresh(scratch / f"handwritten-{sync}-{commit}")
    database = folder / "app.db"
    _fill(database, has_accounts=has_accounts, notes=notes)
    name = "by hand, fsync" if sync == "full" else "by hand, no fsync"
    if commit == "group":
        name += ", group commit"
    command = ["-m", "benchmarks.handwritten_app", "--database", str(database)]
    command += ["--sync", sync, "--commit", commit, *(["--cache"] if keeps_lists else [])]
    with _served(name, "handwritten", folder, command) as subject:
        yield subject


@contextmanager
def bare_worker(scratch: Path, *, notes: Notes | None = None) -> Iterator[Subject]:
    """A front and two workers with nothing in them: the floor under every server of several processes."""
    folder = fresh(scratch / "bare-worker")
    database = folder / "app.db"
    _fill(database, notes=notes)
    command = ["-m", "benchmarks.bare_worker", "--database", str(database)]
    with _served("bare front and worker", "handwritten", folder, command) as subject:
        yield subject


def _fill(database: Path, *, has_accounts: bool = False, notes: Notes | None = None) -> None:
    """The hand-written application's tables, with what is to be in them before it starts."""
    if not has_accounts and notes is None:
        return
    with sqlite3.connect(database) as db:
        db.executescript(SCHEMA)
        if has_accounts:
            rows = ((number, BALANCE) for number in range(1, ACCOUNTS + 1))
            db.executemany("INSERT INTO accounts VALUES (?, ?)", rows)
        if notes is not None:
            db.executemany("INSERT INTO notes VALUES (?, ?, ?, ?)", notes.rows())
    db.close()


def bare_rows(path: Path, notes: Notes) -> sqlite3.Connection:
    """A database with the notes in it and no server around it."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, cached_statements=256)
    db.executescript(SCHEMA)
    with db:
        db.executemany("INSERT INTO notes VALUES (?, ?, ?, ?)", notes.rows())
    return db


def open_accounts(subject: Subject) -> list[str]:
    """Open the accounts in Rewake; their ids in order of their numbers."""
    ids: list[str] = []
    for first in range(0, ACCOUNTS, ACCOUNTS_PER_CALL):
        arguments = {"first": first, "count": ACCOUNTS_PER_CALL, "balance": BALANCE}
        answer = subject.call("mutation", "accounts:open_many", arguments)
        assert isinstance(answer, list)
        ids += answer
    return ids


def write_notes(subject: Subject, notes: Notes, *, per_call: int = NOTES_PER_CALL) -> list[str]:
    """Insert the notes into Rewake, `per_call` in one mutation; their ids in order of their numbers."""
    ids: list[str] = []
    for first in range(0, notes.count, per_call):
        count = min(per_call, notes.count - first)
        arguments = {"first": first, "count": count, "channels": notes.channels, "body": notes.body}
        answer = subject.call("mutation", "notes:add_many", arguments)
        assert isinstance(answer, list)
        ids += answer
    return ids


def count_notes(subject: Subject, channels: int) -> int:
    """How many notes Rewake has in its first `channels` channels."""
    total = 0
    for first in range(0, channels, CHANNELS_PER_CALL):
        count = min(CHANNELS_PER_CALL, channels - first)
        part = subject.call("query", "notes:count", {"first": first, "channels": count})
        assert isinstance(part, int | float)
        total += int(part)
    return total


@contextmanager
def bare_broadcast(scratch: Path) -> Iterator[Subject]:
    """A loop that writes ready frames to sockets: the floor under every push."""
    folder = fresh(scratch / "bare-broadcast")
    with _served("bare broadcast", "broadcast", folder, ["-m", "benchmarks.bare_broadcast"]) as subject:
        yield subject


@contextmanager
def bare_echo(scratch: Path) -> Iterator[Subject]:
    """The server stack with nothing behind it: the floor under every request."""
    folder = fresh(scratch / "bare-echo")
    with _served("bare HTTP echo", "echo", folder, ["-m", "benchmarks.bare_echo"]) as subject:
        yield subject


def money_in(subject: Subject) -> int:
    """All the money in Rewake's accounts; transfers must not change it."""
    total = 0
    for first in range(0, ACCOUNTS, ACCOUNTS_PER_CALL):
        part = subject.call("query", "accounts:total", {"first": first, "count": ACCOUNTS_PER_CALL})
        assert isinstance(part, int | float)
        total += int(part)
    return total


@contextmanager
def _served(
    name: str, kind: str, folder: Path, command: list[str], settings: Mapping[str, str] | None = None
) -> Iterator[Subject]:
    port = free_port()
    raise_open_files()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
        )
    subject = Subject(name, kind, port, process, folder)
    try:
        _wait_until_healthy(subject)
        yield subject
    finally:
        stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server, kindly at first."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_healthy(subject: Subject) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and subject.process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{subject.port}/healthz", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit(f"benchmarks: {subject.name} did not start:\n{subject.log_tail()}")


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Every fault that we could think of is planted in the house; the checker must find it and name it.

Each has a story that makes it show at once, without luck: what must be late waits at a gate, or for the next
commit. With its fault the anomaly must be named; without any, all the stories together must leave nothing to
be found. On threads, and on a server with worker processes; what is planted in the front process, which is
the same on both, is told on threads only.

    fault                            planted in                            anomaly
    ------------------------------   -----------------------------------   --------------------------------
 a  acknowledgement before COMMIT    GroupCommit.commit                    G-single-realtime
                                                                           lost append, after a crash
 b  response before invalidation     LiveQueries.on_group, _mark_stale     G-single-realtime
 c  result registered without the    RecentRows.first_touch                G-single-realtime
    check of D5
 d  old index key missing            document_writes.joined_keys          G-single-realtime
 e  two snapshots in one transition  FunctionRuns.query                    G-single
 f  cache key without identity       LiveQueries._entry_for                misdirected read
    cache key without journal        live_session.question_key, _pin       forked order
 g  replay look-up skipped           WriterStore.find_replay               doubled append
 h  failed savepoint released        WriterStore.drop_part                 G1a
 i  timestamp reused after restart   GroupCommit.begin                     reused timestamp
 j  reader left on an old snapshot   Snapshot.end, ReaderStore.begin       G-single-realtime

The faults themselves are in `faults.py`.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.server_process import ServerProcess
from tests.isolation.checker import check, names, report
from tests.isolation.faults import FAULTS, HELD, TORN, plant
from tests.isolation.gate import Gate
from tests.isolation.history import Clock, History
from tests.isolation.observed_http import ObservedHttp
from tests.isolation.observed_socket import ObservedSocket
from tests.isolation.servers import READERS, InlineServer, server_with_workers

PLANTING = Path(__file__).parent / "planting"
ROOT = Path(__file__).parents[2]
JOIN_SECONDS = 60.0

pytestmark = pytest.mark.slow


class Stage:
    """A server, a gate in it, and clients that are observed."""

    def __init__(self, server: InlineServer | ServerProcess, gate: Gate, leaving: ExitStack) -> None:
        self._server = server
        self._leaving = leaving
        self._numbers = itertools.count(1)
        self._clock = Clock()
        self.gate = gate
        self.history = History()

    def http(self) -> ObservedHttp:
        """A client over HTTP."""
        url, name = f"http://127.0.0.1:{self._server.port}", f"h{next(self._numbers)}"
        client = ObservedHttp(url, name, self._clock, self.history)
        self._leaving.callback(client.close)
        return client

    def socket(self) -> ObservedSocket:
        """A client with a socket."""
        name = f"w{next(self._numbers)}"
        client = ObservedSocket(self._server.port, name, self._clock, self.history)
        self._leaving.callback(client.close)
        return client

    def append(self, key: str, verb: str = "append") -> tuple[str, str, str]:
        """A step that appends a new value."""
        return verb, key, f"v{next(self._numbers)}"

    def crash(self) -> None:
        """Let the server die, and start it again."""
        if isinstance(self._server, InlineServer):
            # Threads cannot be killed; but what is not committed is lost when it is closed, too.
            self._server.restart()
        else:
            self._server.kill()
            self._server.start()


Story = Callable[[Stage], None]


# Stories.


def reads_after_an_acknowledgement(stage: Stage) -> None:
    """Past the cache, so that nothing waits for news of the commit. Every reader has read before."""
    http = stage.http()
    for _ in range(2 * READERS):
        http.batch([("lists:read", {"keys": ["a"]})])
    http.transact(stage.append("a"))
    http.batch([("lists:read", {"keys": ["a"]})])
    http.transact(("read", "a"), stage.append("a"))
    http.transact(stage.append("b"))
    http.read_all()


def crashes_after_an_acknowledgement(stage: Stage) -> None:
    stage.http().transact(stage.append("a"))
    stage.crash()
    stage.http().read_all()


def asks_the_cache_after_an_acknowledgement(stage: Stage) -> None:
    """Twice, so that the list stood on each shelf once before it was appended to."""
    http = stage.http()
    for _ in range(2):
        http.transact(stage.append("a"))
        http.read("a")
    http.transact(stage.append("a"))
    http.read("a")
    http.transact(stage.append("b"))
    http.read_all()


def commits_while_a_result_travels(stage: Stage) -> None:
    slow, http = stage.http(), stage.http()
    reading = threading.Thread(target=slow.read, args=(HELD,), daemon=True)
    reading.start()
    stage.gate.wait_arrived()
    http.transact(stage.append(HELD))
    stage.gate.open()
    reading.join(JOIN_SECONDS)
    http.read(HELD)
    http.batch([("lists:read", {"keys": [HELD, "a"]})])


def shows_two_lists_at_once(stage: Stage) -> None:
    http, socket = stage.http(), stage.socket()
    http.transact(stage.append("a"), stage.append(TORN))
    http.transact(stage.append("b"))
    whole = socket.watch("lists:read", keys=["a"])
    socket.watch("lists:read", keys=[TORN])
    socket.finish()
    one, other = stage.append("a"), stage.append(TORN)
    http.transact(one, other)
    socket.until(lambda: whole.value[0][-1] == one[2])
    http.transact(stage.append("b"))
    http.batch([("lists:read_items", {"key": key}) for key in ("a", "b")])


def asks_as_two_people(stage: Stage) -> None:
    http = stage.http()
    http.transact(stage.append("own-alice"))
    for user in ("alice", "bob", "alice"):
        http.query("lists:read_own", {}, user=user)


def becomes_somebody_else(stage: Stage) -> None:
    http, socket = stage.http(), stage.socket()
    http.transact(stage.append("own-alice"), stage.append("own-bob"))
    socket.become("alice")
    socket.watch("lists:read_own")
    socket.finish()
    socket.become("bob")
    socket.finish()
    http.read_all()


def comes_back_to_a_page(stage: Stage) -> None:
    """While the first was away, the list grew and another began to show it, from its new top."""
    http, first, second = stage.http(), stage.socket(), stage.socket()
    for _ in range(3):
        http.transact(stage.append("d"))
    first.watch_pages("d")
    first.finish()
    http.transact(stage.append("d"))
    first.leave()
    for _ in range(3):
        http.transact(stage.append("d"))
    second.watch_pages("d")
    second.finish()
    first.connect()
    first.finish()
    http.read_all()


def sends_again(stage: Stage) -> None:
    """The answer was given, and lost on its way."""
    socket = stage.socket()
    socket.watch("lists:read", keys=["a"])
    socket.finish()
    socket.go_deaf()
    socket.transact(stage.append("a"))
    socket.wait_answered_in_vain()
    socket.cut()
    socket.finish()
    stage.http().read_all()


def loses_a_part(stage: Stage) -> None:
    http = stage.http()
    http.transact(stage.append("a"), stage.append("a", "lost"), stage.append("b"))
    http.read_all()


def goes_on_after_a_crash(stage: Stage) -> None:
    for is_first in (True, False):
        socket = stage.socket()
        for _ in range(8):
            socket.transact(stage.append("a"))
        socket.finish()
        if is_first:
            stage.crash()
    stage.http().read_all()


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    fault: str
    story: Story
    anomaly: str
    is_in_front: bool = False
    """Whether it is planted in the front process, where the runner makes no difference."""

    def __str__(self) -> str:
        return f"{self.fault}-{self.story.__name__}"


CASES = [
    Case("acknowledges_before_commit", reads_after_an_acknowledgement, "G-single-realtime"),
    Case("acknowledges_before_commit", crashes_after_an_acknowledgement, "lost append"),
    Case(
        "responds_before_invalidation",
        asks_the_cache_after_an_acknowledgement,
        "G-single-realtime",
        is_in_front=True,
    ),
    Case("registers_unchecked", commits_while_a_result_travels, "G-single-realtime"),
    Case("forgets_old_keys", asks_the_cache_after_an_acknowledgement, "G-single-realtime"),
    Case("reads_two_snapshots", shows_two_lists_at_once, "G-single"),
    Case("caches_without_identity", asks_as_two_people, "misdirected read", is_in_front=True),
    Case("caches_without_identity", becomes_somebody_else, "misdirected read", is_in_front=True),
    Case("caches_without_journal", comes_back_to_a_page, "forked order", is_in_front=True),
    Case("skips_replay_lookup", sends_again, "doubled append"),
    Case("keeps_failed_parts", loses_a_part, "G1a"),
    Case("reuses_timestamps", goes_on_after_a_crash, "reused timestamp"),
    Case("leaves_readers_behind", reads_after_an_acknowledgement, "G-single-realtime"),
]


def told_on_threads(
    stories: Iterable[Story], faults: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> History:
    """The history of stories, one after the other, on a server in this process."""
    gate = Gate(folder)
    with ExitStack() as leaving:
        gate.make()
        leaving.callback(monkeypatch.undo)
        plant(faults, monkeypatch.setattr, gate)
        server = InlineServer(folder / "data.sqlite3")
        leaving.callback(server.close)
        leaving.callback(gate.take_down)
        stage = Stage(server, gate, leaving)
        for story in stories:
            story(stage)
    return stage.history


def told_on_processes(
    stories: Iterable[Story], faults: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> History:
    """The history of stories, one after the other, on a server with worker processes."""
    gate = Gate(folder)
    path = os.pathsep.join([str(PLANTING), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    server = server_with_workers(
        folder, PYTHONPATH=path, ISOLATION_FAULTS=" ".join(faults), ISOLATION_GATE=str(folder)
    )
    with ExitStack() as leaving:
        gate.make()
        leaving.enter_context(server)
        leaving.callback(gate.take_down)
        stage = Stage(server, gate, leaving)
        for story in stories:
            story(stage)
    return stage.history


Telling = Callable[[Iterable[Story], Sequence[str], Path, pytest.MonkeyPatch], History]

TELLINGS: list[Telling] = [told_on_threads, told_on_processes]


def circumstances(fault: str) -> list[str]:
    """What must be so for a fault to show, and is none itself."""
    return ["stands_still"] if fault == "reuses_timestamps" else []


@pytest.mark.parametrize(
    ("tell", "case"),
    [
        pytest.param(tell, case, id=f"{tell.__name__}-{case}")
        for tell in TELLINGS
        for case in CASES
        if tell is told_on_threads or not case.is_in_front
    ],
)
def test_a_planted_fault_is_found_and_named(
    tell: Telling, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [*circumstances(case.fault), case.fault]
    found = check(tell([case.story], faults, tmp_path, monkeypatch))
    print(report(found))
    assert case.anomaly in names(found)


@pytest.mark.parametrize("tell", TELLINGS)
def test_without_a_fault_nothing_is_found(
    tell: Telling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stories that kill the server are told first, so that the others meet a server that was killed.
    stories = sorted(
        dict.fromkeys(case.story for case in CASES), key=lambda story: "crash" not in story.__name__
    )
    harmless = [name for case in CASES for name in circumstances(case.fault)]
    history = tell(stories, harmless, tmp_path, monkeypatch)
    found = check(history)
    assert not found, report(found)
    assert len(history.operations) > 50


def test_every_fault_has_its_story_and_a_place_in_the_table() -> None:
    told = {case.fault for case in CASES}
    assert told | {name for fault in told for name in circumstances(fault)} == FAULTS.keys()
    assert all(case.anomaly in (__doc__ or "") for case in CASES)

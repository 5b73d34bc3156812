"""Whole worlds from one seed: clients, sockets, sessions, live queries, functions and the database.

Everything is the house's own but time, chance, threads and sockets. The clients check each message by the
rules of their side (`model_client.py`): one snapshot for all queries that never goes back, also over
reconnects; responses before the transitions that cover them; each mutation once. Meanwhile groups and waves
take place in pieces, out of step with each other; writers and readers die; the whole server is restarted on
its file; and new code is pushed, whose answers and whose indexes differ.

    REWAKE_SIMULATION_SEED=17      one seed to replay          REWAKE_SIMULATION_WORLDS=1000    many
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from rewake import ApplicationError, MutationCtx, QueryCtx, mutation, query
from rewake.auth import ANONYMOUS, AdminKey
from rewake.database import Database, ReplayKey
from rewake.deployment import Deployment
from rewake.environment import ManualClock, seeded_environment
from rewake.execution import (
    NO_SOURCE,
    CallLog,
    FunctionCall,
    MutationOutcome,
    ProjectSettings,
    Registry,
    RequestSource,
    Success,
    collect_modules,
)
from rewake.execution.output import function_print, install_log_handler
from rewake.execution.side_effects import install_guard
from rewake.handoff import at_once
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion
from rewake.reactivity.showable_position import ShowablePosition
from rewake.reactivity.wake_index import WakeIndex
from rewake.schema import define_schema, define_table, v
from rewake.storage import Durability, WriterStore
from rewake.sync.broadcast import SharedText
from rewake.sync.connection import Connection
from rewake.sync.deflation import Deflater
from rewake.sync.session import Session
from rewake.sync.socket import Socket, Writer, Writing
from rewake.tallies import Tallies
from rewake.values import decode_stored
from tests.stories.seeded_runner import Death, Push, SeededRunner, Work, is_success
from tests.sync.model_client import ModelClient

WORLDS = int(os.environ.get("REWAKE_SIMULATION_WORLDS", "25"))
SEEDS = (
    [int(os.environ["REWAKE_SIMULATION_SEED"])] if "REWAKE_SIMULATION_SEED" in os.environ else range(WORLDS)
)
STEPS = 250
KEYS = "abc"
PER_VERSION = 1000.0
"""What each version of the code adds to every answer, so that one sees which ran."""


def version_of_the_code(number: int) -> Registry:
    """The application: a number for each key, a row for each addition. Odd versions have an index."""
    index = f"by_key_{number}" if number % 2 else None

    def rows(ctx: QueryCtx, key: str) -> list[Any]:
        found = ctx.db.query("additions")
        if index is not None:
            return found.with_index(index, {"key": key}).collect()
        return found.filter(lambda row: row["key"] == key).collect()

    @query
    def get(ctx: QueryCtx, key: str) -> float:
        function_print("get")
        return len(rows(ctx, key)) + number * PER_VERSION

    @mutation
    def add(ctx: MutationCtx, key: str) -> float:
        ctx.db.insert("additions", {"key": key})
        return float(len(rows(ctx, key)))

    @mutation
    def fail(ctx: MutationCtx) -> None:
        ctx.db.insert("additions", {"key": "a"})
        raise ApplicationError("no")

    table = define_table({"key": v.string()})
    if index is not None:
        table = table.index(index, ["key"])
    # Functions belong to the module that defines them, so it keeps its name and gets another path.
    module, schema = ModuleType(__name__), ModuleType("schema")
    module.__dict__.update(get=get, add=add, fail=fail)
    schema.__dict__["schema"] = define_schema({"additions": table})
    return collect_modules({"kv": module, "schema": schema}, ProjectSettings(root=Path.cwd()))


class Truth:
    """What was committed, as the clients' rules ask for it. Takes the place of `FakeBackend` there."""

    def __init__(self) -> None:
        self.additions: list[tuple[int, str]] = []
        self.versions: list[tuple[int, int]] = []
        self.outcomes: dict[ReplayKey, MutationOutcome] = {}
        self.last_ts = 0

    def value_at(self, key: str, ts: int) -> float:
        """What `kv:get` comes to."""
        number = max((each for since, each in self.versions if since <= ts), default=0)
        return sum(since <= ts and each == key for since, each in self.additions) + number * PER_VERSION


class Jobs:
    """The registry of all connections."""

    limits: Limits = DEFAULT_LIMITS
    prefixes: tuple[str, ...] = ()
    standing_notice: str | None = None

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.deflater = Deflater(message_bytes_min=0)
        self.tasks: set[asyncio.Task[None]] = set()

    def connect(
        self,
        socket: Socket,
        client: ClientVersion,
        source: RequestSource = NO_SOURCE,
        *,
        watches_frames: bool = True,
    ) -> Connection:
        raise AssertionError("sockets are made by the world")

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(job)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def run_at_once(self, job: Coroutine[Any, Any, None]) -> None:
        at_once(job, over=lambda: None)

    def write_soon(self, socket: Writing) -> None:
        raise AssertionError("these sockets write at once")

    def dropped(self, reason: str) -> None:
        raise AssertionError(reason)

    def disconnected(self, connection: Connection) -> None:
        pass


class Pipe:
    """A socket whose messages reach the client at once."""

    def __init__(
        self, client: ModelClient, transcript: list[bytes], complaints: list[AssertionError]
    ) -> None:
        self.client: ModelClient | None = client
        self.transcript = transcript
        self.complaints = complaints
        self.is_closed = False

    def write_text(self, parts: Any, size: int, *, waits: bool = False) -> None:
        if self.client is None:
            return
        message = b"".join(parts)
        self.transcript.append(message)
        try:
            self.client.hear(message)
        except AssertionError as complaint:
            self.complaints.append(complaint)

    def write_shared(self, text: SharedText, skew: bytes) -> bool:
        self.write_text(text.parts(skew), text.size)
        return self.holds_unsent

    def unison(self) -> tuple[Writer, int] | None:
        return self, 0

    def write(self, data: bytes) -> None:
        """A frame that is written past the connection."""
        head = {126: 4, 127: 10}.get(data[1], 2)
        self.write_text((data[head:],), len(data) - head)

    def wrote_shared(self, *, wire: int, plain: int) -> None:
        raise AssertionError("nobody writes past this socket")

    @property
    def holds_unsent(self) -> bool:
        return False

    def write_ping(self) -> None:
        pass

    def unsent_bytes(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self, code: int | None, reason: str) -> None:
        self.is_closed = True

    def abort(self) -> None:
        raise AssertionError("nobody is slow enough to be dropped")


class World:
    """One seed's world: a server and three clients."""

    def __init__(self, seed: int, data: Path) -> None:
        self.random = Random(seed)
        self.data = data
        self.environment = seeded_environment(seed, clock=ManualClock())
        self.truth = Truth()
        self.number = 0
        self.complaints: list[AssertionError] = []
        self.clients = [
            ModelClient(f"{place}f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f", self.truth)  # type: ignore[arg-type]
            for place in (1, 2, 3)
        ]
        self.lines: list[tuple[Connection, Pipe]] = []
        self.asked: list[tuple[asyncio.Task[Any], str, int]] = []
        self.pushes: list[asyncio.Task[Any]] = []
        self.restarts = 0
        self.transcript: list[bytes] = []
        """Every message to every client, in order."""
        self.numbers: dict[int, int] = {}
        """Which version each code is, by identity; `kept` keeps them apart."""
        self.kept: list[Registry] = []

    # The server.

    async def start(self) -> None:
        """Open the file, push the code that served, and let every client in."""
        self.database = Database.open(self.data, environment=self.environment, durability=Durability.OFF)
        registry = version_of_the_code(self.number)
        self.runner = SeededRunner(self.database, registry)
        self.runner.on_commit = self.on_commit
        for client in self.clients:
            client.lost_outcomes = self.runner.lost_outcomes
        self.jobs = Jobs()
        self.deployment = Deployment(
            self.database,
            self.runner,
            name="simulated",
            version="simulated",
            admin_key=AdminKey("simulated|key"),
            call_log=CallLog(),
            is_redacted=False,
            tallies=Tallies(),
        )
        await self.runner.start(self.deployment.live.on_group)
        self.push(registry, self.number)
        await self.turn()
        self.runner.write_group(1)
        self.runner.deliver()
        await self.turn()
        self.lines = [self.open_line(client) for client in self.clients]

    def open_line(self, client: ModelClient) -> tuple[Connection, Pipe]:
        pipe = Pipe(client, self.transcript, self.complaints)
        session = Session(self.deployment, limits=DEFAULT_LIMITS, client=UNKNOWN_CLIENT)
        connection = Connection(self.deployment, self.jobs, session, pipe)
        for message in client.connect():
            connection.text_received(json.dumps(message))
        return connection, pipe

    async def die(self) -> None:
        """The server's process ends, in the middle of everything."""
        for connection, pipe in self.lines:
            pipe.client = None
            connection.lost()
        self.lines.clear()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.asked.clear()
        self.pushes.clear()
        await self.runner.close()
        self.database.close()

    def on_commit(self, done: Any) -> None:
        """Note what was committed; each mutation once, whatever the writer does."""
        work: Work
        for work, outcome in done:
            if isinstance(work.job, Push):
                self.truth.last_ts = max(self.truth.last_ts, self.database.last_ts())
                self.number = self.numbers[id(work.job.registry)]
                self.truth.versions.append((self.truth.last_ts, self.number))
            elif is_success(outcome):
                key = work.job.invocation.replay
                assert key is not None
                known = self.truth.outcomes.setdefault(key, outcome)
                assert known.ts == outcome.ts, "a mutation is applied once"
                if known is outcome:
                    self.truth.additions.append((outcome.ts, json.loads(work.job.call.args)["key"]))
                    self.truth.last_ts = max(self.truth.last_ts, outcome.ts)

    def push(self, registry: Registry, number: int) -> None:
        self.kept.append(registry)
        self.numbers[id(registry)] = number
        self.pushes.append(asyncio.ensure_future(self.deployment.push(registry)))

    # One thing after the other.

    async def turn(self) -> None:
        """Let the loop do what is ready."""
        for _ in range(8):
            await asyncio.sleep(0)
        for task, key, known_ts in [each for each in self.asked if each[0].done()]:
            self.asked.remove((task, key, known_ts))
            if task.exception() is None:
                result, ts = task.result()
                assert ts >= known_ts, "older than what the caller knew of"
                assert isinstance(result, Success), result
                assert decode_stored(result.value) == self.truth.value_at(key, ts)
        self.pushes = [each for each in self.pushes if not each.done()]
        for push in self.pushes:
            # One that waits dies with the server; no other mistake is a push's to make.
            if push.done() and not push.cancelled() and isinstance(push.exception(), TypeError):
                push.result()
        for complaint in self.complaints:
            raise complaint
        for who, (_, pipe) in enumerate(self.lines):
            if pipe.is_closed:  # Its reader had died: a client comes again.
                self.reconnect(who)

    def reconnect(self, who: int) -> None:
        connection, pipe = self.lines[who]
        pipe.client = None
        connection.lost()
        self.lines[who] = self.open_line(self.clients[who])

    def say(self, who: int, message: dict[str, Any]) -> None:
        self.lines[who][0].text_received(json.dumps(message))

    async def step(self) -> None:
        """What happens next, by chance."""
        random = self.random
        who, key = random.randrange(len(self.clients)), random.choice(KEYS)
        client = self.clients[who]
        chance = random.random()
        if chance < 0.30:
            self.runner.pass_gate(random.randrange(9))
        elif chance < 0.45:
            deaths: list[Death] = ["lives"] * 6 + ["dies before COMMIT", "dies after COMMIT"]
            self.runner.write_group(random.choice([1, 2, 5]), random.choice(deaths))
        elif chance < 0.60:
            self.runner.deliver()
        elif chance < 0.72:
            self.say(who, client.mutate(key if random.random() < 0.8 else None))
        elif chance < 0.80:
            self.say(who, client.add(key))
        elif chance < 0.83 and client.queries:
            self.say(who, client.remove(random.choice(sorted(client.queries))))
        elif chance < 0.86:
            again = [each.message for each in client.mutations if each.number in client.sent_here]
            if again:
                self.say(who, again[-1])
        elif chance < 0.90:
            self.reconnect(who)
        elif chance < 0.93:
            call = FunctionCall("kv:get", json.dumps({"key": key}))
            task = asyncio.ensure_future(self.deployment.query(call, ANONYMOUS, request_id=""))
            # Whatever anybody was told before is in the answer: clients talk to each other.
            told_ts = max(client.observed for client in self.clients)
            self.asked.append((task, key, max(told_ts, self.deployment.last_ts)))
        elif chance < 0.95:
            if not self.pushes:
                self.push(version_of_the_code(self.number + 1), self.number + 1)
        elif chance < 0.97:
            self.runner.reader_dies_next = bool(self.runner.gates)
        elif chance < 0.99:
            self.environment.clock.advance(random.choice([0.001, 1.0, 20.0]))  # type: ignore[attr-defined]
        else:
            self.restarts += 1
            await self.die()
            await self.start()
        await self.turn()

    async def come_to_rest(self) -> None:
        """Let everything happen that is still to happen; then everybody agrees."""
        self.runner.reader_dies_next = False
        for _ in range(2_000):
            if not (self.runner.gates or self.runner.queue or self.runner.untold):
                break
            self.runner.write_group(9)
            self.runner.deliver()
            self.runner.pass_gate(0)
            await self.turn()
        assert not self.runner.gates, "waves that never end"
        assert not self.asked
        assert not self.pushes
        assert self.runner.open_waves == 0
        for client in self.clients:
            assert not client.mutations, "every mutation settles"
            assert client.responses_since_transition == 0, "a Transition follows every response"
            assert client.version[:2] == (client.sent_query_set, client.sent_identity)
            assert not client.unconfirmed_removals
            assert client.remote == {
                query_id: self.truth.value_at(key, self.truth.last_ts)
                for query_id, key in client.queries.items()
            }
        for key in KEYS:
            wanted = sum(client.added.get(key, 0) for client in self.clients)
            assert sum(each == key for _, each in self.truth.additions) == wanted, "each addition once"

    async def live(self) -> None:
        """From the first start to the end."""
        await self.start()
        for _ in range(STEPS):
            await self.step()
        await self.come_to_rest()
        await self.die()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What dies on purpose says so in the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def simulate(seed: int, data: Path) -> World:
    install_guard()
    install_log_handler()
    world = World(seed, data)
    asyncio.run(world.live())
    return world


def simulate_all(seeds: range, folder: Path) -> None:
    for seed in seeds:
        simulate(seed, folder / str(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_stays_true(seed: int, tmp_path: Path) -> None:
    world = simulate(seed, tmp_path / "data.sqlite")
    assert len(world.truth.additions) > 5, "lively enough to mean something"


def test_one_seed_is_one_course_of_events(tmp_path: Path) -> None:
    one, other = (simulate(3, tmp_path / name).transcript for name in ("one", "other"))
    assert one == other
    assert len(one) > 30


class Planted:
    """Faults that a world must not survive."""

    @staticmethod
    def response_before_the_news(patch: pytest.MonkeyPatch) -> None:
        write_group = SeededRunner.write_group

        def early(self: Any, *options: Any) -> None:
            known = len(self.untold)
            write_group(self, *options)
            for _, done in list(self.untold)[known:]:
                for work, outcome in done:
                    if not work.asker.done():
                        work.asker.set_result(outcome)

        patch.setattr(SeededRunner, "write_group", early)

    @staticmethod
    def results_ahead_of_the_news(patch: pytest.MonkeyPatch) -> None:
        """A result is registered at a snapshot that the log position has not reached."""

        async def at_once(self: Any, ts: int) -> None:
            pass

        patch.setattr(ShowablePosition, "reached", at_once)

    @staticmethod
    def replays_run_again(patch: pytest.MonkeyPatch) -> None:
        keep = WriterStore.keep_mutation
        patch.setattr(WriterStore, "keep_mutation", lambda self, logged=None, replay=None: keep(self, logged))

    @staticmethod
    def newest_code_on_every_snapshot(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(SeededRunner, "version_at", lambda self, ts: self.registry)

    @staticmethod
    def two_snapshots_in_one_wave(patch: pytest.MonkeyPatch) -> None:
        run = SeededRunner.run

        def again(self: Any, snapshot: Any, job: Any) -> Any:
            with self._database.reader() as reader, reader.begin() as newer:
                return run(self, newer, job)

        patch.setattr(SeededRunner, "run", again)

    @staticmethod
    def forgotten_wakes(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(WakeIndex, "touched", lambda self, row: set())


@pytest.mark.parametrize("fault", [name for name in vars(Planted) if not name.startswith("_")])
def test_a_planted_fault_is_found(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    getattr(Planted, fault)(monkeypatch)
    with pytest.raises(AssertionError) as found:
        simulate_all(range(40), tmp_path)
    print(found.value)

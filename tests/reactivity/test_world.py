"""Random clients over a runner whose every step may be late.

Whatever happens between a snapshot, its runs, their return and the log rows, each transition at ts shows what
a fresh evaluation at ts shows, time never goes back, nobody's private answer is shown to somebody else, and
in the end nothing is left over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, Admin, Identity, User
from rewake.environment import ManualClock, seeded_environment
from rewake.errors import Unavailable
from rewake.execution import FunctionCall, Visibility
from rewake.limits import DEFAULT_LIMITS
from rewake.reactivity import LiveQueries
from rewake.reactivity.entries import Answer
from tests.reactivity.simulated_runner import PATHS, SimulatedRunner, call, ended
from tests.reactivity.watcher import Watcher, found_by_commits, shown_text

IDENTITIES: list[Identity] = [ANONYMOUS, User('{"n":1.0}'), User('{"n":2.0}'), Admin()]
KEYS = st.sampled_from("ab")
VALUES = st.integers(0, 2)
CALLS = st.one_of(
    st.builds(
        call, st.sampled_from(["m:get", "m:whoami", "m:sometimes", "m:odd_fails", "m:dated", "m:page"]), KEYS
    ),
    st.builds(call, st.just("m:having"), VALUES),
    st.just(call("m:nothing")),
)


@dataclass
class Asked:
    """A one-shot read under way."""

    task: asyncio.Task[Answer]
    call: FunctionCall
    identity: Identity
    known_ts: int


class World(RuleBasedStateMachine):
    cache_bytes_max = 2_000

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.runner = SimulatedRunner(is_gated=True)
        self.live = LiveQueries(
            self.runner,
            environment=seeded_environment(1, clock=self.clock),
            limits=replace(DEFAULT_LIMITS, cache_bytes_max=self.cache_bytes_max, wave_queries_max=3),
            position=self.runner.history.last_ts,
        )
        self.live._fresh._most = 2  # So that some are registered, and some forgotten, without a commit.
        self.runner.on_group = self.live.on_group
        self.watchers: list[Watcher] = []
        self.asked: list[Asked] = []
        self.next_id = 0
        logging.getLogger("rewake.reactivity.live_queries").disabled = True

    def turn(self, times: int = 6) -> None:
        """Let the loop do what is ready."""

        async def turns() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        for asked in [a for a in self.asked if a.task.done()]:
            self.asked.remove(asked)
            self.check_answer(asked)

    def check_answer(self, asked: Asked) -> None:
        error = asked.task.exception()
        if error is not None:
            assert isinstance(error, Unavailable)
            return
        result, ts = asked.task.result()
        assert ts >= asked.known_ts, "older than a commit that the caller knew of"
        fresh = self.runner.history.answer(asked.call, asked.identity, ts)
        text = shown_text(result)
        end = text.rpartition(" up to ")[2][:-1] if " up to " in text else None
        assert text == ended(shown_text(fresh.result), end)

    def on_loop(self, action: object) -> None:
        async def act() -> None:
            action()  # type: ignore[operator]

        self.loop.run_until_complete(act())
        self.turn()

    def pick(self, number: int) -> Watcher | None:
        return self.watchers[number % len(self.watchers)] if self.watchers else None

    # Clients. Few rules, so that half of all steps let something go on.

    @initialize(calls=st.lists(st.lists(CALLS, min_size=1, max_size=3), min_size=2, max_size=3))
    def connect_some(self, calls: list[list[FunctionCall]]) -> None:
        for number, these in enumerate(calls):
            self.watchers.append(Watcher(self.live, self.runner.history))
            self.add(number, these)
            if number:
                self.become(number, IDENTITIES[number])

    @rule(what=st.sampled_from(["add", "add", "remove", "become"]), data=st.data(), number=st.integers(0, 3))
    def client_changes_its_mind(self, what: str, data: st.DataObject, number: int) -> None:
        if what == "add":
            self.add(number, data.draw(st.lists(CALLS, min_size=1, max_size=2)))
        elif what == "remove":
            self.remove(number, data.draw(st.integers(0, 9)))
        else:
            self.become(number, data.draw(st.sampled_from(IDENTITIES)))

    @rule(what=st.sampled_from(["connect", "close", "request", "hesitate"]), number=st.integers(0, 3))
    def client_comes_or_goes(self, what: str, number: int) -> None:
        watcher = self.pick(number)
        if watcher is None or (what == "connect" and len(self.watchers) < 4):
            self.watchers.append(Watcher(self.live, self.runner.history))
        elif what == "close":
            watcher.check()
            self.watchers.remove(watcher)
            self.on_loop(watcher.session.close)
        elif what == "request":
            self.on_loop(watcher.session.request_wave)
        elif what == "hesitate":
            watcher.is_ready = not watcher.is_ready
            if watcher.is_ready:
                self.on_loop(watcher.session.request_wave)

    def add(self, number: int, calls: list[FunctionCall]) -> None:
        watcher = self.pick(number)
        if watcher is None:
            return

        def act() -> None:
            for one in calls:
                self.next_id += 1
                watcher.add(self.next_id, one)

        self.on_loop(act)

    def remove(self, number: int, which: int) -> None:
        watcher = self.pick(number)
        if watcher is not None and watcher.wanted:
            self.on_loop(lambda: watcher.remove(watcher.wanted[which % len(watcher.wanted)]))

    def become(self, number: int, identity: Identity) -> None:
        watcher = self.pick(number)
        if watcher is not None:
            self.on_loop(lambda: watcher.become(identity))

    @rule(one=CALLS, identity=st.sampled_from(IDENTITIES))
    def ask(self, one: FunctionCall, identity: Identity) -> None:
        visibility = Visibility.INTERNAL if isinstance(identity, Admin) else Visibility.PUBLIC
        task = self.loop.create_task(self.live.query(one, identity, visibility))
        self.asked.append(Asked(task, one, identity, self.live.position))
        self.turn()

    # Commits and the runner.

    @rule(
        changes=st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=2, unique_by=lambda c: c[0]),
        is_told=st.booleans(),
    )
    def commit(self, changes: list[tuple[str, int]], is_told: bool) -> None:
        self.runner.commit(*changes)
        if is_told:
            self.deliver(9)

    @rule(count=st.integers(1, 3))
    def deliver(self, count: int) -> None:
        rows = list(self.runner.undelivered)[:count]
        touched = [row for row in rows if any(read.touched_by(row) for read in self.runner.ever_read)]
        before = self.live.wakes
        self.on_loop(lambda: self.runner.deliver(len(rows)))
        if not touched:
            assert self.live.wakes == before, "woken by a write that nobody ever read"

    @rule(which=st.integers(0, 9))
    def pass_gate(self, which: int) -> None:
        if self.runner.gates:
            self.open_gates([self.runner.gates.pop(which % len(self.runner.gates))])

    @rule()
    def pass_oldest_gates(self) -> None:
        for _ in range(2):
            self.pass_gate(0)

    @rule()
    def pass_newest_gates(self) -> None:
        for _ in range(2):
            self.pass_gate(len(self.runner.gates) - 1)

    def open_gates(self, gates: list[asyncio.Future[None]]) -> None:
        for gate in gates:
            self.on_loop(lambda gate=gate: gate.done() or gate.set_result(None))

    @rule(what=st.sampled_from(["deploy", "break", "wait a little", "wait long"]))
    def something_rare(self, what: str) -> None:
        if what == "deploy":
            self.runner.deploy()
        elif what == "break":
            self.runner.breaks_next = 1
        else:
            self.clock.advance(1.0 if what == "wait a little" else 20.0)

    # What always holds.

    @invariant()
    def broken_watchers_reconnect(self) -> None:
        for watcher in self.watchers:
            watcher.check()
        self.watchers = [watcher for watcher in self.watchers if not watcher.is_broken]

    @invariant()
    def the_cache_keeps_its_bound(self) -> None:
        unused = self.live._unused
        assert 0 <= unused._bytes <= 2_000
        assert unused._bytes == sum(unused.sizes.values())
        for entry in unused.sizes:
            assert not entry.subscriptions
            assert self.live._entries[entry.key] is entry

    def come_to_rest(self) -> None:
        self.runner.breaks_next = 0
        for watcher in self.watchers:
            watcher.is_ready = True
            self.on_loop(watcher.session.request_wave)
        for _ in range(500):
            self.on_loop(self.runner.deliver)
            if not self.runner.gates and not self.runner.undelivered:
                break
            gates, self.runner.gates = self.runner.gates, []
            self.open_gates(gates)
        self.turn(20)
        assert not self.runner.gates, "waves that never end"
        assert not self.live._showable._waiting
        assert not self.asked
        assert self.live._waves.under_way == 0
        assert self.runner.open_waves == 0

    def teardown(self) -> None:
        try:
            self.come_to_rest()
            newest = self.runner.history.last_ts
            for watcher in self.watchers:
                watcher.check()
                if watcher.is_broken:
                    continue
                # Quiet, and what each client shows is what the newest state says.
                assert watcher.shown == watcher.fresh(newest)
                self.on_loop(watcher.session.close)
            assert set(self.live._entries.values()) == set(self.live._unused.sizes), "entries left over"
            assert found_by_commits(self.live) == len(self.live._unused.sizes), "watchers left over"
            self.loop.run_until_complete(self.live.close())
        finally:
            logging.getLogger("rewake.reactivity.live_queries").disabled = False
            self.loop.close()


World.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


ANY_PATHS = (*PATHS, "m:nothing")


def a_call(random: Random, paths: Sequence[str]) -> FunctionCall:
    path = random.choice(paths)
    return call(path, random.randrange(3) if path == "m:having" else random.choice("ab"))


def live_randomly(world: World, random: Random, steps: int, paths: Sequence[str] = ANY_PATHS) -> None:
    """A long life, half of whose steps let something go on."""
    world.connect_some([[a_call(random, paths)] for _ in range(2)])
    for _ in range(steps):
        number = random.randrange(4)
        chance = random.random()
        if chance < 0.45:
            world.pass_gate(random.randrange(9))
        elif chance < 0.60:
            changes = [(key, random.randrange(3)) for key in random.sample("ab", random.choice([1, 1, 2]))]
            world.commit(changes, random.random() < 0.5)
        elif chance < 0.70:
            world.deliver(random.choice([1, 9]))
        elif chance < 0.78:
            world.add(number, [a_call(random, paths) for _ in range(random.choice([1, 2]))])
        elif chance < 0.83:
            world.remove(number, random.randrange(9))
        elif chance < 0.86:
            world.become(number, random.choice(IDENTITIES))
        elif chance < 0.91:
            world.client_comes_or_goes(random.choice(["connect", "close", "request", "hesitate"]), number)
        elif chance < 0.97:
            world.ask(a_call(random, paths), random.choice(IDENTITIES))
        else:
            world.something_rare(random.choice(["deploy", "break", "wait a little", "wait long"]))
        world.broken_watchers_reconnect()
        world.the_cache_keeps_its_bound()


class CrampedWorld(World):
    """Nothing is kept for the next reader."""

    cache_bytes_max = 0


@pytest.mark.parametrize("kind", [World, CrampedWorld])
@pytest.mark.parametrize("seed", range(60))
def test_a_long_life_with_everything_late_stays_true(seed, kind):
    world = kind()
    try:
        live_randomly(world, Random(seed), 250)
        # Lively enough to mean something.
        assert world.runner.waves_opened > 15
    finally:
        world.teardown()


@pytest.mark.parametrize("seed", range(30))
def test_pages_keep_their_ends_whoever_asks_for_them_meanwhile(seed):
    world = World()
    try:
        live_randomly(world, Random(seed), 250, ("m:page",))
    finally:
        world.teardown()

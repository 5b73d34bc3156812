"""Waves, sharing, the cache, and what happens when things go wrong; each told as a short story."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, User
from rewake.environment import ManualClock, seeded_environment
from rewake.errors import Unavailable
from rewake.execution import Success, Visibility
from rewake.handoff import Handoff, at_once
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.reactivity import LiveQueries
from rewake.reactivity.entries import ReaderBehind
from tests.reactivity.simulated_runner import SimulatedRunner, call
from tests.reactivity.watcher import Watcher, found_by_commits

ANNA, BERT = User('{"n":"anna"}'), User('{"n":"bert"}')
PUBLIC = Visibility.PUBLIC


class Stage:
    """A hub over a simulated runner."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.clock = ManualClock()
        self.runner = SimulatedRunner()
        self.live = LiveQueries(
            self.runner,
            environment=seeded_environment(1, clock=self.clock),
            limits=limits,
            position=self.runner.history.last_ts,
        )
        self.runner.on_group = self.live.on_group
        self.watchers: list[Watcher] = []

    def watch(self, *paths: str, key: str = "a", identity: Any = None) -> Watcher:
        watcher = Watcher(self.live, self.runner.history)
        self.watchers.append(watcher)
        if identity is not None:
            watcher.become(identity)
        for number, path in enumerate(paths):
            watcher.add(number, call(path, key))
        return watcher

    async def rest(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    async def pass_gate(self) -> None:
        self.runner.gates.pop(0).set_result(None)
        await self.rest()


def play(story: Callable[[Stage], Coroutine[Any, Any, None]], *, limits: Limits = DEFAULT_LIMITS) -> None:
    async def run() -> None:
        stage = Stage(limits=limits)
        await story(stage)
        await stage.live.close()
        for watcher in stage.watchers:
            watcher.check()

    asyncio.run(run())


def test_an_addition_is_answered_in_its_own_wave():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        assert watcher.transitions == [(1, {0: '"v0 m:get a None"'})]

    play(story)


def test_a_write_outside_every_read_set_wakes_and_runs_nobody():
    async def story(stage: Stage) -> None:
        stage.watch("m:get", key="a")
        await stage.rest()
        runs = len(stage.runner.runs)
        stage.runner.commit_and_deliver(("b", 1))
        await stage.rest()
        assert stage.live.wakes == 0
        assert len(stage.runner.runs) == runs

    play(story)


def test_many_watchers_of_one_query_share_one_run_and_one_result():
    async def story(stage: Stage) -> None:
        watchers = [stage.watch("m:get") for _ in range(600)]
        await stage.rest()
        first = len(stage.runner.runs)
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert (first, len(stage.runner.runs)) == (1, 2)
        assert stage.live.wakes == 1
        assert all(watcher.shown == {0: '"v0 m:get a 1"'} for watcher in watchers)

    play(story)


def test_a_wave_without_anything_to_run_takes_no_snapshot():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        stage.runner.commit_and_deliver(("b", 1))
        waves = stage.runner.waves_opened
        watcher.session.request_wave()
        await stage.rest()
        assert stage.runner.waves_opened == waves
        assert watcher.transitions[-1] == (stage.live.position, {})

    play(story)


def test_a_session_that_only_asks_for_a_wave_waits_for_no_query():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        slow = [stage.watch("m:get")]
        await stage.rest()
        slow.append(stage.watch("m:get", key="b"))
        await stage.rest()
        # Both places for waves are taken; who made a mutation that touched nothing of theirs is answered.
        assert len(stage.runner.gates) == 2
        assert not any(watcher.transitions for watcher in slow)
        quick = stage.watch()
        quick.session.request_wave()
        stage.runner.commit_and_deliver(("c", 1))
        await stage.rest()
        assert [ts for ts, _ in quick.transitions] == [stage.runner.history.last_ts]
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert all(watcher.transitions for watcher in slow)

    play(story)


def test_outcomes_of_a_group_are_heard_before_its_wave_begins():
    async def story(stage: Stage) -> None:
        heard: list[str] = []
        watcher = stage.watch("m:get")
        await stage.rest()
        begin = watcher.begin_wave
        watcher.begin_wave = lambda: heard.append("wave") or begin()  # type: ignore[method-assign,func-returns-value]
        acknowledged: Handoff[None] = Handoff()

        async def client() -> None:
            await acknowledged
            heard.append("response")

        at_once(client(), over=lambda: None)
        # What a runner does with a group: the rows, then the outcomes.
        stage.runner.commit_and_deliver(("a", 1))
        acknowledged.set_result(None)
        await stage.rest()
        assert heard == ["response", "wave"]

    play(story)


@pytest.mark.parametrize("has_run", [True, False], ids=["a wave that ran ahead", "a wave without runs"])
def test_no_transition_shows_a_commit_before_its_outcome_was_heard(has_run):
    async def story(stage: Stage) -> None:
        heard: list[object] = []
        watcher = stage.watch("m:get")
        await stage.rest()
        finish = watcher.finish_wave
        watcher.finish_wave = lambda ts, updates: heard.append(ts) or finish(ts, updates)  # type: ignore[method-assign,func-returns-value]
        acknowledged = asyncio.get_running_loop().create_future()

        async def client() -> None:
            await acknowledged
            heard.append("response")

        waiting = asyncio.ensure_future(client())
        await stage.rest()
        if has_run:
            # Its snapshot is ahead of the log; only the row is missing.
            stage.runner.commit(("a", 1))
            watcher.add(1, call("m:get", "b"))
        else:
            stage.runner.commit(("z", 1))
            watcher.session.request_wave()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if has_run:
            await stage.rest()
        stage.runner.deliver()
        acknowledged.set_result(None)
        await stage.rest()
        await waiting
        assert 11 not in heard[: heard.index("response")]

    play(story)


def test_a_result_that_a_commit_touched_on_its_way_is_shown_once_and_asked_again():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        watcher = stage.watch("m:get")
        await stage.rest()
        await stage.pass_gate()  # The snapshot is taken.
        stage.runner.commit_and_deliver(("a", 7))
        await stage.pass_gate()  # Its outcome comes in, behind the row.
        assert watcher.transitions == [(1, {0: '"v0 m:get a None"'})]
        assert found_by_commits(stage.live) == 0, "a stale result is never registered"
        await stage.pass_gate()
        await stage.pass_gate()
        assert watcher.shown == {0: '"v0 m:get a 7"'}

    play(story)


def test_a_result_whose_snapshot_is_ahead_of_the_log_waits_for_it():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        stage.runner.commit(("a", 7))
        await stage.rest()
        assert watcher.transitions == []
        stage.runner.deliver()
        await stage.rest()
        assert watcher.transitions == [(11, {0: '"v0 m:get a 7"'})]

    play(story)


def test_a_slower_wave_does_not_replace_what_a_younger_one_brought():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        slow = stage.watch("m:get")
        await stage.rest()
        await stage.pass_gate()  # `slow` has its snapshot at 1.
        stage.runner.commit_and_deliver(("a", 7))
        quick = stage.watch("m:get")
        await stage.rest()
        gates, stage.runner.gates = stage.runner.gates, stage.runner.gates[1:]
        await stage.pass_gate()
        await stage.pass_gate()
        assert quick.shown == {0: '"v0 m:get a 7"'}
        gates[0].set_result(None)
        stage.runner.is_gated = False
        await stage.rest()
        assert slow.shown == {0: '"v0 m:get a 7"'}
        (entry,) = stage.live._entries.values()
        assert entry.valid_from == 11

    play(story)


@pytest.mark.parametrize("is_older_first", [True, False])
def test_each_client_keeps_the_end_of_the_page_that_it_was_shown_first(is_older_first):
    # Two clients ask for the same page before either has an answer, and a commit falls between their runs.
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        older = stage.watch("m:page")
        await stage.rest()
        await stage.pass_gate()  # `older` has its snapshot at 1.
        stage.runner.commit_and_deliver(("a", 7))
        newer = stage.watch("m:page")
        await stage.rest()
        if is_older_first:
            await stage.pass_gate()
        else:
            last = stage.runner.gates.pop(0)
            await stage.pass_gate()
            await stage.pass_gate()
            last.set_result(None)
        stage.runner.is_gated = False
        for gate in stage.runner.gates:
            gate.set_result(None)
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 8))
        await stage.rest()
        # That no end ever moved is what a watcher asserts.
        assert older.transitions[0] == (1, {0: '"v0 m:page a None up to end 1"'})
        assert older.shown == {0: '"v0 m:page a 8 up to end 1"'}
        assert newer.transitions[0] == (11, {0: '"v0 m:page a 7 up to end 11"'})
        assert newer.shown == {0: '"v0 m:page a 8 up to end 11"'}

    play(story)


def test_a_deploy_wakes_what_ran_the_code():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        stage.runner.deploy()
        stage.runner.deliver()
        await stage.rest()
        assert watcher.shown == {0: '"v1 m:get a None"'}

    play(story)


def test_a_listener_that_is_not_ready_is_asked_again_when_it_says_so():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        watcher.is_ready = False
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert watcher.transitions == []
        watcher.is_ready = True
        watcher.session.request_wave()
        await stage.rest()
        assert watcher.shown == {0: '"v0 m:get a 1"'}

    play(story)


# Identities.


def test_a_query_that_reads_the_identity_is_answered_to_each_alone():
    async def story(stage: Stage) -> None:
        anna, bert = (stage.watch("m:whoami", identity=who) for who in (ANNA, BERT))
        await stage.rest()
        assert "anna" in anna.shown[0]
        assert "bert" in bert.shown[0]

    play(story)


def test_a_shared_query_that_begins_to_read_the_identity_is_split():
    async def story(stage: Stage) -> None:
        watchers = []
        for who in (ANNA, BERT, ANONYMOUS):
            watchers.append(stage.watch("m:sometimes", identity=who))
            await stage.rest()
        assert len(stage.live._entries) == 1
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert [watcher.shown[0].split()[1] for watcher in watchers] == [
            f"{who.fingerprint}" for who in (ANNA, BERT, ANONYMOUS)
        ]
        assert len(stage.live._entries) == 3

    play(story)


def test_whoever_joins_a_run_that_turns_out_private_gets_an_answer_of_his_own():
    async def story(stage: Stage) -> None:
        await stage.live.query(call("m:sometimes", "a"), ANNA, PUBLIC)
        assert len(stage.live._entries) == 1
        stage.runner.commit_and_deliver(("a", 1))
        asked = [
            asyncio.ensure_future(stage.live.query(call("m:sometimes", "a"), who, PUBLIC))
            for who in (ANNA, BERT)
        ]
        results = [(await one)[0].value for one in asked]  # type: ignore[union-attr]
        assert "anna" in results[0]
        assert "bert" in results[1]

    play(story)


def test_a_late_private_result_is_not_shown_to_those_who_shared_the_query_meanwhile():
    async def story(stage: Stage) -> None:
        watchers = []
        for who in (ANNA, BERT):
            watchers.append(stage.watch("m:sometimes", identity=who))
            await stage.rest()
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        await stage.pass_gate()  # Their wave has its snapshot, at which the query reads the identity.
        stage.runner.commit_and_deliver(("a", 2))
        asked = asyncio.ensure_future(stage.live.query(call("m:sometimes", "a"), ANNA, PUBLIC))
        await stage.rest()
        late = stage.runner.gates.pop(0)
        await stage.pass_gate()
        await stage.pass_gate()
        assert (await asked)[1] == 21
        stage.runner.is_gated = False
        late.set_result(None)
        await stage.rest()
        # Each watcher checked at every step that it was shown its own answer.
        # Whoever lost the query that he shared is told with the next wave.
        assert [watcher.transitions[1][0] for watcher in watchers] == [11, 21]
        assert all(watcher.ts == 21 and not watcher.is_broken for watcher in watchers)

    play(story)


def test_made_up_paths_are_not_remembered():
    async def story(stage: Stage) -> None:
        for number in range(50):
            await stage.live.query(call(f"nothing:f{number}"), ANONYMOUS, PUBLIC)
        assert not stage.live._identity_free
        assert not stage.live._entries

    play(story)


# One-shot reads and the cache.


def test_a_one_shot_read_is_served_from_the_cache_until_a_write_touches_it():
    async def story(stage: Stage) -> None:
        for _ in range(3):
            await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
        assert len(stage.runner.runs) == 1
        stage.runner.commit_and_deliver(("a", 1))
        result, ts = await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
        assert (result.value, ts) == ('"v0 m:get a 1"', 11)  # type: ignore[union-attr]

    play(story)


def test_a_reader_that_never_sees_the_present_is_not_asked_for_ever():
    async def story(stage: Stage) -> None:
        stage.runner.stuck_at = stage.runner.history.last_ts
        stage.runner.commit_and_deliver(("a", 1))
        with pytest.raises(ReaderBehind, match="Try again"):
            await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
        assert len(stage.runner.runs) < 10
        # What did not change since is as true as ever.
        await stage.live.query(call("m:get", "b"), ANONYMOUS, PUBLIC)
        stage.runner.stuck_at = None
        result, _ = await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
        assert result == Success('"v0 m:get a 1"')

    play(story)


def test_readers_who_come_at_once_share_a_run():
    async def story(stage: Stage) -> None:
        asked = [stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC) for _ in range(5)]
        await asyncio.gather(*asked)
        assert len(stage.runner.runs) == 1

    play(story)


def test_a_reader_who_knows_of_a_commit_is_not_given_a_run_from_before_it():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        early = asyncio.ensure_future(stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC))
        await stage.rest()
        await stage.pass_gate()  # The snapshot is taken.
        stage.runner.commit_and_deliver(("a", 1))
        late = asyncio.ensure_future(stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC))
        await stage.rest()
        stage.runner.is_gated = False
        await stage.pass_gate()
        assert (await early)[1] == 1
        result, ts = await late
        assert (result.value, ts) == ('"v0 m:get a 1"', 11)  # type: ignore[union-attr]

    play(story)


def test_a_reader_who_goes_away_does_not_take_the_run_of_others_with_him():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        gone = asyncio.ensure_future(stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC))
        stays = asyncio.ensure_future(stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC))
        await stage.rest()
        gone.cancel()
        await stage.pass_gate()
        await stage.pass_gate()
        assert (await stays)[1] == 1
        assert len(stage.runner.runs) == 1

    play(story)


@pytest.mark.parametrize("breaks", [0, 1])
def test_who_joins_one_that_runs_at_once_gets_his_answer_or_his_error(breaks: int):
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        stage.runner.breaks_next = breaks
        heard: list[str] = []

        async def ask(name: str) -> None:
            try:
                result, _ = await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
                heard.append(f"{name}: {result.value}")  # type: ignore[union-attr]
            except Unavailable:
                heard.append(f"{name}: unavailable")

        at_once(ask("first"), over=lambda: None)
        task = asyncio.ensure_future(ask("task"))
        await stage.rest()
        at_once(ask("last"), over=lambda: None)
        assert len(stage.live._recent._travelling) == 1
        stage.runner.is_gated = False
        await stage.pass_gate()
        await task
        told = "unavailable" if breaks else '"v0 m:get a None"'
        assert sorted(heard) == [f"{name}: {told}" for name in ("first", "last", "task")]
        assert len(stage.runner.runs) == 1 - breaks
        assert len(stage.live._recent._travelling) == 0

    play(story)


def test_failures_are_not_cached_and_run_again_for_each_new_reader():
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 1))
        for _ in range(2):
            await stage.live.query(call("m:odd_fails", "a"), ANONYMOUS, PUBLIC)
        assert len(stage.runner.runs) == 2
        stage.watch("m:odd_fails")
        await stage.rest()
        stage.watch("m:odd_fails")
        await stage.rest()
        assert len(stage.runner.runs) == 4

    play(story)


def test_a_failed_live_query_recovers_when_what_it_read_changes():
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 1))
        watcher = stage.watch("m:odd_fails")
        await stage.rest()
        assert watcher.shown[0].startswith("failed")
        stage.runner.commit_and_deliver(("a", 2))
        await stage.rest()
        assert watcher.shown[0] == '"v0 m:odd_fails a 2"'

    play(story)


def test_a_query_that_ends_its_process_is_asked_again_when_that_changes_which_it_read_before():
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 2))
        watcher = stage.watch("m:odd_ends")
        await stage.rest()
        for value in (3, 5, 7):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
            assert watcher.shown == {0: f"failed: v0 odd {value}\n"}
        runs = len(stage.runner.runs)
        stage.runner.commit_and_deliver(("b", 1))
        await stage.rest()
        assert len(stage.runner.runs) == runs
        stage.runner.commit_and_deliver(("a", 8))
        await stage.rest()
        assert watcher.shown == {0: '"v0 m:odd_ends a 8"'}
        stage.runner.deploy()
        stage.runner.deliver()
        await stage.rest()
        assert watcher.shown == {0: '"v1 m:odd_ends a 8"'}

    play(story)


@pytest.mark.parametrize("values", [(3, 4), (4, 3, 6), (3, 5, 6)])
def test_a_query_that_ends_its_process_is_asked_again_for_what_changed_on_its_way(values: tuple[int, ...]):
    # Each of these is committed after the run for the one before has taken its snapshot.
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 2))
        watcher = stage.watch("m:odd_ends")
        await stage.rest()
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", values[0]))
        await stage.rest()
        for value in values[1:]:
            await stage.pass_gate()
            stage.runner.commit_and_deliver(("a", value))
            await stage.pass_gate()
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert watcher.shown == {0: f'"v0 m:odd_ends a {values[-1]}"'}

    play(story)


def test_a_result_that_read_the_clock_serves_new_readers_for_a_while_only():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:dated")
        await stage.rest()
        stage.clock.advance(10)
        await stage.live.query(call("m:dated", "a"), ANONYMOUS, PUBLIC)
        assert len(stage.runner.runs) == 1
        stage.clock.advance(10)
        await stage.rest()
        assert len(watcher.transitions) == 1, "nothing is run again because time passes"
        await stage.live.query(call("m:dated", "a"), ANONYMOUS, PUBLIC)
        assert len(stage.runner.runs) == 2

    play(story)


def test_the_cache_forgets_what_was_used_longest_ago():
    async def story(stage: Stage) -> None:
        ask = stage.live.query
        for key in "abc":
            await ask(call("m:get", key), ANONYMOUS, PUBLIC)
        await ask(call("m:get", "a"), ANONYMOUS, PUBLIC)
        await ask(call("m:get", "d"), ANONYMOUS, PUBLIC)
        kept = {entry.key.question.args for entry in stage.live._unused.sizes}
        assert kept == {f'{{"key":"{key}"}}' for key in "acd"}
        assert found_by_commits(stage.live) == 3

    play(story, limits=replace(DEFAULT_LIMITS, cache_bytes_max=3 * 440))


def test_a_result_that_there_is_no_room_for_is_only_told():
    async def story(stage: Stage) -> None:
        for _ in range(2):
            asked = [
                stage.live.query(call("m:get", "a"), who, PUBLIC) for who in (ANONYMOUS, ANONYMOUS, ANNA)
            ]
            assert {result.value for result, _ in await asyncio.gather(*asked)} == {'"v0 m:get a None"'}
            assert (len(stage.live._entries), found_by_commits(stage.live)) == (0, 0)
        assert stage.live._identity_free == {("", "m.js:get")}
        assert len(stage.runner.runs) == 3, "one of each asker, until it is known that it does not matter"
        # Somebody shows it: then it is for them, too.
        watcher = stage.watch("m:get")
        await stage.rest()
        await stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC)
        assert (len(stage.runner.runs), len(stage.live._entries)) == (4, 1)
        assert watcher.transitions

    play(story, limits=replace(DEFAULT_LIMITS, cache_bytes_max=0))


def test_several_reads_at_once_share_one_snapshot_past_or_present():
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 1))
        calls = [call("m:get", "a"), call("m:get", "b")]
        results, ts = await stage.live.read_many(calls, ANONYMOUS, PUBLIC, at=None)
        assert (results[0].result.value, ts) == ('"v0 m:get a 1"', 11)  # type: ignore[union-attr]
        results, ts = await stage.live.read_many(calls, ANONYMOUS, PUBLIC, at=1)
        assert (results[0].result.value, ts) == ('"v0 m:get a None"', 1)  # type: ignore[union-attr]
        assert stage.runner.open_waves == 0

    play(story)


# When things go wrong.


@pytest.mark.parametrize("gate", [0, 1], ids=["taking the snapshot", "running"])
def test_a_failing_runner_fails_the_wave_and_leaves_nothing_behind(gate):
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        watcher = stage.watch("m:get")
        await stage.rest()
        for _ in range(gate):
            await stage.pass_gate()
        stage.runner.breaks_next = 1
        await stage.pass_gate()
        assert watcher.is_broken
        assert stage.runner.open_waves == 0
        assert not stage.live._entries
        stage.runner.is_gated = False
        again = stage.watch("m:get")
        await stage.rest()
        assert again.shown == {0: '"v0 m:get a None"'}

    play(story)


def test_a_session_that_stays_open_after_its_wave_failed_does_not_spin():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        failures: list[None] = []

        def fail_wave() -> None:
            failures.append(None)
            watcher._fixed = None

        watcher.fail_wave = fail_wave  # type: ignore[method-assign]
        stage.runner.breaks_next = 10
        await stage.rest()
        assert len(failures) == 1

    play(story)


def test_a_failing_one_shot_read_tells_everybody_who_joined_and_leaves_nothing():
    async def story(stage: Stage) -> None:
        stage.runner.breaks_next = 1
        asked = [stage.live.query(call("m:get", "a"), ANONYMOUS, PUBLIC) for _ in range(2)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
        assert not stage.live._entries

    play(story)


@pytest.mark.parametrize("gates", [0, 1])
def test_a_session_that_closes_in_the_middle_of_its_wave_leaves_nothing_behind(gates):
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        closing, staying = stage.watch("m:get"), stage.watch("m:get", key="b")
        await stage.rest()
        for _ in range(gates):
            await stage.pass_gate()
        closing.session.close()
        closing.session.close()
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert closing.transitions == []
        assert staying.shown == {0: '"v0 m:get b None"'}
        staying.session.close()
        await stage.rest()
        assert set(stage.live._entries.values()) == set(stage.live._unused.sizes)
        assert found_by_commits(stage.live) == len(stage.live._unused.sizes)

    play(story)


def test_an_entry_whose_run_is_under_way_is_not_given_up_when_a_write_touches_it():
    async def story(stage: Stage) -> None:
        await stage.live.query(call("m:dated", "a"), ANONYMOUS, PUBLIC)
        stage.clock.advance(20)
        stage.runner.is_gated = True
        first = asyncio.ensure_future(stage.live.query(call("m:dated", "a"), ANONYMOUS, PUBLIC))
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 1))
        second = asyncio.ensure_future(stage.live.query(call("m:dated", "a"), ANONYMOUS, PUBLIC))
        await stage.rest()
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert (await first)[1] == (await second)[1] == 11
        assert len(stage.runner.runs) == 2, "both came from one run"
        assert len(stage.live._entries) == found_by_commits(stage.live) == len(stage.live._unused.sizes) == 1

    play(story)


def test_a_listener_that_raises_loses_its_own_session_and_nobody_elses():
    async def story(stage: Stage) -> None:
        bad, good = stage.watch("m:get"), stage.watch("m:get")

        def finish_wave(ts: int, updates: object) -> None:
            raise RuntimeError("no")

        bad.finish_wave = finish_wave  # type: ignore[method-assign]
        await stage.rest()
        assert bad.is_broken
        assert good.shown == {0: '"v0 m:get a None"'}

        def begin_wave() -> bool:
            raise RuntimeError("no")

        worse, better = stage.watch("m:get"), stage.watch("m:get")
        worse.begin_wave = begin_wave  # type: ignore[method-assign]
        await stage.rest()
        assert worse.is_broken
        assert better.shown == {0: '"v0 m:get a None"'}

    play(story)


def test_after_close_no_wave_begins():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.live.close()
        await stage.rest()
        assert watcher.transitions == []
        assert stage.runner.waves_opened == 0

    play(story)


def test_close_waits_for_the_waves_and_the_runs_under_way():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        watcher = stage.watch("m:get")
        asked = asyncio.ensure_future(stage.live.query(call("m:get", "b"), ANONYMOUS, PUBLIC))
        await stage.rest()
        closing = asyncio.ensure_future(stage.live.close())
        while stage.runner.gates:
            await stage.rest()
            assert not closing.done()
            await stage.pass_gate()
        await closing
        assert watcher.shown == {0: '"v0 m:get a None"'}
        assert asked.done()

    play(story)


def test_rows_that_were_told_before_are_not_applied_again():
    async def story(stage: Stage) -> None:
        stage.runner.commit(("a", 1))
        row = stage.runner.undelivered[0]
        stage.runner.deliver()
        stage.watch("m:get")
        await stage.rest()
        stage.runner.undelivered.append(row)
        stage.runner.deliver()
        assert stage.live.wakes == 0

    play(story)


def test_a_query_that_reads_other_places_from_run_to_run_is_found_at_each():
    # Its place in the wake index is kept while it is stale, and changed only where the next run read others.
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        (entry,) = stage.live._entries.values()
        marks = []
        for value in (1, 2, 3):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
            marks.append(entry.watched)
            assert watcher.shown == {0: f'"v0 m:get a {value}"'}
        assert len(set(marks)) == 1
        assert marks[0] != 0
        entry.watched = 1  # As after a run that read something else.
        stage.runner.commit_and_deliver(("a", 4))
        await stage.rest()
        assert entry.watched == marks[0]
        assert watcher.shown == {0: '"v0 m:get a 4"'}
        watcher.session.close()
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        assert len(stage.live._index) == len(stage.live._entries) == 0

    play(story)

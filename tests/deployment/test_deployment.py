"""A deployment end to end, on the real engine: commits, groups, replays, snapshots, identities."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS
from rewake.database import ReplayKey
from rewake.environment import Environment
from rewake.errors import Unavailable
from rewake.execution import Failure, FunctionCall, Success
from rewake.execution.inline_runner import RunnerClosed
from rewake.limits import DEFAULT_LIMITS
from rewake.storage import StorageFull
from tests.deployment.stage import FAULTS, NOTES, PATIENT, SCHEMA, CallFailed, Stage, play, value_of
from tests.deployment.watcher import Watcher


def test_a_mutation_is_seen_by_the_next_query(tmp_path):
    async def story(stage: Stage) -> None:
        await stage.mutate("notes:add", room="a", n=1)
        assert await stage.query("notes:in_room", room="a") == [1.0]

    play(tmp_path, story)


@pytest.mark.parametrize("seed", range(4))
def test_live_equals_fresh(tmp_path, seed):
    async def story(stage: Stage) -> None:
        random, ids = Random(seed), []
        watchers = [Watcher(stage.deployment) for _ in range(3)]
        for number, watcher in enumerate(watchers):
            for room in "abc"[: number + 1]:
                watcher.add("notes:in_room", room=room)
                watcher.add("notes:first", room=room)
        watchers[0].add("notes:count")
        for step in range(60):
            what = random.choice(["add", "add", "change", "move", "remove", "fail", "several", "watch"])
            if what == "several":
                rooms = [random.choice("abc") for _ in range(4)]
                ids += await asyncio.gather(*(stage.mutate("notes:add", room=r, n=step) for r in rooms))
            elif what == "add" or not ids:
                ids.append(await stage.mutate("notes:add", room=random.choice("abc"), n=random.randrange(9)))
            elif what == "change":
                await stage.mutate("notes:change", id=random.choice(ids), n=random.randrange(9))
            elif what == "move":
                await stage.mutate("notes:move", id=random.choice(ids), room=random.choice("abc"))
            elif what == "remove":
                await stage.mutate("notes:remove", id=ids.pop(random.randrange(len(ids))))
            elif what == "watch":
                random.choice(watchers).add("notes:get", id=random.choice(ids))
            else:
                with pytest.raises(CallFailed):
                    await stage.mutate("notes:add_and_fail", room="a", n=1)
            if random.random() < 0.5:
                position = stage.deployment.last_ts
                for watcher in watchers:
                    await watcher.reached(position)
                for watcher in watchers:
                    # Each at its own timestamp, against a run on a snapshot of just that moment.
                    for query_id, (path, args) in watcher.calls.items():
                        fresh = await stage.query(path, at=watcher.ts, **args)
                        assert watcher.shown[query_id] == fresh, (path, args)

    play(tmp_path, story)


def test_a_write_elsewhere_wakes_nobody(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        ids = [await stage.mutate("notes:add", room="a", n=n) for n in (1, 2)]
        watcher.add("notes:in_room", room="b")
        watcher.add("notes:first", room="a")
        watcher.add("notes:get", id=ids[0])
        await watcher.reached(stage.deployment.last_ts)
        await stage.mutate("notes:add", room="c", n=1)
        await stage.mutate("notes:change", id=ids[1], n=7)  # Behind the first of room a.
        with pytest.raises(CallFailed):
            await stage.mutate("notes:add_and_fail", room="b", n=1)
        await stage.mutate("notes:change", id=ids[0], n=1)  # Changes nothing.
        assert stage.deployment.live.wakes == 0
        await stage.mutate("notes:change", id=ids[0], n=0)
        assert stage.deployment.live.wakes == 2

    play(tmp_path, story)


def test_queries_at_a_timestamp_show_none_of_the_later_writes(tmp_path):
    async def story(stage: Stage) -> None:
        await stage.mutate("notes:add", room="a", n=1)
        at = await stage.deployment.latest_ts()
        id = await stage.mutate("notes:add", room="a", n=2)
        before = await stage.query("notes:in_room", at=at, room="a")
        await stage.mutate("notes:remove", id=id)
        await stage.mutate("notes:add", room="a", n=3)
        assert before == await stage.query("notes:in_room", at=at, room="a") == [1.0]
        assert await stage.query("notes:first", at=at, room="b") is None
        assert await stage.query("notes:count") == 2.0

    play(tmp_path, story)


def test_several_queries_share_one_snapshot(tmp_path):
    async def story(stage: Stage) -> None:
        await stage.mutate("notes:add", room="a", n=1)
        calls = [FunctionCall("notes:count", "{}"), FunctionCall("notes:count", "{}", "x")]
        results, ts = await stage.deployment.query_many(calls, ANONYMOUS, request_id="r")
        assert value_of(results[0]) == 1.0
        assert results[1] == Failure("Could not find public function for 'notes:count' in 'x'.\n")
        assert ts == stage.deployment.last_ts

    play(tmp_path, story)


# Replays.


def test_a_repeated_mutation_gives_the_first_outcome_and_runs_once(tmp_path):
    async def story(stage: Stage) -> None:
        key = ReplayKey("session", 1)
        first = await stage.outcome("notes:add", replay=key, room="a", n=1)
        await stage.mutate("notes:add", room="b", n=1)
        again = await stage.outcome("notes:add", replay=key, room="a", n=1)
        assert again == first
        assert isinstance(first.result, Success)
        assert first.result.log_lines == ("[LOG] 'adding' 1",)
        assert await stage.query("notes:in_room", room="a") == [1.0]

    play(tmp_path, story)


def test_two_sockets_of_one_session_that_overlap_run_a_mutation_once(tmp_path):
    async def story(stage: Stage) -> None:
        key = ReplayKey("session", 1)
        outcomes = await asyncio.gather(
            *(stage.outcome("notes:add", replay=key, room="a", n=1) for _ in range(3))
        )
        assert outcomes[0] == outcomes[1] == outcomes[2]
        assert await stage.query("notes:count") == 1.0

    play(tmp_path, story, limits=PATIENT)


def test_a_failure_is_not_recorded(tmp_path):
    async def story(stage: Stage) -> None:
        key = ReplayKey("session", 1)
        first = await stage.outcome("notes:add_and_fail", replay=key, room="a", n=1)
        assert isinstance(first.result, Failure)
        second = await stage.outcome("notes:add", replay=key, room="a", n=1)
        assert isinstance(second.result, Success)

    play(tmp_path, story)


def test_a_recorded_mutation_is_recognised_after_its_function_is_gone(tmp_path):
    async def story(stage: Stage) -> None:
        key = ReplayKey("session", 1)
        first = await stage.outcome("notes:add", replay=key, room="a", n=1)
        await stage.push(notes=NOTES.replace("def add(", "def added("))
        again = await stage.outcome("notes:add", replay=key, room="a", n=1)
        assert again == first
        assert isinstance((await stage.outcome("notes:add", room="a", n=1)).result, Failure)

    play(tmp_path, story)


# Groups.


def test_mutations_commit_in_the_order_in_which_they_came(tmp_path):
    async def story(stage: Stage) -> None:
        outcomes = await asyncio.gather(*(stage.outcome("notes:add", room="a", n=n) for n in range(30)))
        timestamps = [outcome.ts for outcome in outcomes]
        assert timestamps == sorted(set(timestamps))
        assert await stage.query("notes:in_room", room="a") == [float(n) for n in range(30)]

    play(tmp_path, story)


def test_a_mutation_that_fails_keeps_its_group_mates(tmp_path):
    async def story(stage: Stage) -> None:
        names = ["notes:add", "notes:add_and_fail", "notes:add", "notes:leave", "notes:nothing", "notes:add"]
        arguments = [{} if name == "notes:leave" else {"room": "a", "n": n} for n, name in enumerate(names)]
        outcomes = await asyncio.gather(
            *(stage.outcome(name, **args) for name, args in zip(names, arguments, strict=True))
        )
        succeeded = [isinstance(outcome.result, Success) for outcome in outcomes]
        assert succeeded == [True, False, True, False, False, True]
        assert await stage.query("notes:in_room", room="a") == [0.0, 2.0, 5.0]

    play(tmp_path, story, limits=PATIENT)


def test_the_one_that_fills_the_disk_fails_and_the_rest_of_its_group_is_kept(tmp_path):
    async def story(stage: Stage) -> None:
        await stage.mutate("faults:limit_pages", more=40)
        outcomes = await asyncio.gather(
            *(stage.outcome("notes:add", room="a", n=n) for n in range(3)),
            stage.outcome("notes:fill", room="b", kilobytes=500),
            *(stage.outcome("notes:add", room="a", n=n) for n in range(3, 6)),
            return_exceptions=True,
        )
        assert isinstance(outcomes[3], StorageFull)
        assert isinstance(outcomes[3], Unavailable)
        kept = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(kept) == 6
        assert [outcome.ts for outcome in kept] == sorted(outcome.ts for outcome in kept)
        assert await stage.query("notes:in_room", room="a") == [float(n) for n in range(6)]
        # Told once each, the culprit with its reason; and the writer goes on.
        records = [record for record in stage.deployment.call_log.records if record.kind == "mutation"]
        assert len(records) == 8
        assert sum("full" in (record.error or "") for record in records) == 1
        await stage.mutate("notes:add", room="a", n=6)

    play(tmp_path, story, limits=PATIENT, schema=SCHEMA, notes=NOTES, faults=FAULTS)


def test_a_live_query_hears_of_what_was_kept_of_a_lost_group(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:in_room", room="a")
        await stage.mutate("faults:limit_pages", more=40)
        await asyncio.gather(
            stage.outcome("notes:add", room="a", n=1),
            stage.outcome("notes:fill", room="b", kilobytes=500),
            return_exceptions=True,
        )
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: [1.0]}

    play(tmp_path, story, limits=PATIENT, schema=SCHEMA, notes=NOTES, faults=FAULTS)


@pytest.mark.threads_only("looks from inside the COMMIT; across the pipe it is told in test_worker_runner.py")
def test_nothing_of_a_group_is_told_before_it_is_committed(tmp_path):
    told: list[int] = []

    def reach(point: str) -> None:
        if point == "group.before_commit" and heard:
            told.append(len(heard[0].call_log.records))

    heard: list = []

    async def story(stage: Stage) -> None:
        heard.append(stage.deployment)
        await asyncio.gather(*(stage.mutate("notes:add", room="a", n=n) for n in range(5)))
        assert told[0] == 0
        assert len(stage.deployment.call_log.records) == 5

    play(tmp_path, story, limits=PATIENT, environment=Environment(reach=reach))


def test_a_fault_in_the_house_costs_its_group_and_nobody_after_it(tmp_path):
    async def story(stage: Stage) -> None:
        for point in ("group.before_commit", "group.after_commit_before_outcome"):
            await stage.mutate("faults:raise_next", point=point)
            first = await asyncio.gather(stage.outcome("notes:add", room="a", n=1), return_exceptions=True)
            # Before COMMIT it failed; after it, the log knows better than the error.
            assert isinstance(first[0], BaseException) == (point == "group.before_commit")
        await stage.mutate("notes:add", room="a", n=2)
        assert await stage.query("notes:in_room", room="a") == [1.0, 2.0]

    # Nothing but these calls may meet the fault.
    play(tmp_path, story, keeps_house=False, schema=SCHEMA, notes=NOTES, faults=FAULTS)


# Opening and closing.


def test_close_finishes_what_was_handed_in_and_refuses_the_rest(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:count")
        under_way = [asyncio.ensure_future(stage.outcome("notes:add", room="a", n=n)) for n in range(20)]
        await asyncio.sleep(0)
        await stage.deployment.close()
        outcomes = await asyncio.gather(*under_way)
        assert all(isinstance(outcome.result, Success) for outcome in outcomes)
        assert not await stage.deployment.ready()
        with pytest.raises(RunnerClosed):
            await stage.outcome("notes:add", room="a", n=1)
        with pytest.raises(RunnerClosed):
            await stage.query("notes:count")

    play(tmp_path, story)


def test_a_caller_who_goes_away_does_not_undo_the_mutation_nor_keep_a_reader(tmp_path):
    async def story(stage: Stage) -> None:
        for _ in range(5):
            tasks = [
                asyncio.ensure_future(stage.query("notes:count", at=stage.deployment.last_ts)),
                asyncio.ensure_future(stage.outcome("notes:add", room="a", n=1)),
            ]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(await stage.query("notes:in_room", room="a")) in range(6)
        assert await stage.query("notes:count", at=stage.deployment.last_ts) >= 0.0

    play(tmp_path, story)


def test_data_outlives_the_deployment(tmp_path):
    async def first(stage: Stage) -> None:
        await stage.mutate("notes:add", room="a", n=1)

    async def second(stage: Stage) -> None:
        assert await stage.query("notes:in_room", room="a") == [1.0]

    for story in (first, second):
        play(tmp_path, story, data=tmp_path / "data.sqlite3", schema=SCHEMA, notes=NOTES)


def test_old_log_rows_are_trimmed_to_their_end(tmp_path):
    async def story(stage: Stage) -> None:
        for _ in range(4):
            await asyncio.gather(*(stage.outcome("notes:add", room="a", n=n) for n in range(200)))
        stage.deployment._house.hurry()
        while list(stage.deployment._database.log_rows(after=0)):
            await asyncio.to_thread(int)

    play(tmp_path, story, limits=replace(DEFAULT_LIMITS, log_retention_seconds=0.0))


# Who is calling, and what can be called.


def test_kinds_are_told_to_administrators_and_components_are_refused(tmp_path):
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        assert deployment.kind_of("notes:add", "") == "mutation"
        assert deployment.kind_of("notes:count", "") == "query"
        assert deployment.kind_of("notes:none", "") is None
        assert deployment.kind_of("notes:add", "c") is None
        call = FunctionCall("notes.js:add", "{}", "c")
        expected = Failure("Could not find public function for 'notes:add' in 'c'.\n")
        assert (await deployment.mutate(call, ANONYMOUS, request_id="r")).result == expected
        assert (await deployment.query(call, ANONYMOUS, request_id="r"))[0] == expected
        assert await deployment.act(call, ANONYMOUS, request_id="r") == expected
        wrong = await deployment.act(FunctionCall("notes:add", "{}"), ANONYMOUS, request_id="r")
        assert isinstance(wrong, Failure)
        assert wrong.message == "Trying to execute notes.js:add as Action, but it is defined as Mutation.\n"
        missing = await deployment.act(FunctionCall("notes:none", "{}"), ANONYMOUS, request_id="r")
        assert isinstance(missing, Failure)
        assert missing.message == "Could not find public function for 'notes:none'.\n"

    play(tmp_path, story)

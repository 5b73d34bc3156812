"""Questions travel together where that is quick, and each gets its own answer whatever befalls the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rewake.database import ReadSet
from rewake.errors import RewakeError, Unavailable
from rewake.execution.calls import Failure
from rewake.execution.error_facts import ErrorFacts
from rewake.execution.questions import Paces
from rewake.execution.runner import QueryRun
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_messages import Failed
from tests.execution.question_stage import CUT_OFF, NOW, Readers, run_of, tell, turns
from tests.execution.worker_stage import CallFailed, Stage, play, query_job, value_of


async def one_held_up(house: Readers) -> tuple[list[Any], Any, Any]:
    """Two questions at the first of two readers, which stays with `m:a`; `m:b` has gone to the other, too."""
    await house.know("m:a", "m:b")
    asking = [house.ask("m:a"), house.ask("m:b")]
    await turns()
    (stuck,) = [reader for reader in house.readers if reader.sent]
    stuck.marked = (0, 0.0)
    (other,) = [reader for reader in house.readers if reader is not stuck]
    await other.was_asked.wait()
    return asking, stuck, other


def test_what_is_asked_in_one_turn_is_one_message_and_each_gets_its_own_answer() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b")
        asking = [house.ask(path) for path in ("m:a", "m:b", "m:a")]
        await turns()
        (reader,) = house.readers
        assert reader.asked == [["m:a", "m:b", "m:a"]]
        assert [sent.is_in_parts for sent in reader.sent] == [True]
        late = house.ask("m:b")
        await turns()
        reader.answer("1", "2", ts=8)
        reader.answer("3", ts=8)
        assert await asyncio.gather(*asking) == [("1", 8), ("2", 8), ("3", 8)]
        assert reader.asked == [["m:a", "m:b", "m:a"], ["m:b"]]
        reader.answer("4", ts=9)
        assert await late == ("4", 9)
        assert len(house.log.records) == 6

    tell(1, story)


def test_a_function_that_nobody_knows_or_that_is_slow_goes_alone() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:quick")
        await house.know("m:slow", seconds=0.1)
        asking = [house.ask(path) for path in ("m:quick", "m:slow", "m:quick", "m:new", "m:quick")]
        await turns()
        (reader,) = house.readers
        for answered in (1, 1, 1, 1, 1):
            await turns()
            reader.answer(*["x"] * answered)
        await asyncio.gather(*asking)
        assert reader.asked == [["m:quick"], ["m:slow"], ["m:quick"], ["m:new"], ["m:quick"]]

    tell(1, story)


def test_who_is_held_up_goes_elsewhere_and_the_first_answer_counts() -> None:
    async def story(house: Readers) -> None:
        asking, stuck, other = await one_held_up(house)
        assert other.asked == [["m:b"]]
        other.answer("from the other")
        assert await asking[1] == ("from the other", 7)
        stuck.answer("at last", "too late")
        assert await asking[0] == ("at last", 7)
        assert not house.pool.busy

    tell(2, story)


def test_a_reader_that_dies_takes_only_the_question_that_it_dies_of() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:crash", "m:b")
        asking = [house.ask(path) for path in ("m:a", "m:crash", "m:b")]
        await turns()
        house.readers[0].answer("a")
        house.readers[0].die(at=1)
        await turns()
        second = house.add()
        await turns()
        assert second.asked == [["m:crash", "m:b"]]
        second.die(at=0)
        await turns()
        third = house.add()
        await turns()
        third.answer("b")
        assert [await each for each in (asking[0], asking[2])] == [("a", 7), ("b", 7)]
        message, ts = await asking[1]
        assert "m:crash" in message
        assert ts == NOW

    tell(1, story)


def test_a_question_that_is_cut_off_fails_at_once() -> None:
    async def story(house: Readers) -> None:
        asking = house.ask("m:spin")
        await turns()
        house.readers[0].is_cut_off = True
        house.readers[0].die(at=0)
        house.add()
        assert await asking == (CUT_OFF.message, NOW)

    tell(1, story)


def test_readers_that_die_of_nothing_are_borne_for_a_while() -> None:
    async def story(house: Readers) -> None:
        asking = house.ask("m:a")
        for _ in range(5):
            await turns()
            house.readers[-1].die()
            await turns()
            house.add()
        with pytest.raises(WorkerLost):
            await asking

    tell(1, story)


def test_an_error_is_for_the_first_without_an_answer_and_the_rest_are_asked_again() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b", "m:c")
        asking = [house.ask(path) for path in ("m:a", "m:b", "m:c")]
        await turns()
        (reader,) = house.readers
        reader.answer("a")
        reader.hear(Failed(ErrorFacts.of(Unavailable("the disk is gone"))))
        with pytest.raises(RewakeError, match="the disk is gone"):
            await asking[1]
        await turns()
        assert reader.asked == [["m:a", "m:b", "m:c"], ["m:c"]]
        reader.answer("c")
        assert await asking[2] == ("c", 7)

    tell(1, story)


def test_what_may_have_met_the_schema_of_other_code_is_asked_again() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b")
        asking = [house.ask("m:a"), house.ask("m:b")]
        await turns()
        (old,) = house.readers
        house.switch.begin()
        old.answer("of before", ts=7)
        assert await asking[0] == ("of before", 7)  # Nobody was told of anything newer.
        old.answer("of other code", ts=8)
        await turns()
        # Which code serves is not known yet.
        assert not asking[1].done()
        assert old.asked == [["m:a", "m:b"]]
        house.switch.end()
        house.pool.replace([])
        new = house.add()
        await turns()
        assert new.asked == [["m:b"]]
        new.answer("of this code", ts=8)
        assert await asking[1] == ("of this code", 8)

    tell(1, story)


def test_what_old_code_ran_after_the_switch_is_asked_again_and_who_gave_up_is_not() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b", "m:c")
        asking = [house.ask(path) for path in ("m:a", "m:b", "m:c")]
        await turns()
        (old,) = house.readers
        house.pool.replace([])
        new = house.add()
        asking[1].cancel()
        old.answer("of before", ts=7)
        await turns()
        old.answer("of other code", "of other code", ts=8)
        assert await asking[0] == ("of before", 7)
        await turns()
        assert new.asked == [["m:c"]]
        new.answer("of this code", ts=8)
        assert await asking[2] == ("of this code", 8)
        assert old.is_closed

    tell(1, story)


def test_who_takes_one_reader_with_it_has_the_answer_of_another_that_came_first() -> None:
    async def story(house: Readers) -> None:
        asking, stuck, other = await one_held_up(house)
        stuck.answer("at last")
        stuck.is_cut_off = True
        stuck.die(at=1)  # And nobody is free to say what the time is.
        await turns()
        other.answer("from the other")
        assert await asking[1] == ("from the other", 7)
        await turns()
        assert await asking[0] == ("at last", 7)

    tell(2, story)


def test_how_long_a_function_takes_is_what_it_took_lately() -> None:
    paces = Paces()
    failed = QueryRun(Failure("no such function"), None, ReadSet().to_wire(), False, False, "", 0.1)
    assert paces.of("m:a") == float("inf")
    paces.learn([("m:a", run_of("1", 0.8))])
    assert paces.of("m:a") == 0.8
    paces.learn([("m:a", run_of("1", 0.0))])
    assert paces.of("m:a") == pytest.approx(0.7)
    paces.learn([("m:a", run_of("1", 1.5)), ("m:made up", failed)])
    assert paces.of("m:a") == pytest.approx(0.8)
    assert paces.of("m:made up") == float("inf")


def test_in_processes_a_crash_a_loop_and_an_error_in_a_batch_are_each_their_own(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        await stage.query("main:get", name="a")
        # As if they had been quick until now.
        paths = ("main:crash_reading", "main:spin_reading", "main:nothing", "main:get")
        stage.runner._readers.desk._paces._seconds.update(dict.fromkeys(paths, 1e-5))

        async def ask(path: str, **args: Any) -> Any:
            run, ts = await stage.runner.ask(query_job(path, **args))
            assert ts > 0
            return run.result

        answers = await asyncio.gather(
            ask("main:get", name="a"),
            ask("main:crash_reading"),
            ask("main:get", name="b"),
            ask("main:spin_reading"),
            ask("main:get", name="a"),
            ask("main:nothing"),
            ask("main:get", name="a"),
        )
        assert [value_of(answers[number]) for number in (0, 2, 4, 6)] == [1.0, 0.0, 1.0, 1.0]
        for number in (1, 3, 5):
            with pytest.raises(CallFailed):
                value_of(answers[number])

    play(tmp_path, story)

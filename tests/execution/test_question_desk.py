"""A third of the callers travels at once, a second batch waits at the reader, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from rewake.execution.lanes import WAVES
from rewake.execution.question_desk import BATCH_QUESTIONS_MAX, FEW_QUESTIONS
from rewake.execution.questions import BATCH_SECONDS
from rewake.execution.runner import RunnerClosed
from rewake.execution.worker_failures import WorkerLost
from tests.execution.question_stage import CUT_OFF, NOW, FakeReader, Readers, tell, turns

SMALL = 0.00005


def sizes(reader: FakeReader) -> list[int]:
    return [len(each) for each in reader.asked]


def test_few_callers_are_not_divided() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        asking = [house.ask("m:a") for _ in range(FEW_QUESTIONS)]
        await turns()
        (reader,) = house.readers
        assert sizes(reader) == [FEW_QUESTIONS]
        reader.answer(*["x"] * FEW_QUESTIONS)
        await asyncio.gather(*asking)

    tell(1, story)


def test_callers_in_step_are_told_in_thirds_and_the_reader_always_has_work() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", seconds=SMALL)
        asking = [house.ask("m:a") for _ in range(15)]
        await turns()
        first, second = house.readers if house.readers[0].sent else house.readers[::-1]
        assert sizes(first) == [5, 5]  # Before anything is answered.
        for _ in range(9):
            first.answer(*["x"] * sizes(first)[first.answers], seconds=SMALL)
            await turns()
            # Whoever is answered asks again.
            asking = [each if not each.done() else house.ask("m:a") for each in asking]
            await turns()
            assert len(first.sent) == first.answers + 2
        assert set(sizes(first)) <= {4, 5}
        assert not second.sent
        while not all(each.done() for each in asking):
            first.answer(*["x"] * sizes(first)[first.answers], seconds=SMALL)
            await turns()

    tell(2, story)


def test_a_batch_has_a_bound() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        count = 4 * BATCH_QUESTIONS_MAX
        asking = [house.ask("m:a") for _ in range(count)]
        await turns()
        (reader,) = house.readers
        while not all(each.done() for each in asking):
            reader.answer(*["x"] * len(reader.asked[reader.answers]))
            await turns()
        assert max(sizes(reader)) == BATCH_QUESTIONS_MAX
        assert sum(sizes(reader)) == count

    tell(1, story)


def test_a_wave_keeps_its_turn_among_questions() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        (reader,) = house.readers
        asking = [house.ask("m:a") for _ in range(9)]
        await turns()
        wave = asyncio.ensure_future(house.pool.take(WAVES))
        for _ in range(20):
            asking.append(house.ask("m:a"))
            await turns()
            if wave.done():
                break
            reader.answer(*["x"] * len(reader.asked[reader.answers]))
        # However many ask meanwhile: no second batch goes past it.
        house.pool.give_back(await wave)
        while not all(each.done() for each in asking):
            await turns()
            reader.answer(*["x"] * len(reader.asked[reader.answers]))
            await turns()

    tell(1, story)


def test_one_that_takes_its_time_wakes_another_reader_up() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:quick")
        await house.know("m:slow", seconds=0.1)
        quick = house.ask("m:quick")
        await turns()
        first, second = house.readers if house.readers[0].sent else house.readers[::-1]
        slow, behind = house.ask("m:slow"), house.ask("m:quick")
        await turns()
        assert second.asked == [["m:slow"]]
        assert first.asked == [["m:quick"], ["m:quick"]]
        second.answer("slow")
        first.answer("1")
        first.answer("2")
        assert [(await each)[0] for each in (quick, slow, behind)] == ["1", "slow", "2"]

    tell(2, story)


def test_a_little_more_waits_for_a_reader_that_is_back_soon_and_much_does_not() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", seconds=0.0002)
        asking = [house.ask("m:a")]
        await turns()
        first, second = house.readers if house.readers[0].sent else house.readers[::-1]
        asking.append(house.ask("m:a"))
        await turns()
        assert first.asked == [["m:a"], ["m:a"]]
        asking += [house.ask("m:a"), house.ask("m:a")]
        await turns()
        assert not second.sent
        asking.append(house.ask("m:a"))
        await turns()
        assert second.asked == [["m:a"] * 3]
        first.answer("1")
        first.answer("2")
        second.answer("3", "4", "5")
        assert [(await each)[0] for each in asking] == ["1", "2", "3", "4", "5"]

    tell(2, story)


def test_those_behind_a_batch_that_is_held_up_go_elsewhere() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b")
        asking = [house.ask("m:a")]
        await turns()
        stuck, other = house.readers if house.readers[0].sent else house.readers[::-1]
        stuck.marked = (0, 0.0)
        asking.append(house.ask("m:b"))
        await turns()
        assert stuck.asked == [["m:a"], ["m:b"]]
        await other.was_asked.wait()
        assert other.asked == [["m:b"]]
        other.answer("from the other")
        assert await asking[1] == ("from the other", 7)
        # Nobody is sent behind one that is held up.
        asking.append(house.ask("m:a"))
        await turns()
        assert other.asked[1:] == [["m:a"]]
        other.answer("2")
        stuck.answer("at last")
        stuck.answer("too late")
        assert [(await each)[0] for each in asking] == ["at last", "from the other", "2"]
        assert not house.pool.busy

    tell(2, story)


def test_a_reader_that_dies_takes_nobody_of_the_batch_behind() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:crash", "m:b")
        asking = [house.ask("m:crash")]
        await turns()
        asking.append(house.ask("m:b"))
        await turns()
        reader = house.readers[0]
        assert reader.asked == [["m:crash"], ["m:b"]]
        for _ in range(2):
            house.readers[-1].die(at=0)
            await turns()
            house.add()
            await turns()
        house.readers[-1].answer("b")
        assert "m:crash" in (await asking[0])[0]
        assert await asking[1] == ("b", 7)

    tell(1, story)


def test_a_batch_behind_is_cut_off_only_where_it_runs() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:spin")
        asking = [house.ask("m:a")]
        await turns()
        asking.append(house.ask("m:spin"))
        await turns()
        reader = house.readers[0]
        reader.answer("1")
        reader.is_cut_off = True
        reader.die(at=0)
        house.add()
        assert await asking[0] == ("1", 7)
        assert await asking[1] == (CUT_OFF.message, NOW)

    tell(1, story)


def test_readers_that_die_of_nothing_are_borne_for_a_while_by_those_behind_too() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        asking = [house.ask("m:a")]
        await turns()
        asking.append(house.ask("m:a"))
        for _ in range(5):
            await turns()
            house.readers[-1].die()
            await turns()
            house.add()
        for each in asking:
            with pytest.raises(WorkerLost):
                await each

    tell(1, story)


def test_a_reader_of_older_code_finishes_both_batches_and_gets_no_third() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        asking = [house.ask("m:a")]
        await turns()
        asking.append(house.ask("m:a"))
        await turns()
        (old,) = house.readers
        house.pool.replace([])
        asking.append(house.ask("m:a"))
        old.answer("1")
        await turns()
        assert not old.is_closed
        old.answer("2")
        assert old.is_closed
        assert sizes(old) == [1, 1]
        new = house.add()
        await turns()
        new.answer("3")
        assert [(await each)[0] for each in asking] == ["1", "2", "3"]

    tell(1, story)


def test_who_gave_up_is_not_asked_for() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        await house.know("m:slow", seconds=0.1)
        first = house.ask("m:slow")
        await turns()
        gone, waits = house.ask("m:a"), house.ask("m:a")
        await turns()
        gone.cancel()
        await turns()
        (reader,) = house.readers
        reader.answer("1")
        assert reader.asked == [["m:slow"], ["m:a"]]
        first.cancel()  # After its answer.
        reader.answer("2")
        assert await waits == ("2", 7)

    tell(1, story)


def test_closing_fails_who_waits_and_lets_who_travels_arrive() -> None:
    async def story(house: Readers) -> None:
        travels = house.ask("m:a")
        await turns()
        waits = house.ask("m:a")
        await turns()
        house.pool.close()
        with pytest.raises(RunnerClosed):
            await waits
        with pytest.raises(RunnerClosed):
            await house.ask("m:a")
        house.readers[0].answer("1")
        assert await travels == ("1", 7)
        assert house.readers[0].is_closed

    tell(1, story)


def test_who_loses_his_reader_after_closing_is_told_that_there_is_none() -> None:
    async def story(house: Readers) -> None:
        travels = house.ask("m:a")
        await turns()
        house.pool.close()
        house.readers[0].die()
        with pytest.raises(RunnerClosed):
            await travels

    tell(1, story)


def test_little_work_passes_and_what_is_more_than_a_batch_stands_in_line() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", seconds=SMALL)
        line = house.pool._idle._line
        most = round(BATCH_SECONDS / SMALL)
        asking = [house.ask("m:a") for _ in range(2 * most)]
        unknown = house.ask("m:new")
        await asyncio.sleep(0)
        assert most < len(line) <= most + 2, "with that whose time nobody knows"
        (reader,) = house.readers
        await turns()
        while not all(each.done() for each in [*asking, unknown]):
            reader.answer(*["x"] * len(reader.asked[reader.answers]), seconds=SMALL)
            await turns()

    tell(1, story)


def test_one_that_takes_its_time_is_not_overtaken_by_quick_ones_that_keep_coming() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", seconds=SMALL)
        await house.know("m:slow", seconds=1.0)
        (reader,) = house.readers
        quick = [house.ask("m:a") for _ in range(2)]
        await turns()
        slow = house.ask("m:slow")
        for _ in range(8):
            quick.append(house.ask("m:a"))
            await turns()
        assert sizes(reader) == [2], "nobody sets out who came after it"
        while not slow.done():
            reader.answer(*["x"] * sizes(reader)[reader.answers], seconds=SMALL)
            await turns()
        assert reader.asked[1] == ["m:slow"]
        while not all(each.done() for each in quick):
            reader.answer(*["x"] * sizes(reader)[reader.answers], seconds=SMALL)
            await turns()

    tell(1, story)

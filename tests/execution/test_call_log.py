"""The call log keeps the latest records and tells whoever listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from rewake.auth import ANONYMOUS, Admin, User
from rewake.environment import ManualClock
from rewake.execution import CallLog, CallRecord, RunLogLine, RunProgress
from rewake.execution.call_log import identity_kind


def record(number: int) -> CallRecord:
    return CallRecord(f"m:f{number}", "query", 0.0, (), None, None, "")


def test_it_keeps_the_latest_records():
    log = CallLog(records_max=2)
    for number in range(3):
        log.append(record(number))
    assert [one.path for one in log.records] == ["m:f1", "m:f2"]


def test_a_listener_that_raises_disturbs_nobody(caplog):
    log, heard = CallLog(), []

    def bad(records: Sequence[CallRecord]) -> None:
        raise RuntimeError("no")

    log.listen(bad)
    log.listen(heard.extend)
    log.append(record(1))
    assert heard == log.records == [record(1)]
    assert "a listener of the call log failed" in caplog.text


def entries_of(log: CallLog, cursor: float = 0) -> list[str]:
    return [entry.news.path for entry in log.after(cursor)]


def test_cursors_grow_also_where_the_clock_does_not() -> None:
    clock = ManualClock()
    log = CallLog(clock=clock)
    for number in range(3):
        log.append(record(number))
    first, second, third = log.after(0)
    assert first.cursor == clock.time_ns / 1e6, "a cursor is the time of the news"
    assert first.cursor < second.cursor < third.cursor
    assert entries_of(log, second.cursor) == ["m:f2"]
    assert log.after(third.cursor) == []
    clock.advance(-60)
    log.append(record(3))
    clock.advance(120)
    log.append(record(4))
    assert entries_of(log, third.cursor) == ["m:f3", "m:f4"]


def test_entries_are_bounded_in_size_and_the_newest_stays() -> None:
    log = CallLog(bytes_max=10_000)
    for number in range(20):
        line = RunLogLine("LOG", "x" * 1000)
        log.append(CallRecord(f"m:f{number}", "query", 0.0, (line,), None, None, ""))
    assert 5 <= len(log.records) <= 10
    assert log.records[-1].path == "m:f19"
    log.append(CallRecord("m:huge", "query", 0.0, (), "e" * 20_000, "t", ""))
    assert entries_of(log) == ["m:huge"]


def test_a_line_of_a_running_action_is_news_and_no_record() -> None:
    log, heard = CallLog(), []
    log.listen(heard.append)
    log.progress(RunProgress("m:act", "action", "r", RunLogLine("LOG", "1")))
    assert entries_of(log) == ["m:act"]
    assert log.records == heard == []


def test_what_came_together_stands_in_order_with_growing_cursors() -> None:
    log, heard = CallLog(records_max=3), []
    log.listen(heard.append)
    told = [record(number) for number in range(4)]
    house = CallRecord("_system/cli/tables:default", "query", 0.0, (), None, None, "")
    log.extend([*told[:2], house, *told[2:]])
    log.extend([house])
    assert heard == [told], "at once, and nobody hears of nothing"
    assert log.records == told[-3:]
    cursors = [entry.cursor for entry in log.after(0)]
    assert cursors == sorted(set(cursors))


def test_what_the_house_did_well_for_itself_is_left_out() -> None:
    log = CallLog()
    log.append(CallRecord("_system/cli/x:default", "query", 0.0, (), None, None, ""))
    assert log.after(0) == []
    log.append(CallRecord("_system/cli/x:default", "query", 0.0, (), "no", None, ""))
    assert len(log.after(0)) == 1


def test_who_waits_is_woken_from_any_thread_and_by_the_end() -> None:
    async def story() -> None:
        log = CallLog()
        assert await log.wait_after(0, seconds=0) == []
        waiting = [asyncio.ensure_future(log.wait_after(0, seconds=30)) for _ in range(2)]
        await asyncio.to_thread(lambda: None)
        threading.Thread(target=log.append, args=(record(1),)).start()
        for found in await asyncio.gather(*waiting):
            assert [entry.news.path for entry in found] == ["m:f1"]
        (entry,) = await log.wait_after(0, seconds=30)
        last = asyncio.ensure_future(log.wait_after(entry.cursor, seconds=30))
        await asyncio.to_thread(lambda: None)
        log.end_waits()
        assert await last == []
        assert await log.wait_after(0, seconds=30) == [], "a log that has ended keeps nobody"

    asyncio.run(asyncio.wait_for(story(), 20))


def test_callers_are_told_by_kind() -> None:
    user = User("{}")
    kinds = [identity_kind(each) for each in (ANONYMOUS, user, Admin(), Admin(user))]
    assert kinds == ["anonymous", "user", "admin", "admin as user"]

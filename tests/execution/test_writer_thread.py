"""Groups that fail in every way: whom it costs what, and in which order news leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import CommitResult, Database, Invocation
from rewake.environment import Environment
from rewake.errors import Internal, InvalidInput
from rewake.execution import CallLog, FunctionCall, GroupReport, MutationJob, Visibility
from rewake.execution.writer_thread import Change, WriterThread, Writing
from rewake.storage import GroupDoomed, LogRow, StorageFailed
from tests.deployment.stage import PATIENT


class FakeGroup:
    """A writer whose commits go as the test says."""

    def __init__(self) -> None:
        self.ts = 10
        self.log: list[LogRow] = []
        self.rows: list[LogRow] = []
        self.attempts: list[list[str]] = []
        self.commit_as: list[str] = []
        self.begin_fails = 0
        self.is_closed = False

    def begin(self) -> None:
        if self.begin_fails:
            self.begin_fails -= 1
            raise StorageFailed(detail="begin")
        self.rows = []
        self.attempts.append([])

    def write(self, id: str) -> None:
        self.attempts[-1].append(id)
        self.rows.append(LogRow(self.ts + len(self.rows) + 1, id, ()))

    def commit(self) -> CommitResult:
        how = self.commit_as.pop(0) if self.commit_as else "well"
        if how == "doomed":
            raise GroupDoomed(StorageFailed(detail="commit"))
        if how == "lost":
            raise StorageFailed(detail="lost")
        self.log += self.rows
        self.ts += len(self.rows)
        if how == "in doubt":
            raise StorageFailed(detail="in doubt")
        return CommitResult(self.rows, self.ts)

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


class FakeDatabase:
    def __init__(self) -> None:
        self.group = FakeGroup()
        self.environment = Environment()
        self.limits = PATIENT
        self.unreadable = 0

    def group_commit(self) -> FakeGroup:
        return self.group

    def log_rows(self, *, after: int) -> list[LogRow]:
        if self.unreadable:
            self.unreadable -= 1
            raise StorageFailed(detail="log")
        return [row for row in self.group.log if row.ts > after]


class Stage:
    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.group = self.database.group
        self.news: list[Any] = []
        self.call_log = CallLog()
        self.perform_as: dict[str, Callable[[], None]] = {}
        self.writer = WriterThread(
            self.database,  # type: ignore[arg-type]
            perform=self.perform,
            call_log=self.call_log,
            on_group=self.on_group,
            told_ts=10,
        )

    def perform(self, group: Any, item: Writing) -> None:
        assert isinstance(item.job, MutationJob)
        id = item.job.invocation.id
        group.write(id)
        self.perform_as.get(id, lambda: None)()
        item.outcome = id

    def on_group(self, report: GroupReport) -> None:
        self.news.append([row.invocation for row in report.rows])
        self.last_ts = report.last_ts

    async def hand_in(self, *ids: str) -> list[Any]:
        async def one(id: str) -> Any:
            job = MutationJob(FunctionCall("m:f", "{}"), ANONYMOUS, Visibility.PUBLIC, Invocation(id), "r")
            try:
                outcome = await self.writer.hand_in(job)
            except Exception as error:
                outcome = error
            self.news.append(outcome if isinstance(outcome, str) else type(outcome).__name__)
            return outcome

        return await asyncio.gather(*(one(id) for id in ids))


def play(story) -> None:
    async def run() -> None:
        stage = Stage()
        # Handed in before the thread starts, so that they meet in one group.
        await asyncio.wait_for(story(stage), 5)
        await asyncio.wait_for(stage.writer.close(), 5)
        assert stage.group.is_closed

    asyncio.run(run())


async def together(stage: Stage, *ids: str) -> list[Any]:
    under_way = asyncio.ensure_future(stage.hand_in(*ids))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stage.writer.start()
    return await under_way


def doom() -> None:
    raise GroupDoomed(StorageFailed(detail="doomed"))


def test_rows_are_told_before_outcomes_and_in_order():
    async def story(stage: Stage) -> None:
        assert await together(stage, "a", "b", "c") == ["a", "b", "c"]
        assert stage.news == [["a", "b", "c"], "a", "b", "c"]
        assert stage.group.attempts == [["a", "b", "c"]]

    play(story)


def test_a_doomed_group_runs_again_in_order_with_the_culprit_alone():
    async def story(stage: Stage) -> None:
        stage.perform_as["b"] = doom
        # The culprit is met a second time in the first group only: alone it is doomed again.
        answers = await together(stage, "a", "b", "c")
        assert answers[0] == "a"
        assert isinstance(answers[1], StorageFailed)
        assert answers[1].fields["detail"] == "doomed"
        assert answers[2] == "c"
        assert stage.group.attempts == [["a", "b"], ["a"], ["b"], ["c"]]

    play(story)


def test_one_that_doomed_its_group_by_chance_keeps_its_place():
    async def story(stage: Stage) -> None:
        times = [doom]
        stage.perform_as["b"] = lambda: times.pop()() if times else None
        assert await together(stage, "a", "b", "c") == ["a", "b", "c"]
        assert [row.invocation for row in stage.group.log] == ["a", "b", "c"]

    play(story)


def test_a_group_that_is_doomed_in_commit_is_tried_one_by_one():
    async def story(stage: Stage) -> None:
        stage.group.commit_as = ["doomed", "well", "doomed", "well"]
        answers = await together(stage, "a", "b", "c")
        assert [type(answer).__name__ for answer in answers] == ["str", "StorageFailed", "str"]
        assert stage.news[0] == ["a"]

    play(story)


def test_where_nobody_knows_the_log_decides():
    async def story(stage: Stage) -> None:
        stage.group.commit_as = ["in doubt"]
        assert await together(stage, "a", "b") == ["a", "b"]
        assert stage.news == [["a", "b"], "a", "b"]

    play(story)


def test_what_the_log_does_not_have_did_not_happen():
    async def story(stage: Stage) -> None:
        stage.group.commit_as = ["lost"]
        answers = await together(stage, "a", "b")
        assert [type(answer) for answer in answers] == [StorageFailed, StorageFailed]
        assert stage.news[0] == []
        assert await stage.hand_in("c") == ["c"]

    play(story)


def test_rows_whose_news_was_lost_are_told_with_the_next_group():
    async def story(stage: Stage) -> None:
        stage.group.commit_as = ["in doubt"]
        stage.database.unreadable = 1
        (answer,) = await together(stage, "a")
        assert isinstance(answer, StorageFailed)
        assert await stage.hand_in("b") == ["b"]
        reports = [news for news in stage.news if isinstance(news, list)]
        assert [id for report in reports for id in report] == ["a", "b"]
        assert stage.last_ts == stage.group.ts

    play(story)


def test_a_file_that_cannot_be_written_refuses_and_recovers():
    async def story(stage: Stage) -> None:
        stage.group.begin_fails = 1
        (answer,) = await together(stage, "a")
        assert isinstance(answer, StorageFailed)
        assert await stage.hand_in("b") == ["b"]

    play(story)


def test_a_mistake_of_the_house_costs_its_group_only():
    async def story(stage: Stage) -> None:
        def mistake() -> None:
            raise SystemExit

        stage.perform_as["a"] = mistake
        (answer,) = await together(stage, "a")
        assert isinstance(answer, Internal)
        assert await stage.hand_in("b") == ["b"]

    play(story)


def test_a_front_that_raises_does_not_keep_outcomes_back():
    async def story(stage: Stage) -> None:
        def on_group(report: GroupReport) -> None:
            raise RuntimeError("no")

        stage.writer._on_group = on_group
        assert await together(stage, "a") == ["a"]

    play(story)


def test_a_change_has_a_group_for_itself():
    async def story(stage: Stage) -> None:
        calls: list[str] = []

        def work(group: Any) -> str:
            calls.append("work")
            group.write("change")
            return "done"

        change = Change(work, lambda: calls.append("finish"), lambda: calls.append("undo"))
        before = asyncio.ensure_future(stage.hand_in("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        changing = asyncio.ensure_future(stage.writer.hand_in(change))
        await asyncio.sleep(0)
        after = asyncio.ensure_future(stage.hand_in("b"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stage.writer.start()
        assert await changing == "done"
        await asyncio.gather(before, after)
        assert stage.group.attempts == [["a"], ["change"], ["b"]]
        assert calls == ["work", "finish"]

    play(story)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidInput("no"), InvalidInput),
        (GroupDoomed(StorageFailed(detail="x")), StorageFailed),
        (ValueError(), Internal),
    ],
)
def test_a_change_that_fails_is_undone(error, expected):
    async def story(stage: Stage) -> None:
        calls: list[str] = []

        def work(group: Any) -> None:
            raise error

        stage.writer.start()
        with pytest.raises(expected):
            await stage.writer.hand_in(
                Change(work, lambda: calls.append("finish"), lambda: calls.append("undo"))
            )
        assert calls == ["undo"]
        assert await stage.hand_in("a") == ["a"]

    play(story)


def test_a_group_has_a_greatest_size():
    async def story(stage: Stage) -> None:
        ids = [f"m{n}" for n in range(600)]
        assert await together(stage, *ids) == ids
        assert max(map(len, stage.group.attempts)) == stage.database.limits.group_mutations_max

    play(story)


def test_the_real_database_fits_the_fake():
    for name in ("group_commit", "log_rows"):
        assert callable(getattr(Database, name))

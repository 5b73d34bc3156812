"""Schema changes on live data: mutations and live queries go on, and what fails leaves no trace.

Tables here have more documents than a switch looks at by itself, so the work is done in the background.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewake.database import Database, PushProgress, SchemaMismatch, SchemaOutrun
from rewake.deployment import Deployment
from rewake.environment import Environment, ManualClock
from rewake.values import decode_stored
from tests.database.world import World
from tests.deployment.stage import NOTES, RUNS_IN, SCHEMA, CallFailed, Stage, play
from tests.deployment.watcher import Watcher

LOOSE = """
    from rewake import Document, Index

    class Note(Document, table="notes"):
        room: str | None
        n: int
        by_room = Index("room", "n")
"""
STRICT = SCHEMA + '        by_n = Index("n")\n        by_n_and_room = Index("n", "room")\n'
OTHER = SCHEMA.replace('Index("room", "n")', 'Index("n", "room")')
READS = (
    NOTES
    + """
    @query
    def smallest(ctx: QueryCtx) -> int | None:
        note = ctx.db.query(Note).with_index(Note.by_n).first()
        return None if note is None else note.n
"""
)
LOOSE_NOTES = NOTES.replace("room: str, n: int", "room: str | None, n: int")
BACKFILLS, SCHEMAS, INDEXES = 7, 3, 2


def filled(tmp_path: Path, count: int, *, bad: int | None = None) -> Path:
    """A data file with so many notes, made without any schema; number `bad` has no room."""
    data = tmp_path / "data.sqlite3"
    world = World(path=data)
    for start in range(0, count, 10_000):
        numbers = range(start, min(start + 10_000, count))
        world.insert("notes", *({"room": None if n == bad else "a", "n": n} for n in numbers))
    world.close()
    return data


def steps_of(database: Database, *, after: int) -> list[tuple[str, Any]]:
    """The commit log: `step` with how far the index is, or `write`."""
    found: list[tuple[str, Any]] = []
    for row in database.log_rows(after=after):
        if any(write.tablet > 100 for write in row.writes):
            found.append(("write", row))
        for write in row.writes:
            if write.tablet == BACKFILLS and write.old and write.new:
                document: Any = decode_stored(write.new)
                found.append(("step", (document["index"], document["done"])))
    return found


def longest_run(kinds: list[str], kind: str) -> int:
    longest = run = 0
    for each in kinds:
        run = run + 1 if each == kind else 0
        longest = max(longest, run)
    return longest


def states(deployment: Deployment) -> dict[str, Any]:
    """What lies in `_schemas` and `_indexes`, apart from ids."""
    connection = deployment._database.engine.connect()
    found = {}
    for name, tablet in (("schemas", SCHEMAS), ("indexes", INDEXES), ("backfills", BACKFILLS)):
        rows = connection.execute("SELECT json FROM _documents WHERE tablet = ?", (tablet,)).fetchall()
        documents: list[Any] = [decode_stored(text) for (text,) in rows]
        found[name] = documents
    connection.close()
    return found


def hear(stage: Stage, on_progress: Callable[[PushProgress], None]) -> None:
    """Hear how far pushes are."""
    original = stage.deployment.push

    async def push(code: Any) -> Any:
        return await original(code, on_progress=on_progress)

    stage.deployment.push = push  # type: ignore[method-assign]


def active(deployment: Deployment) -> Any:
    found = states(deployment)
    schemas = [(d["schema"], d["marks"]) for d in found["schemas"] if d["state"] == "active"]
    indexes = [(d["name"], d["fields"]) for d in found["indexes"] if d["state"] == "enabled"]
    return schemas, sorted(indexes)


def test_calls_go_on_while_50000_documents_are_checked_and_two_indexes_built(tmp_path: Path) -> None:
    count = 50_000

    async def story(stage: Stage) -> None:
        database = stage.deployment._database
        watcher = Watcher(stage.deployment)
        watcher.add("notes:in_room", room="live")
        await watcher.reached(0)
        began = database.last_ts()
        heard: list[PushProgress] = []
        is_over = False
        written: list[int] = []

        async def write(client: int) -> None:
            while not is_over:
                number = 100_000 + 1_000 * client + len(written)
                await stage.mutate("notes:add", room="live" if len(written) % 10 == 0 else "b", n=number)
                written.append(number)

        hear(stage, heard.append)
        clients = [asyncio.ensure_future(write(client)) for client in range(4)]
        updates = watcher.updates
        report = await stage.push(schema=STRICT, notes=READS)
        is_over = True
        await asyncio.gather(*clients)
        assert report.indexes_added == ("notes.by_n", "notes.by_n_and_room")
        assert await stage.query("notes:smallest") == 0
        assert watcher.updates > updates, "live queries were served meanwhile"
        await watcher.reached(stage.deployment.last_ts)
        assert len(watcher.shown[0]) == len(set(watcher.shown[0])) > 0

        log = steps_of(database, after=began)
        kinds = [kind for kind, _ in log]
        assert kinds.count("step") >= 10, "no step does it all"
        assert longest_run(kinds, "step") <= 8, "mutations go before the next step"
        assert kinds.count("write") >= len(written)
        assert heard[-1].documents_checked >= count
        assert heard[-1].indexes_complete == heard[-1].indexes_total == 2
        assert [p.documents_checked for p in heard] == sorted(p.documents_checked for p in heard)
        assert stage.deployment.push_progress is None

    data = filled(tmp_path, count)
    play(tmp_path, story, data=data, schema=LOOSE, notes=LOOSE_NOTES, seconds=120)


class TickingClock(ManualClock):
    """Moves by 20 us whenever it is asked."""

    def monotonic(self) -> float:
        self.advance(0.000_02)
        return super().monotonic()


@pytest.mark.threads_only("the clock is the test's own, which does not reach other processes")
def test_no_step_holds_the_writer_for_longer_than_its_time(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        database = stage.deployment._database
        began = database.last_ts()
        await stage.push(schema=STRICT, notes=READS)
        done: dict[Any, list[float]] = {}
        for kind, step in steps_of(database, after=began):
            if kind == "step":
                done.setdefault(step[0], [0.0]).append(step[1])
        assert len(done) == 2
        for numbers in done.values():
            sizes = [after - before for before, after in itertools.pairwise(numbers)]
            # 10 ms, and one look at the clock of 20 us after each document.
            assert max(sizes) <= 502
            assert len(sizes) >= 4

    environment = Environment(clock=TickingClock())
    data = filled(tmp_path, 3_000)
    play(tmp_path, story, data=data, environment=environment, schema=LOOSE, notes=LOOSE_NOTES)


def test_a_document_that_does_not_fit_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:in_room", room="b")
        await watcher.reached(0)
        before, wakes = active(stage.deployment), stage.deployment.live.wakes
        with pytest.raises(SchemaMismatch) as caught:
            await stage.push(schema=STRICT, notes=READS)
        assert caught.value.fields["path"] == ".room"
        assert caught.value.fields["source"].class_name == "Note"
        assert active(stage.deployment) == before
        assert stage.deployment.live.wakes == wakes
        failed = [d for d in states(stage.deployment)["schemas"] if d["state"] == "failed"]
        assert [(d["error"], d["table"]) for d in failed] == [(caught.value.message, "notes")]
        with pytest.raises(CallFailed, match="smallest"):
            await stage.query("notes:smallest")
        await stage.mutate("notes:add", room=None, n=1)
        await stage.mutate("notes:add", room="b", n=1)
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: [1.0]}
        while states(stage.deployment)["backfills"]:
            await stage.deployment._runner.tend()
        assert all(d["state"] == "enabled" for d in states(stage.deployment)["indexes"]), "and clears up"

    data = filled(tmp_path, 3_000, bad=2_500)
    play(tmp_path, story, data=data, schema=LOOSE, notes=LOOSE_NOTES)


def test_a_violating_write_succeeds_and_fails_the_push(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before = active(stage.deployment)
        runner: Any = stage.deployment._runner
        original, calls = runner.step, 0

        async def step(work: Any, **options: Any) -> Any:
            nonlocal calls
            if type(work).__name__ == "BuildIndexes" and work.indexes is not None:
                calls += 1
                if calls == 1:
                    await stage.mutate("notes:add", room=None, n=1)
            return await original(work, **options)

        runner.step = step
        with pytest.raises(SchemaMismatch) as caught:
            await stage.push(schema=STRICT, notes=READS)
        message = caught.value.message
        assert message.startswith(
            'New document in table "notes" does not match the schema: Value does not match validator.'
        )
        assert active(stage.deployment) == before
        assert await stage.query("notes:count") == 3_001

    data = filled(tmp_path, 3_000)
    play(tmp_path, story, data=data, schema=LOOSE, notes=LOOSE_NOTES)


def test_a_redefined_index_serves_until_the_new_one_does(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:first", room="b")
        await watcher.reached(0)
        is_over = False
        asked = 0

        async def ask() -> None:
            nonlocal asked
            while not is_over:
                # One answer by either definition; never an error, never a gap.
                assert await stage.query("notes:first", room="a") == 0
                asked += 1
                await asyncio.sleep(0)  # A cached answer gives nobody else a turn.

        asking = asyncio.ensure_future(ask())
        notes = NOTES.replace("Note.by_room, room=room", "Note.by_room, n=0")
        report = await stage.push(schema=OTHER, notes=notes)
        is_over = True
        await asking
        assert asked > 0
        assert (report.indexes_added, report.indexes_removed) == (("notes.by_room",), ("notes.by_room",))
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: 0.0}
        assert not watcher.failures

    play(tmp_path, story, data=filled(tmp_path, 3_000), schema=SCHEMA, notes=NOTES)


def test_staged_indexes_are_built_after_the_push_and_after_a_restart(tmp_path: Path) -> None:
    staged = SCHEMA + '        by_n = Index("n", staged=True)\n'
    data = filled(tmp_path, 3_000)

    async def states_of_by_n(stage: Stage) -> tuple[str, float]:
        found = states(stage.deployment)
        (index,) = [d for d in found["indexes"] if d.get("name") == "by_n"]
        return index["state"], sum(d["done"] for d in found["backfills"])

    async def story(stage: Stage) -> None:
        report = await stage.push(schema=staged, notes=READS)
        assert report.indexes_added == ("notes.by_n",)
        with pytest.raises(CallFailed, match=r"notes\.by_n is currently staged and not available to query"):
            await stage.query("notes:smallest")

    async def after_a_restart(stage: Stage) -> None:
        while (await states_of_by_n(stage))[0] != "ready":
            await stage.deployment._runner.tend()
        with pytest.raises(CallFailed, match=r"notes\.by_n is currently staged and not available to query"):
            await stage.query("notes:smallest")
        before = stage.deployment.last_ts
        report = await stage.push(schema=staged.replace(", staged=True", ""), notes=READS)
        assert not report.indexes_added
        assert await stage.query("notes:smallest") == 0
        assert not [kind for kind, _ in steps_of(stage.deployment._database, after=before) if kind == "step"]

    play(tmp_path, story, data=data, schema=SCHEMA, notes=NOTES)
    play(tmp_path, after_a_restart, data=data, schema=staged, notes=READS)


def test_a_cancelled_push_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before = active(stage.deployment)
        is_begun = asyncio.Event()
        hear(stage, lambda progress: is_begun.set())
        pushing = asyncio.ensure_future(stage.push(schema=STRICT, notes=READS))
        await is_begun.wait()
        pushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pushing
        assert active(stage.deployment) == before
        assert {d["state"] for d in states(stage.deployment)["schemas"]} == {"active", "failed"}
        await stage.mutate("notes:add", room="b", n=1)
        report = await stage.push(schema=STRICT, notes=READS)
        assert len(report.indexes_added) == 2
        assert await stage.query("notes:smallest") == 0

    data = filled(tmp_path, 20_000)
    play(tmp_path, story, data=data, schema=LOOSE, notes=LOOSE_NOTES, seconds=60)


def test_a_push_that_never_catches_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if RUNS_IN["place"] != "threads":
        pytest.skip("what a test replaces does not reach other processes")

    async def story(stage: Stage) -> None:
        monkeypatch.setattr("rewake.database.schema_change._TAIL_ROWS", -1)
        before = active(stage.deployment)
        with pytest.raises(SchemaOutrun):
            await stage.push(schema=STRICT, notes=READS)
        assert active(stage.deployment) == before

    play(tmp_path, story, data=filled(tmp_path, 3_000), schema=LOOSE, notes=LOOSE_NOTES)


def test_the_first_push_onto_old_data_does_its_work_before_it_serves(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.query("notes:smallest") == 0
        assert {d["state"] for d in states(stage.deployment)["schemas"]} == {"active"}

    play(tmp_path, story, data=filled(tmp_path, 3_000), schema=STRICT, notes=READS)

"""Mutations that store files: all or nothing, in threads and in worker processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import Invocation, ReplayKey
from rewake.database.catalog import BLOBS
from rewake.deployment.mutations import Mutations
from rewake.errors import Unavailable
from rewake.execution import (
    BlobKeysWanted,
    Failure,
    FunctionCall,
    MutationJob,
    MutationOutcome,
    Success,
    Visibility,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.storage import Reads
from rewake.values import decode_stored
from tests.deployment.stage import CallFailed, Stage, play

MODULE = """
    import os
    import signal
    from typing import Any
    from rewake import ApplicationError, Document, MutationCtx, QueryCtx, mutation, query

    class Run(Document, table="runs"):
        name: str

    @mutation
    def store(ctx: MutationCtx, texts: list[str]) -> list[str]:
        ctx.db.insert(Run(name="store"))
        print("storing")
        return [ctx.storage.store(text.encode(), content_type="text/plain") for text in texts]

    @mutation
    def store_and_fail(ctx: MutationCtx) -> None:
        ctx.storage.store(b"lost")
        raise ApplicationError("no")

    @mutation
    def store_in_parts(ctx: MutationCtx) -> list[Any]:
        kept = ctx.storage.store(b"kept")
        try:
            ctx.run_mutation(store_and_fail)
        except ApplicationError:
            pass
        gone = ctx.storage.store(b"gone")
        ctx.storage.delete(gone)
        file = ctx.storage.get(kept)
        return [kept, file.read() if file else None, ctx.storage.get(gone) is None]

    @mutation
    def swallow(ctx: MutationCtx) -> str:
        try:
            return ctx.storage.store(b"x")
        except BaseException:
            return "swallowed"

    @mutation
    def with_digest(ctx: MutationCtx, digest: str) -> str:
        return ctx.storage.store(b"abc", sha256=digest)

    @mutation
    def from_pieces(ctx: MutationCtx, reaches_out: bool) -> str:
        def pieces() -> Any:
            yield b"a" * 3
            if reaches_out:
                open("/etc/hosts")
            yield b"b" * 3
        return ctx.storage.store(pieces())

    @mutation
    def read(ctx: MutationCtx, id: str) -> Any:
        file = ctx.storage.get(id)
        if file is None:
            return None
        return [file.read().decode(), file.size, file.content_type, [len(piece) for piece in file]]

    @mutation
    def metrics(ctx: MutationCtx, id: str) -> Any:
        ctx.storage.store(b"12345")
        file = ctx.storage.get(id)
        assert file is not None
        file.read()
        metrics = ctx.meta.get_transaction_metrics()
        names = ("files_read", "file_read_bytes", "files_written", "file_write_bytes")
        return {name: getattr(metrics, name) for name in names}

    @mutation
    def open_a_file(ctx: MutationCtx) -> None:
        ctx.storage.store(b"x")
        open("/etc/hosts")

    @mutation
    def store_and_die(ctx: MutationCtx) -> None:
        ctx.storage.store(b"lost")
        os.kill(os.getpid(), signal.SIGKILL)

    @mutation
    def later(ctx: MutationCtx) -> str:
        return ctx.scheduler.run_after(0, store, texts=["later"])

    @query
    def files(ctx: QueryCtx) -> list[Any]:
        return [[row["_id"], row["size"]] for row in ctx.db.system.query("_storage").collect()]

    @query
    def runs(ctx: QueryCtx) -> int:
        return len(ctx.db.query(Run).collect())
"""


def tell(root: Path, story: Any, **others: Any) -> None:
    play(root, story, data=root / "data.sqlite3", keeps_house=False, schema="", m=MODULE, **others)


def blob_states(reads: Reads) -> list[str]:
    page = reads.page(BLOBS.by_creation_time, b"", None, descending=False, limit=1_000)
    documents: list[Any] = [decode_stored(text) for _, text in page]
    return sorted(document["state"] for document in documents)


def bytes_kept(root: Path) -> list[bytes]:
    folder = root / "data.sqlite3-files"
    return sorted(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def swept(stage: Stage) -> None:
    while await stage.deployment.files.sweep():
        pass


def test_files_are_stored_with_the_mutation(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for count in (1, 5, 2, 0):
            ids = await stage.mutate("m:store", texts=["x" * n for n in range(count)])
            assert [await stage.mutate("m:read", id=id) for id in ids] == [
                ["x" * n, n, "text/plain", [n] if n else []] for n in range(count)
            ]
        assert await stage.query("m:runs") == 4, "run again is still run once"
        assert len(await stage.query("m:files")) == 8
        await swept(stage)
        assert set(await stage.deployment.read(blob_states)) == {"stored"}
        assert bytes_kept(tmp_path) == sorted(b"x" * n for n in (0, 0, 0, 1, 1, 2, 3, 4))

    tell(tmp_path, story)


def test_one_that_is_sent_again_stores_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        outcomes = [await stage.outcome("m:store", replay=ReplayKey("s", 0), texts=["a"]) for _ in range(2)]
        assert outcomes[0] == outcomes[1]
        assert len(await stage.query("m:files")) == 1
        await swept(stage)
        assert bytes_kept(tmp_path) == [b"a"]

    tell(tmp_path, story)


def test_only_the_run_that_counts_is_in_the_log(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:store", texts=["a"])
        records = [record for record in stage.deployment.call_log.records if record.path == "m:store"]
        assert [record.error for record in records] == [None]
        assert [str(line) for line in records[0].log_lines] == ["[LOG] 'storing'"]

    tell(tmp_path, story)


def test_a_mutation_that_fails_leaves_no_file_and_no_bytes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed, match="no"):
            await stage.mutate("m:store_and_fail")
        assert await stage.query("m:files") == []
        await swept(stage)
        assert await stage.deployment.read(blob_states) == []
        assert bytes_kept(tmp_path) == []

    tell(tmp_path, story)


def test_a_part_that_fails_and_a_file_that_is_deleted_again_leave_none_either(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        kept, content, is_gone = await stage.mutate("m:store_in_parts")
        assert (content, is_gone) == (b"kept", True)
        assert [id for id, _ in await stage.query("m:files")] == [kept]
        await swept(stage)
        assert bytes_kept(tmp_path) == [b"kept"]

    tell(tmp_path, story)


def test_no_author_can_hold_up_that_it_runs_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        id = await stage.mutate("m:swallow")
        assert [id] == [found for found, _ in await stage.query("m:files")]

    tell(tmp_path, story)


def test_a_digest_must_be_that_of_the_bytes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert await stage.mutate("m:with_digest", digest=right)
        with pytest.raises(CallFailed, match="Sha256 mismatch"):
            await stage.mutate("m:with_digest", digest=right.replace("b", "c"))
        with pytest.raises(CallFailed, match="Not a SHA-256 digest"):
            await stage.mutate("m:with_digest", digest="x")

    tell(tmp_path, story)


def test_the_author_still_reaches_no_file(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.mutate("m:from_pieces", reaches_out=False)
        for path, args in (("m:open_a_file", {}), ("m:from_pieces", {"reaches_out": True})):
            with pytest.raises(CallFailed, match="Opening files"):
                await stage.mutate(path, **args)

    tell(tmp_path, story)


def test_5_9_files_are_counted(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        (id,) = await stage.mutate("m:store", texts=["abc"])
        assert await stage.mutate("m:metrics", id=id) == {
            "files_read": {"used": 1, "remaining": 999},
            "file_read_bytes": {"used": 3, "remaining": 64 * 1024 * 1024 - 3},
            "files_written": {"used": 1, "remaining": 99},
            "file_write_bytes": {"used": 5, "remaining": 16 * 1024 * 1024 - 5},
        }

    tell(tmp_path, story)


def test_5_8_files_of_one_mutation_have_limits(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        (id,) = await stage.mutate("m:store", texts=["a"])
        with pytest.raises(CallFailed, match=r"Too many files stored .* \(limit: 2\)"):
            await stage.mutate("m:store", texts=["a", "b", "c"])
        with pytest.raises(CallFailed, match=r"Too many bytes of files stored .* \(limit: 1024 bytes\)"):
            await stage.mutate("m:store", texts=["a" * 1_025])
        with pytest.raises(CallFailed, match=r"Too many files read .* \(limit: 1\)"):
            await stage.mutate("m:read", id=id)
        await swept(stage)
        assert bytes_kept(tmp_path) == [b"a"]

    limits = Limits(files_written_max=2, file_bytes_written_max=1_024, files_read_max=1)
    tell(tmp_path, story, limits=limits)


def test_a_scheduled_mutation_stores_too(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:later")
        while not await stage.query("m:files"):
            await asyncio.sleep(0)
        assert await stage.query("m:runs") == 1

    play(tmp_path, story, data=tmp_path / "data.sqlite3", schema="", m=MODULE)


def test_bytes_of_a_writer_that_dies_before_the_commit_are_swept(place: str, tmp_path: Path) -> None:
    if place == "threads":
        pytest.skip("a process has to die")

    async def story(stage: Stage) -> None:
        with pytest.raises((CallFailed, Unavailable)):
            await stage.mutate("m:store_and_die")
        assert await stage.query("m:files") == []
        await swept(stage)
        assert await stage.deployment.read(blob_states) == []
        assert bytes_kept(tmp_path) == []
        assert await stage.mutate("m:store", texts=["a"])

    tell(tmp_path, story)


def test_bytes_of_a_server_that_dies_before_the_commit_are_swept_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_is_left(self: Mutations, keys: list[str]) -> None:
        return None

    async def first(stage: Stage) -> None:
        monkeypatch.setattr(Mutations, "_give_up", nobody_is_left)
        with pytest.raises(CallFailed, match="no"):
            await stage.mutate("m:store_and_fail")
        monkeypatch.undo()
        assert bytes_kept(tmp_path) == [b"lost"]
        assert await stage.deployment.read(blob_states) == ["incoming"]

    async def second(stage: Stage) -> None:
        await swept(stage)
        assert await stage.deployment.read(blob_states) == []
        assert bytes_kept(tmp_path) == []

    tell(tmp_path, first)
    tell(tmp_path, second)


class Runs:
    """A runner that wants so many keys for each path."""

    def __init__(self, **wanted: int) -> None:
        self.wanted = wanted
        self.calls: list[tuple[str, int]] = []
        self.system: list[str] = []

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        path = job.call.path
        self.calls.append((path, len(job.keys)))
        if len(job.keys) < self.wanted[path]:
            raise BlobKeysWanted(count=len(job.keys) + 1)
        return MutationOutcome(Success("null"), 1)

    async def run_system(self, path: str, args: str) -> Success | Failure:
        self.system.append(path.partition(":")[2])
        if path.endswith("reserve"):
            return Success(json.dumps([f"k{n}" for n in range(int(json.loads(args)["count"]))]))
        return Success(f"{max(0, len(json.loads(args)['keys']) - 5)}.0")


@pytest.mark.threads_only("no functions run")
def test_keys_are_doubled_and_remembered() -> None:
    async def story() -> None:
        runs = Runs(five=5, none=0)
        mutations = Mutations(runs, runs.run_system, limits=DEFAULT_LIMITS)

        def job(path: str) -> MutationJob:
            return MutationJob(FunctionCall(path, "{}"), ANONYMOUS, Visibility.PUBLIC, Invocation("i"), "r")

        await mutations.run(job("none"))
        assert (runs.calls, runs.system) == ([("none", 0)], [])
        await mutations.run(job("five"))
        assert [count for _, count in runs.calls[1:]] == [0, 1, 4, 10]
        assert runs.system == ["reserve", "reserve", "reserve", "give_up"]
        await mutations.run(job("five"))
        assert runs.calls[-1] == ("five", 5), "as many as it used last time"
        assert len(runs.calls) == 6

    asyncio.run(story())

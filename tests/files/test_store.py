"""The files of a deployment: in, out, away; in a directory and in a bucket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake import ActionCtx, BlockingActionCtx, MutationCtx, QueryCtx, action, mutation, query
from rewake.auth import StorageTokenExpired, StorageTokenInvalid, UploadGrant
from rewake.blobs import BlobMissing, BlobStoreFailed, ContentDiffers, InvalidDigest, open_blobs
from rewake.database.catalog import BLOBS
from rewake.errors import FunctionFailed
from rewake.files import BadContentType, FileContentDamaged, Files, FileTooLarge, UploadTooSlow
from rewake.limits import Limits
from rewake.testing import Backend
from rewake.values import decode_stored
from tests.blobs.bucket_server import bucket_server

HELLO = b"hello, files"
SHA256 = base64.b64encode(hashlib.sha256(HELLO).digest()).decode()


@query
def url(ctx: QueryCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)


@query
def documents(ctx: QueryCtx) -> list[dict[str, Any]]:
    return ctx.db.system.query("_storage").collect()


@mutation
def upload_url(ctx: MutationCtx, max_bytes: int | None = None) -> str:
    return ctx.storage.generate_upload_url(max_bytes=max_bytes)


@mutation
def remove(ctx: MutationCtx, id: str) -> None:
    ctx.storage.delete(id)


@mutation
def remove_and_fail(ctx: MutationCtx, id: str) -> None:
    ctx.storage.delete(id)
    raise ValueError("no")


@action
async def copy(ctx: ActionCtx, id: str) -> str:
    file = await ctx.storage.get(id)
    assert file is not None
    return await ctx.storage.store(file, content_type=file.content_type, sha256=file.sha256)


@action
def copy_blocking(ctx: BlockingActionCtx, id: str) -> str:
    file = ctx.storage.get(id)
    assert file is not None
    assert file.read() == b"".join(file)
    return ctx.storage.store(file, content_type=file.content_type)


FUNCTIONS = (url, documents, upload_url, remove, remove_and_fail, copy, copy_blocking)


@pytest.fixture(scope="module")
def bucket_url() -> Iterator[str]:
    with bucket_server() as place:
        yield place


@pytest.fixture(params=["directory", "bucket"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    limits = Limits(upload_seconds_max=1.0)
    with Backend.from_functions(*FUNCTIONS, limits=limits) as backend:
        if request.param == "bucket":
            place = f"{request.getfixturevalue('bucket_url')}/{tmp_path.name}"
            backend.deployment._database.files = place
        yield backend


def files_of(backend: Backend) -> Files:
    return backend.deployment.files


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def token_of(backend: Backend, max_bytes: int | None = None) -> str:
    return backend.mutation(upload_url, max_bytes=max_bytes).partition("token=")[2]


def receive(backend: Backend, *pieces: bytes, token: str | None = None, **given: Any) -> str:
    arguments = {"content_type": None, "digest": None, **given}
    token = token_of(backend) if token is None else token
    return backend.loop.run(files_of(backend).receive(pieces_of(*pieces), token=token, **arguments))


def blob_states(backend: Backend) -> list[str]:
    with backend.run() as ctx:
        return [blob["state"] for blob in ctx.db.system.query("_blobs")]


# In.


def test_an_upload_becomes_a_file_with_its_document(backend: Backend) -> None:
    id = receive(backend, HELLO[:5], HELLO[5:], content_type="text/plain", digest=f"sha-256={SHA256}")
    (document,) = backend.query(documents)
    assert document["_id"] == id
    assert {name: document[name] for name in ("sha256", "size", "contentType")} == {
        "sha256": SHA256,
        "size": float(len(HELLO)),
        "contentType": "text/plain",
    }
    assert backend.read_file(id) == HELLO


def test_one_without_a_type_has_none_and_an_empty_one_is_a_file(backend: Backend) -> None:
    id = receive(backend)
    (document,) = backend.query(documents)
    assert "contentType" not in document
    assert backend.read_file(id) == b""


def test_a_url_is_good_for_many_files_until_it_expires(backend: Backend) -> None:
    token = token_of(backend)
    assert receive(backend, b"1", token=token) != receive(backend, b"1", token=token)
    backend.clock.advance(3601)
    with pytest.raises(StorageTokenExpired):
        receive(backend, b"1", token=token)


def test_what_is_no_token_of_ours_is_refused_and_nothing_is_begun(backend: Backend) -> None:
    with pytest.raises(StorageTokenInvalid):
        receive(backend, b"1", token="forged")
    with pytest.raises(InvalidDigest):
        receive(backend, b"1", digest="sha-256=!!")
    with pytest.raises(BadContentType):
        receive(backend, b"1", content_type="text/plain\r\nx: y")
    assert blob_states(backend) == []


def test_other_bytes_than_the_digest_says_leave_nothing(backend: Backend) -> None:
    with pytest.raises(ContentDiffers):
        receive(backend, b"other", digest=f"sha-256={SHA256}")
    assert backend.query(documents) == []
    assert blob_states(backend) == ["doomed"]
    assert backend.loop.run(files_of(backend).sweep()) == 1
    assert blob_states(backend) == []


def test_a_url_may_bound_the_size_announced_or_not(backend: Backend) -> None:
    token = token_of(backend, max_bytes=4)
    assert receive(backend, b"1234", token=token)
    with pytest.raises(FileTooLarge) as refused:
        receive(backend, b"123", b"45", token=token)
    assert refused.value.message.startswith("The file is larger than the 4 bytes")
    before = blob_states(backend)
    with pytest.raises(FileTooLarge):
        receive(backend, b"12345", token=token, announced=5)
    assert blob_states(backend) == before


def test_a_sender_who_does_not_go_on_is_given_up(backend: Backend) -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    token = token_of(backend)
    with pytest.raises(UploadTooSlow):
        backend.loop.run(files_of(backend).receive(stalls(), token=token, content_type=None, digest=None))
    assert blob_states(backend) == ["doomed"]


def test_a_sender_who_goes_away_leaves_nothing(backend: Backend) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"first"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        backend.loop.run(
            files_of(backend).receive(breaks(), token=token_of(backend), content_type=None, digest=None)
        )
    assert backend.query(documents) == []
    assert blob_states(backend) == ["doomed"]


# Out.


def test_the_url_names_the_file_by_a_name_of_its_own(backend: Backend) -> None:
    id = backend.store(HELLO)
    address = backend.query(url, id=id)
    assert address is not None
    name = address.removeprefix("http://127.0.0.1:3210/api/storage/")
    found = backend.loop.run(files_of(backend).find(name))
    assert found is not None
    assert found.id == id
    assert name != id


def test_queries_wake_when_the_file_goes_and_when_the_origin_changes(backend: Backend) -> None:
    id = backend.store(HELLO)
    live = backend.watch(url, id=id)
    before = live.value
    assert before is not None
    backend.loop.run(backend.deployment.variables.announce(cloud_url="https://chat.example", site_url=""))
    backend._stage.settle()
    assert live.value == before.replace("http://127.0.0.1:3210", "https://chat.example")
    backend.mutation(remove, id=id)
    assert live.value is None


def test_a_file_whose_bytes_are_missing_or_damaged_says_so(backend: Backend) -> None:
    id = backend.store(HELLO)
    file = backend.loop.run(files_of(backend).find_id(id))
    assert file is not None
    blobs = backend.deployment._database.blobs
    blobs.delete(file.key)
    with pytest.raises(BlobMissing, match="missing from the file store"):
        backend.read_file(id)
    for wrong, detail in ((b"short", "5 bytes instead of 12"), (HELLO.upper(), "its digest is another")):
        blobs.delete(file.key)
        writer = blobs.create(file.key)
        writer.write(wrong)
        writer.finish()
        with pytest.raises(FileContentDamaged, match=detail):
            backend.read_file(id)


# In functions.


@pytest.mark.parametrize("function", [copy, copy_blocking])
def test_actions_read_and_store_bytes(backend: Backend, function: Any) -> None:
    data = HELLO * 200_000
    id = backend.store(data, content_type="text/plain")
    copied = backend.action(function, id=id)
    assert copied != id
    assert backend.read_file(copied) == data
    assert {document["contentType"] for document in backend.query(documents)} == {"text/plain"}


def test_deleting_is_transactional_and_bytes_go_after_the_commit(backend: Backend) -> None:
    id = backend.store(HELLO)
    with pytest.raises(FunctionFailed, match="no"):
        backend.mutation(remove_and_fail, id=id)
    assert backend.loop.run(files_of(backend).sweep()) == 0
    assert backend.read_file(id) == HELLO
    file = backend.loop.run(files_of(backend).find_id(id))
    assert file is not None
    backend.mutation(remove, id=id)
    assert backend.loop.run(files_of(backend).find(file.key)) is None
    assert backend.loop.run(files_of(backend).sweep()) == 1
    with pytest.raises(BlobMissing):
        backend.deployment._database.blobs.size(file.key)
    with pytest.raises(FunctionFailed, match=f"storage id {id} not found"):
        backend.mutation(remove, id=id)


# Away.


def _blobs(reads: Any) -> list[dict[str, Any]]:
    page = reads.page(BLOBS.by_creation_time, b"", None, descending=False, limit=10)
    return [decode_stored(text) for _, text in page]


def test_what_was_begun_long_ago_is_given_up_and_can_not_become_a_file(backend: Backend) -> None:
    files, database = files_of(backend), backend.deployment._database
    known: list[str] = []
    began, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        began.set()
        await goes_on.wait()

    async def story() -> None:
        taking = asyncio.create_task(files.take(slow(), content_type=None))
        await began.wait()
        assert await files.sweep() == 0
        known.extend(await backend.deployment.read(lambda reads: [blob["key"] for blob in _blobs(reads)]))
        backend.clock.advance(6 * 3600)
        assert await files.sweep() == 1
        goes_on.set()
        with pytest.raises((UploadTooSlow, BlobStoreFailed)):
            await taking

    backend.loop.run(story())
    assert backend.query(documents) == []
    assert blob_states(backend) == []
    assert len(known) == 1
    with pytest.raises(BlobMissing):
        database.blobs.size(known[0])


def test_a_grant_of_another_deployment_is_none_here(backend: Backend) -> None:
    with Backend.from_functions(upload_url, seed=9) as other:
        foreign = other.deployment.files.uploads.seal(UploadGrant(2**50, 0, b"12345678"))
    with pytest.raises(StorageTokenInvalid):
        receive(backend, b"1", token=foreign)


def test_places_are_opened_when_first_wanted(tmp_path: Path) -> None:
    with Backend.from_functions(*FUNCTIONS, data=tmp_path / "data.sqlite3") as backend:
        place = tmp_path / "data.sqlite3-files"
        assert not place.exists()
        id = backend.store(HELLO)
        file = backend.loop.run(files_of(backend).find_id(id))
        assert file is not None
        assert b"".join(open_blobs(str(place)).read(file.key, stop=12)) == HELLO

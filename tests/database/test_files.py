"""Files as documents: states of their bytes, and what moves them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rewake.database import (
    FileNotFound,
    InvalidStorageId,
    ReadTransaction,
    UploadLost,
    WriteTransaction,
    begin_blob,
    commit_file,
    delete_file,
    doom_blob,
    doom_stale,
    doomed_blobs,
    file_document,
    file_of_id,
    file_of_key,
    file_url,
    forget_blob,
    has_stale_blobs,
    origin,
    set_origin,
)
from rewake.testing import Backend

KEY, OTHER = "key-1", "key-2"


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions() as backend:
        yield backend


@contextmanager
def writing(backend: Backend) -> Iterator[WriteTransaction]:
    with backend.run() as ctx:
        transaction = ctx._host.enter().transaction
        assert isinstance(transaction, WriteTransaction)
        yield transaction


def stored(backend: Backend, key: str = KEY) -> str:
    with writing(backend) as transaction:
        begin_blob(transaction, key)
    with writing(backend) as transaction:
        return commit_file(transaction, key, sha256="c2hh", size=5, content_type="text/plain")


def test_a_file_is_found_by_its_id_and_by_its_name(backend: Backend) -> None:
    id = stored(backend)
    with writing(backend) as transaction:
        reads = transaction.reads
        found = file_of_key(reads, KEY)
        assert found is not None
        assert found == file_of_id(reads, id)
        assert (found.id, found.key, found.sha256, found.size) == (id, KEY, "c2hh", 5)
        assert found.content_type == "text/plain"
        assert file_of_key(reads, OTHER) is None
        assert file_url(transaction, id) == f"http://127.0.0.1:3210/api/storage/{KEY}"


def test_bytes_on_their_way_are_no_file_yet(backend: Backend) -> None:
    with writing(backend) as transaction:
        begin_blob(transaction, KEY)
        assert file_of_key(transaction.reads, KEY) is None
        assert doomed_blobs(transaction.reads, limit=10) == []


def test_deleting_dooms_the_bytes_and_forgetting_ends_it(backend: Backend) -> None:
    id, other = stored(backend), stored(backend, OTHER)
    with writing(backend) as transaction:
        delete_file(transaction, id)
        assert file_document(transaction, id) is None
        assert file_url(transaction, id) is None
        assert file_of_key(transaction.reads, KEY) is None
        with pytest.raises(FileNotFound, match=f"storage id {id} not found"):
            delete_file(transaction, id)
    with writing(backend) as transaction:
        assert doomed_blobs(transaction.reads, limit=10) == [KEY]
        forget_blob(transaction, KEY)
        forget_blob(transaction, KEY)
        forget_blob(transaction, OTHER)
    with writing(backend) as transaction:
        assert doomed_blobs(transaction.reads, limit=10) == []
        assert file_document(transaction, other) is not None


def test_what_was_given_up_can_not_become_a_file(backend: Backend) -> None:
    with writing(backend) as transaction:
        begin_blob(transaction, KEY)
        doom_blob(transaction, KEY)
        for key in (KEY, "never-begun"):
            with pytest.raises(UploadLost):
                commit_file(transaction, key, sha256="c2hh", size=5, content_type=None)


def test_a_file_is_not_given_up_by_a_late_word(backend: Backend) -> None:
    id = stored(backend)
    with writing(backend) as transaction:
        doom_blob(transaction, KEY)
        with pytest.raises(UploadLost):
            commit_file(transaction, KEY, sha256="c2hh", size=5, content_type=None)
        assert file_document(transaction, id) is not None


def test_only_what_began_before_and_never_ended_is_stale(backend: Backend) -> None:
    stored(backend)
    with writing(backend) as transaction:
        begin_blob(transaction, OTHER)
        began_ms = transaction.now_ms
    backend.clock.advance(10)
    with writing(backend) as transaction:
        begin_blob(transaction, "key-3")
        assert not has_stale_blobs(transaction.reads, before_ms=began_ms)
        assert doom_stale(transaction, before_ms=began_ms, limit=10) == 0
        assert has_stale_blobs(transaction.reads, before_ms=began_ms + 1)
        assert doom_stale(transaction, before_ms=began_ms + 1, limit=10) == 1
        assert doomed_blobs(transaction.reads, limit=10) == [OTHER]


def test_an_id_may_be_of_a_subclass_of_str(backend: Backend) -> None:
    class FileId(str):
        pass

    id = FileId(stored(backend))
    with writing(backend) as transaction:
        assert file_url(transaction, id) is not None
        delete_file(transaction, id)
    with writing(backend) as transaction:
        assert file_document(transaction, id) is None


@pytest.mark.parametrize("id", ["", "nonsense", None, 7])
def test_an_id_of_something_else_is_an_error(backend: Backend, id: str) -> None:
    with writing(backend) as transaction:
        note = transaction.insert("notes", {})
        for wrong in (id, note):
            with pytest.raises(InvalidStorageId):
                file_document(transaction, wrong)
            with pytest.raises(InvalidStorageId):
                delete_file(transaction, wrong)


def test_a_url_depends_on_the_file_and_on_the_origin_alone(backend: Backend) -> None:
    id = stored(backend)

    def touched(work: object) -> bool:
        with writing(backend) as transaction:
            read_set = read_set_of(transaction, id)
        position = backend.deployment.last_ts
        work()  # type: ignore[operator]
        rows = backend.deployment._database.log_rows(after=position)
        return any(read_set.touched_by(row) for row in rows)

    def read_set_of(transaction: ReadTransaction, id: str):  # type: ignore[no-untyped-def]
        file_url(transaction, id)
        return transaction.read_set

    def move() -> None:
        with writing(backend) as transaction:
            set_origin(transaction, "https://a.b")
            assert origin(transaction) == "https://a.b"

    def remove() -> None:
        with writing(backend) as transaction:
            delete_file(transaction, id)

    assert not touched(lambda: stored(backend, OTHER))
    assert touched(move)
    assert not touched(move)
    assert touched(remove)

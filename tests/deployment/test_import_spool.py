"""Uploads in parts, beside the data file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.deployment.import_spool import ImportSpool, ImportTooLarge, UploadNotFound, UploadPartInvalid
from rewake.environment import ManualClock, seeded_environment
from rewake.limits import DEFAULT_LIMITS, IMPORT_PARTS_MAX

pytestmark = pytest.mark.threads_only("no deployment")


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def spool(tmp_path: Path, clock: ManualClock) -> ImportSpool:
    limits = replace(DEFAULT_LIMITS, import_upload_bytes_max=1024)
    return ImportSpool(tmp_path / "spool", environment=seeded_environment(5, clock=clock), limits=limits)


def _take(spool: ImportSpool, token: str, number: int, *pieces: bytes) -> str:
    return asyncio.run(spool.take_part(token, number, _pieces(*pieces)))


def test_parts_are_put_together_in_the_order_of_their_tokens(spool: ImportSpool) -> None:
    token = spool.begin()
    second = _take(spool, token, 2, b"c", b"d")
    first = _take(spool, token, 1, b"lost")
    first = _take(spool, token, 1, b"ab")
    for wrong in ([first], [first, first], [first, second, second], ["x", second]):
        with pytest.raises(UploadPartInvalid):
            spool.join(token, wrong)
    path = spool.join(token, [first, second])
    assert path.read_bytes() == b"abcd"
    assert [each.name for each in path.parent.iterdir()] == ["file"]
    with pytest.raises(UploadNotFound):
        spool.join(token, [first, second])
    spool.remove(path)
    assert not path.parent.exists()


def test_what_is_too_large_leaves_nothing(spool: ImportSpool, tmp_path: Path) -> None:
    token = spool.begin()
    _take(spool, token, 1, bytes(1000))
    with pytest.raises(ImportTooLarge, match="at most 1024 bytes"):
        _take(spool, token, 2, bytes(25))
    _take(spool, token, 1, bytes(1024))
    assert [each.name for each in (tmp_path / "spool" / token).iterdir()] == ["1"]


def test_numbers_and_tokens_are_checked(spool: ImportSpool) -> None:
    token = spool.begin()
    for number in (0, -1, IMPORT_PARTS_MAX + 1):
        with pytest.raises(UploadPartInvalid, match="have the numbers 1 to"):
            _take(spool, token, number, b"")
    for wrong in ("", "../" + token, "x"):
        with pytest.raises(UploadNotFound):
            _take(spool, wrong, 1, b"")


def test_abandoned_uploads_are_swept(spool: ImportSpool, clock: ManualClock, tmp_path: Path) -> None:
    old = spool.begin()
    clock.advance(DEFAULT_LIMITS.import_wait_seconds)
    fresh = spool.begin()
    spool.sweep()
    assert len(spool) == 2
    clock.advance(1)
    spool.sweep()
    assert [each.name for each in (tmp_path / "spool").iterdir()] == [fresh]
    assert len(spool) == 1
    with pytest.raises(UploadNotFound):
        _take(spool, old, 1, b"")
    spool.clear()
    assert not (tmp_path / "spool").exists()


def test_an_upload_is_given_up_by_its_token_also_while_a_part_comes_in(
    spool: ImportSpool, tmp_path: Path
) -> None:
    token = spool.begin()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun"
        assert spool.drop(token)
        yield b"too late"

    with pytest.raises(UploadNotFound):
        asyncio.run(spool.take_part(token, 1, pieces()))
    assert not spool.drop(token)
    assert list((tmp_path / "spool").iterdir()) == []

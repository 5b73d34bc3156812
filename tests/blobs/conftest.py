"""Every blob store in turn: a directory, and a bucket of a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.blobs import BlobStore, open_blobs
from tests.blobs.bucket_server import bucket_server


@pytest.fixture(scope="session")
def bucket_url() -> Iterator[str]:
    """A place in a bucket; the variables that lead there are set while it lasts."""
    with bucket_server() as place:
        yield place


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "directory":
        return str(tmp_path / "files")
    url: str = request.getfixturevalue("bucket_url")
    return f"{url}/{tmp_path.name}"


@pytest.fixture
def store(place: str) -> BlobStore:
    return open_blobs(place)

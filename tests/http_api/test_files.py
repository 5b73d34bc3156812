"""Uploading and fetching files over HTTP, from a real deployment."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rewake import MutationCtx, mutation
from rewake.http_api import build_app
from rewake.testing import Backend

HELLO = b"hello, files"
SHA256 = base64.b64encode(hashlib.sha256(HELLO).digest()).decode()


@mutation
def upload_url(ctx: MutationCtx, max_bytes: int | None = None) -> str:
    return ctx.storage.generate_upload_url(max_bytes=max_bytes)


@mutation
def url(ctx: MutationCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(upload_url, url) as backend:
        yield backend


def ask(backend: Backend, method: str, address: str, **given: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(backend.deployment))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, address, **given)

    return backend.loop.run(send())


def post(backend: Backend, content: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(backend, "POST", backend.mutation(upload_url), content=content, headers=named)


def stored(backend: Backend, content: bytes = HELLO, content_type: str = "text/plain") -> str:
    """The address of a file."""
    id = post(backend, content, content_type=content_type).json()["storageId"]
    address = backend.mutation(url, id=id)
    assert address is not None
    return address


def test_an_upload_and_its_download(backend: Backend) -> None:
    answer = post(backend, HELLO, content_type="text/plain", digest=f"sha-256={SHA256}", origin="https://a.b")
    assert answer.status_code == 200
    assert list(answer.json()) == ["storageId"]
    assert answer.headers["access-control-allow-origin"] == "https://a.b"
    address = backend.mutation(url, id=answer.json()["storageId"])
    assert address is not None
    found = ask(backend, "GET", address)
    assert (found.status_code, found.content) == (200, HELLO)
    assert found.headers["digest"] == f"sha-256={SHA256}"
    assert found.headers["content-type"] == "text/plain"
    assert found.headers["cache-control"] == "private, max-age=2592000"


def test_parts_heads_and_what_the_caller_has(backend: Backend) -> None:
    address = stored(backend)
    part = ask(backend, "GET", address, headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"hello", "bytes 0-4/12")
    assert ask(backend, "GET", address, headers={"Range": "bytes=90-"}).status_code == 416
    head = ask(backend, "HEAD", address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "12")
    same = ask(backend, "GET", address, headers={"If-None-Match": head.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_a_page_is_not_one_of_ours(backend: Backend) -> None:
    found = ask(backend, "GET", stored(backend, b"<script>alert(1)</script>", "text/html"))
    assert found.headers["content-type"] == "text/html"
    assert "sandbox" in found.headers["content-security-policy"]
    assert found.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize("query", ["", "?token=", "?token=forged", "?token=%00"])
def test_without_a_token_of_ours_nothing_is_taken(backend: Backend, query: str) -> None:
    answer = ask(backend, "POST", f"http://x/api/storage/upload{query}", content=HELLO)
    assert answer.status_code == 401
    assert answer.json() == {"code": "StorageTokenInvalid", "message": "InvalidStorageToken"}


def test_a_token_is_good_for_an_hour(backend: Backend) -> None:
    address = backend.mutation(upload_url)
    backend.clock.advance(3601)
    answer = ask(backend, "POST", address, content=HELLO)
    assert (answer.status_code, answer.json()["code"]) == (401, "StorageTokenExpired")


def test_damage_on_the_way_is_said_so(backend: Backend) -> None:
    answer = post(backend, b"other", digest=f"sha-256={SHA256}")
    actual = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "Sha256Mismatch",
        "message": f"Sha256 mismatch. Expected: {SHA256} Actual: {actual}",
    }


def test_too_large_a_file_for_its_url(backend: Backend) -> None:
    address = backend.mutation(upload_url, max_bytes=4)
    answer = ask(backend, "POST", address, content=HELLO)
    assert (answer.status_code, answer.json()["code"]) == (413, "FileTooLarge")


def test_an_address_that_is_none_and_one_of_no_file(backend: Backend) -> None:
    wrong = ask(backend, "GET", "http://x/api/storage/kg2abc")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "InvalidStoragePath")
    assert "kg2abc" in wrong.json()["message"]
    assert "storage.getUrl" in wrong.json()["message"]
    gone = ask(backend, "GET", "http://x/api/storage/112955f7-d4e3-49e2-8c7a-a84b97c0ae23")
    assert gone.status_code == 404


def test_a_file_of_a_component_is_not_here(backend: Backend) -> None:
    assert ask(backend, "GET", f"{stored(backend)}?component=x").status_code == 404

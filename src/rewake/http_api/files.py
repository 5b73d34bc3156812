"""Uploading and fetching files.

Floor 6, `http_api`. Carries requests to `files` and its answers back; nothing of a file is kept here.

    POST /api/storage/upload?token=     a file, as the raw body; {"storageId": id}
    GET  /api/storage/{name}            its bytes, a part of them, or "you have it"

Who holds the URL may: there is no other permission, as with the official server.

Source: wire 4.5. Not here: what is answered (`files/answers.py`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rewake.auth import StorageTokenInvalid
from rewake.errors import InvalidInput, NotFound
from rewake.files import Asked, Files, plan_answer
from rewake.http_api.responses import json_response, json_text

_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class InvalidStoragePath(InvalidInput):
    """The address is not that of a file. Take addresses from `ctx.storage.get_url`."""

    code = "InvalidStoragePath"
    template = (
        'Invalid storage path: "{path}". Files have addresses of their own, not their ids; use the one that '
        "`storage.getUrl` (in Python `ctx.storage.get_url`) gives."
    )


class NoSuchFile(NotFound):
    """There is no such file (any more)."""

    code = "FileNotFound"
    template = "File {path} not found."


class FileEndpoints:
    """The endpoints for files of one deployment."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def upload(self, request: Request) -> Response:
        """`POST /api/storage/upload?token=`: answers when the file is durable.

        Raises:
            StorageTokenInvalid: there is no token, or none of ours.
            See `Files.receive` for the rest.
        """
        token = request.query_params.get("token")
        if token is None:
            raise StorageTokenInvalid()
        length = request.headers.get("content-length", "")
        id = await self._files.receive(
            _pieces(request),
            token=token,
            content_type=request.headers.get("content-type") or None,
            digest=request.headers.get("digest"),
            announced=int(length) if length.isascii() and length.isdigit() else None,
        )
        return json_response(f'{{"storageId":{json_text(id)}}}')

    async def fetch(self, request: Request) -> Response:
        """`GET /api/storage/{name}`.

        Raises:
            InvalidStoragePath: it is no name of a file.
            NoSuchFile: it is of none, or was deleted.
            BlobMissing, FileContentDamaged: there is a file, and not its bytes.
        """
        name = request.path_params["name"].lower()
        if not _NAME.fullmatch(name):
            raise InvalidStoragePath(path=name[:200])
        file = None if request.query_params.get("component") else await self._files.find(name)
        if file is None:
            raise NoSuchFile(path=name)
        headers = request.headers
        asked = Asked(headers.get("range"), headers.get("if-range"), headers.get("if-none-match"))
        answer = plan_answer(file, asked)
        if answer.status not in (200, 206) or request.method == "HEAD":
            return _Bare(status_code=answer.status, headers=answer.headers)
        pieces = await self._files.read(file, start=answer.start, stop=answer.stop)
        return StreamingResponse(pieces, answer.status, answer.headers)


class _Bare(Response):
    """Headers alone, with the length that they announce."""

    def init_headers(self, headers: object = None) -> None:
        """Take the headers as they are."""
        assert isinstance(headers, dict)
        self.raw_headers = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece

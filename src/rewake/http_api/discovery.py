"""Health and discovery: is somebody there, who, and how well.

Floor 6, `http_api`. Load balancers ask `/healthz` (the process lives) and `/readyz` (functions can be
called); the official command line and dashboard ask the rest.

Source: wire 4.6. Not here: metrics (a later issue).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from typing import IO

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from rewake.auth import Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import refuse_announced
from rewake.http_api.errors import BodyTooLarge, NotReady
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response, json_text
from rewake.limits import MIB

ECHO_BYTES_MAX = 128 * MIB
"""What the network test of the official command line may send at most."""
_ECHO_MEMORY_BYTES = 4 * MIB
"""An echo up to this size stays in memory; a larger one waits in a temporary file."""
_ECHO_CHUNK_BYTES = 256 * 1024


class Discovery:
    """The endpoints that say what runs here."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def welcome(self, request: Request) -> Response:
        """`GET /`: for people who open the address in a browser."""
        return PlainTextResponse("This Rewake deployment is running.")

    async def version(self, request: Request) -> Response:
        """`GET /version` and `/instance_version`."""
        return PlainTextResponse(self._backend.server_version)

    async def name(self, request: Request) -> Response:
        """`GET /instance_name`: exactly the name, without a newline."""
        return PlainTextResponse(self._backend.deployment_name)

    async def alive(self, request: Request) -> Response:
        """`GET /healthz`: this process answers."""
        return PlainTextResponse("ok")

    async def ready(self, request: Request) -> Response:
        """`GET /readyz`: functions can be called.

        Raises:
            NotReady: not now.
        """
        if not await self._backend.ready():
            raise NotReady()
        return PlainTextResponse("ok")

    async def check_admin_key(self, request: Request) -> Response:
        """`GET /api/check_admin_key`: the dashboard's login, and what the key may do (nothing listed:
        everything).
        """
        grant = (await require_admin(self._backend, request, None)).grant
        scopes = [] if grant.may(Scope.ADMIN) else sorted(grant.scopes)
        is_read_only = not (grant.may(Scope.RUN) or grant.may(Scope.DEPLOY))
        answer = {"success": True, "allowedOps": scopes, "isReadOnly": is_read_only}
        return json_response(json.dumps(answer, separators=(",", ":")))

    async def canonical_urls(self, request: Request) -> Response:
        """`GET /api/v1/get_canonical_urls`: where clients and HTTP actions are reached.

        Where the operator says nothing, clients reach it as this caller did. Where nobody listens for the
        site, it lies under `/http`.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        origin = self._backend.public_url or public_origin(request)
        cloud, site = json_text(origin), json_text(self._backend.site_url or origin + "/http")
        return json_response(f'{{"convexCloudUrl":{cloud},"convexSiteUrl":{site}}}')

    async def debug_event(self, request: Request) -> Response:
        """`POST /api/debug_event`: npm reports long disconnects and reads no answer."""
        return json_response("{}")

    async def echo(self, request: Request) -> Response:
        """`POST /echo`: the body back.

        It is read to its end before the answer starts: a client that writes all before it reads would
        otherwise wait for us while we wait for it.
        """
        refuse_announced(request.scope, bytes_max=ECHO_BYTES_MAX)
        file = tempfile.SpooledTemporaryFile(max_size=_ECHO_MEMORY_BYTES)  # noqa: SIM115  closed by whoever reads it
        try:
            size = await _collect(request, file)
        except BaseException:
            file.close()
            raise
        # No browser may take a stranger's bytes for a page of this origin.
        headers = {"content-length": str(size), "x-content-type-options": "nosniff"}
        return StreamingResponse(_pour(file), headers=headers, media_type="application/octet-stream")


async def _collect(request: Request, file: IO[bytes]) -> int:
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > ECHO_BYTES_MAX:
            raise BodyTooLarge(limit=ECHO_BYTES_MAX)
        if size > _ECHO_MEMORY_BYTES:
            await anyio.to_thread.run_sync(file.write, chunk)
        else:
            file.write(chunk)
        if not message.get("more_body", False):
            file.seek(0)
            return size


async def _pour(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await anyio.to_thread.run_sync(file.read, _ECHO_CHUNK_BYTES):
            yield chunk


def public_origin(request: Request) -> str:
    """The address under which the caller reached us; no slash at its end. What a proxy in front says of the
    scheme is in the scope already, where the proxy is trusted.
    """
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}".rstrip("/")

"""Keys over HTTP, for administrators whose own key has the scope `admin`.

Floor 6, `http_api`.

    GET  /api/keys           {"keys": [{"id", "label", "scopes", "createdMs", ...}]}
    POST /api/keys/create    {"label", "scopes", "expiresMs"?} -> {"id", "key"}: the one time that it is told
    POST /api/keys/revoke    {"id"}

When a revocation is answered, nobody is let in by the key, and sockets that were are closed. These endpoints
are ours; the official server has none.

Not here: what is stored (`database`), how it is judged (`deployment/keys.py`).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import IssuedKey, Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_json
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response
from rewake.limits import Limits


class CreateKeyBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/api/keys/create`."""

    label: str
    scopes: list[str]
    expires_ms: float | None = None


class RevokeKeyBody(msgspec.Struct, frozen=True):
    """The body of `/api/keys/revoke`."""

    id: str


Body = TypeVar("Body")


class KeyEndpoints:
    """The endpoints for keys of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def list(self, request: Request) -> Response:
        """`GET /api/keys`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
        """
        await require_admin(self._backend, request, Scope.ADMIN)
        keys = [_shown(key) for key in self._backend.keys.all()]
        return json_response(msgspec.json.encode({"keys": keys}).decode())

    async def create(self, request: Request) -> Response:
        """`POST /api/keys/create`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            InvalidInput, Conflict: there can be no such key.
        """
        body = await self._body(request, CreateKeyBody)
        fresh = await self._backend.keys.create(
            label=body.label, scopes=body.scopes, expires_ms=body.expires_ms
        )
        response = json_response(msgspec.json.encode({"id": fresh.id, "key": fresh.text}).decode())
        response.headers["cache-control"] = "no-store"
        return response

    async def revoke(self, request: Request) -> Response:
        """`POST /api/keys/revoke`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            KeyNotFound: there is no such key.
        """
        body = await self._body(request, RevokeKeyBody)
        await self._backend.keys.revoke(body.id)
        return json_response("{}")

    async def _body(self, request: Request, kind: type[Body]) -> Body:
        await require_admin(self._backend, request, Scope.ADMIN)
        return await read_json(request.scope, request.receive, kind, self._limits)


def _shown(key: IssuedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "scopes": sorted(key.scopes),
        "createdMs": key.created_ms,
        "expiresMs": key.expires_ms,
        "revokedMs": key.revoked_ms,
        "lastUsedMs": key.last_used_ms,
    }

"""Who calls, and who may.

Floor 6, `http_api`. The backend judges the `Authorization` header; here is only where the header is found and
which endpoints want an administrator.

Source: wire 4.2 and 5.2.
"""

from __future__ import annotations

from starlette.requests import Request

from rewake.auth import Admin, Identity
from rewake.http_api.errors import AdminRequired
from rewake.http_api.ports import Backend


async def identity_of(backend: Backend, request: Request) -> Identity:
    """The caller of `request`; without a header, nobody in particular.

    Raises:
        InvalidInput: the header cannot be read.
        Unauthenticated: the key or token is not valid; nothing has run.
    """
    return await backend.authenticate_header(request.headers.get("authorization"))


async def require_admin(backend: Backend, request: Request) -> Admin:
    """The caller of an administrators' endpoint.

    Their GET endpoints take the key as `?adminKey=` too, for pages that cannot set a header.

    Raises:
        AdminRequired: the caller is not an administrator.
        Unauthenticated: the key is not this deployment's.
    """
    authorization = request.headers.get("authorization")
    if authorization is None and request.method in ("GET", "HEAD"):
        key = request.query_params.get("adminKey")
        authorization = None if key is None else f"Convex {key}"
    identity = await backend.authenticate_header(authorization)
    if not isinstance(identity, Admin):
        raise AdminRequired(name=backend.deployment_name)
    return identity

"""Who calls, and who may.

Floor 6, `http_api`. The backend judges the `Authorization` header; here is only where the header is found and
which endpoints want an administrator.

Source: wire 4.2 and 5.2.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Scope as HttpScope

from rewake.auth import Admin, Identity, Scope, scope_of_call
from rewake.functions import FunctionKind
from rewake.http_api.errors import AdminRequired
from rewake.http_api.headers import header_text
from rewake.http_api.ports import Backend


async def identity_of(backend: Backend, scope: HttpScope) -> Identity:
    """The caller of a request; without a header, nobody in particular.

    Raises:
        InvalidInput: the header cannot be read.
        Unauthenticated: the key or token is not valid; nothing has run.
    """
    return await backend.authenticate_header(header_text(scope, b"authorization"))


def permit_call(identity: Identity, path: str, kind: FunctionKind | None) -> None:
    """Return where a caller may call the function at `path`, as far as keys go.

    Raises:
        OperationNotPermitted: the key that was shown does not reach so far. Nothing has run.
    """
    if isinstance(identity, Admin):
        identity.grant.require(scope_of_call(path, kind))


async def require_admin(backend: Backend, request: Request, scope: Scope | None) -> Admin:
    """The caller of an administrators' endpoint, whose key has `scope`; None: any will do.

    Their GET endpoints take the key as `?adminKey=` too, for pages that cannot set a header.

    Raises:
        AdminRequired: the caller is not an administrator.
        Unauthenticated: the key is not this deployment's.
        OperationNotPermitted: the key is good, and not for this.
    """
    authorization = request.headers.get("authorization")
    if authorization is None and request.method in ("GET", "HEAD"):
        key = request.query_params.get("adminKey")
        authorization = None if key is None else f"Convex {key}"
    identity = await backend.authenticate_header(authorization)
    if not isinstance(identity, Admin):
        raise AdminRequired(name=backend.deployment_name)
    if scope is not None:
        identity.grant.require(scope)
    return identity

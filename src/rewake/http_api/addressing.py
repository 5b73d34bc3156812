"""Which function a request means, and as which client it asks.

Floor 6, `http_api`. Paths, versions and timestamps are parsed as on the websocket (`protocol`); here is
only what is particular to HTTP: where they stand in a request, and the form in which `/api/run` writes a
path.

Source: wire 1.2, 1.5 and 4.1.
"""

from __future__ import annotations

import msgspec
from starlette.types import Scope

from rewake.execution import FunctionCall
from rewake.http_api.bodies import arguments_text
from rewake.http_api.errors import MissingIdentifier
from rewake.http_api.headers import header_text
from rewake.protocol import ClientVersion, InvalidClientVersion, canonical_path, client_version

_CLIENT_LENGTH_MAX = 256
"""Characters of a `Convex-Client` header that are worth parsing."""


def function_call(path: str, args: msgspec.Raw, *, component: str = "") -> FunctionCall:
    """A call as execution takes it, when `path` and `args` have a form that can be one.

    Raises:
        InvalidFunctionPath: `path` names no function.
        BadJsonBody: `args` is an array of none or several.
    """
    canonical_path(path)
    return FunctionCall(path, arguments_text(args), component)


def path_of_url(segments: str) -> str:
    """The function path that `/api/run/{segments}` means: the last segment is the function.

    Raises:
        MissingIdentifier: there are fewer than two.
    """
    module, slash, function = segments.rpartition("/")
    if not slash or not module or not function:
        raise MissingIdentifier(path=f"/api/run/{segments}".rstrip("/"))
    return f"{module}:{function}"


def client_of(scope: Scope) -> ClientVersion:
    """The client that asks, by its `Convex-Client` header.

    Raises:
        InvalidClientVersion: the header cannot be read.
    """
    client = header_text(scope, b"convex-client")
    if client is not None and len(client) > _CLIENT_LENGTH_MAX:
        raise InvalidClientVersion(text=client[:_CLIENT_LENGTH_MAX])
    return client_version(client, None)

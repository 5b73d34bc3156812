"""Exposure: how a server shows itself to the world, apart from what it serves.

Floor 7, `server`. Encryption, proxies that are believed, origins whose pages may call, and the headers that
browsers read as warnings.

    Proxied -> CutResponses -> SecurityHeaders -> the application

HTTP actions answer with their own headers: what a browser may do with an author's page is the author's word.

Not here: CORS itself (`http_api/cors.py`), who counts as a proxy (`protocol/forwarded.py`).
Source: OWASP Secure Headers; RFC 6797.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.errors import InvalidInput
from rewake.http_api import ResponseCut
from rewake.protocol import FORWARDING_HEADERS, LOOPBACK, TrustedProxies

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),
)
_ALWAYS_ENCRYPTED = (b"strict-transport-security", b"max-age=31536000")


class TlsFilesInvalid(InvalidInput):
    """Certificate and key cannot be used. Give both as PEM files that belong together."""

    code = "TlsFilesInvalid"
    template = "The certificate {certificate} with the key {key} cannot be used: {reason}."


class Tls(msgspec.Struct, frozen=True):
    """Where certificate and private key are."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Return where a server can use them.

        Raises:
            TlsFilesInvalid: it cannot.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, _no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = "they are no PEM files that belong together, or are locked with a password"
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
                reason = error.strerror or reason
            raise TlsFilesInvalid(certificate=self.certificate, key=self.key, reason=reason) from None


def _no_password() -> str:
    raise ValueError("the key is locked with a password")


class Exposure(msgspec.Struct, frozen=True):
    """What the operator says of it."""

    tls: Tls | None = None
    proxies: TrustedProxies = msgspec.field(default=LOOPBACK)
    origins: frozenset[str] | None = None
    """Whose pages may call the API; None: anybody's, for callers prove who they are by a header."""

    def around(self, app: ASGIApp, *, is_site: bool = False) -> ASGIApp:
        """`app` as the world sees it; `is_site` where all it answers is an author's."""
        return Proxied(CutResponses(SecurityHeaders(app, self.headers(is_site=is_site))), self.proxies)

    def headers(self, *, is_site: bool = False) -> tuple[tuple[bytes, bytes], ...]:
        """What stands on answers that have not their own of these names."""
        encrypted = [_ALWAYS_ENCRYPTED] if self.tls is not None else []
        return (*encrypted, *(() if is_site else _HEADERS))


class CutResponses:
    """ASGI middleware: a response that is cut is one that nobody finishes.

    uvicorn then closes the connection and says so in one line. Why is in the log already, from the function.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        with suppress(ResponseCut):
            await self._app(scope, receive, send)


class Proxied:
    """ASGI middleware: the client's address and the scheme as trusted proxies tell them."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] in ("http", "websocket"):
            peer = scope.get("client")
            told = self._proxies.caller(
                peer[0] if peer else "",
                str(scope["scheme"]),
                [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in scope["headers"]
                    if name in FORWARDING_HEADERS
                ],
            )
            # Proxies speak of a websocket as of the request that it begins with.
            socket_scheme = {"http": "ws", "https": "wss"}.get(told.scheme, told.scheme)
            scope["scheme"] = told.scheme if scope["type"] == "http" else socket_scheme
            if peer and told.address != peer[0]:
                scope["client"] = (told.address, 0)
        await self._app(scope, receive, send)


class SecurityHeaders:
    """ASGI middleware: headers on every answer that has not its own of that name."""

    def __init__(self, app: ASGIApp, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not self._headers:
            await self._app(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        wanted = self._headers
        if path == "/http" or path.startswith("/http/"):
            wanted = tuple(header for header in wanted if header is _ALWAYS_ENCRYPTED)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                known = {bytes(name).lower() for name, _ in headers}
                headers += [header for header in wanted if header[0] not in known]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_headers)

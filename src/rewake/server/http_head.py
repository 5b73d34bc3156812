"""The request head, bounded: nobody fills our memory with headers.

Floor 7, `server`. uvicorn's parser gathers a head for as long as it comes, before anybody is asked. Here each
connection counts what came while its head is open, and is refused with 431 above the limit. The count goes by
the pieces that the transport hands over, so it is a bound and no measure: it may let a piece too much pass.

Not here: the bound of a body (`http_api`), of a message on a socket (`sync`).
Source: RFC 6585, section 5.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_LARGE = b'{"code":"RequestHeadTooLarge","message":"The headers of the request are too large."}'
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_TOO_LARGE), _TOO_LARGE)
)


def http_protocol_class(*, head_bytes_max: int) -> type[asyncio.Protocol]:
    """A class for uvicorn's `http` option that takes request heads up to about `head_bytes_max` bytes."""

    class BoundHttp(_BoundedHttp):
        """HTTP with this server's bound."""

        head_bytes_max: int

    BoundHttp.head_bytes_max = head_bytes_max
    return BoundHttp


class _BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol for one connection, with a count."""

    head_bytes_max: int
    _is_head_open = True  # Until the parser has seen its end; again from the next request's first byte.
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_head_open:
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.head_bytes_max and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_head_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_head_open = False
        super().on_headers_complete()

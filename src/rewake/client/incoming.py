"""Incoming: what a server says on a socket, parsed and typed.

Floor 2, `client`. The other side of `protocol/server_messages.py`. msgspec parses each message once; values
stay the JSON text that came in, since a slow watcher may never look at most of them.

    Transition                        from one state version to the next, with results of queries
    MutationResponse, ActionResponse  the outcome of a call
    AuthError, FatalError             the server closes after it
    Ping                              it is still there

Unknown fields are ignored; a message of another kind is `ProtocolBroken`. Not here: TransitionChunk, which
only npm clients are sent (wire 1.9), and what to do about any of these (`conversation.py`).
Source: wire 1.4 and 1.6.
"""

from __future__ import annotations

import msgspec

from rewake.protocol import InvalidTimestamp, StateVersion, decode_ts


class ProtocolBroken(Exception):
    """The server said something that this protocol does not have. The socket is given up, not the client."""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """What all parts of messages share: camelCase on the wire."""


class WireVersion(_Part, frozen=True):
    """A state version as it stands in a message."""

    query_set: int
    identity: int
    ts: str

    @property
    def state(self) -> StateVersion:
        """The version with its timestamp as a number."""
        return StateVersion(self.query_set, self.identity, parse_ts(self.ts))


class QueryUpdated(_Part, frozen=True, tag_field="type", tag="QueryUpdated", kw_only=True):
    """A query has a new result."""

    query_id: int
    value: msgspec.Raw
    log_lines: list[str]
    journal: str | None = None


class QueryFailed(_Part, frozen=True, tag_field="type", tag="QueryFailed", kw_only=True):
    """A query failed. `error_data` is there only for an ApplicationError, and may then be `null`."""

    query_id: int
    error_message: str
    log_lines: list[str]
    journal: str | None = None
    error_data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class QueryRemoved(_Part, frozen=True, tag_field="type", tag="QueryRemoved"):
    """The removal of a query is confirmed."""

    query_id: int


Modification = QueryUpdated | QueryFailed | QueryRemoved


class Transition(_Part, frozen=True, tag_field="type", tag="Transition", kw_only=True):
    """All queries of the socket are valid at `end_version`; the modifications say which results changed."""

    start_version: WireVersion
    end_version: WireVersion
    modifications: list[Modification]
    client_clock_skew: float | None = None
    """Milliseconds by which our clock was ahead of the server's when we said Connect."""


class MutationResponse(_Part, frozen=True, tag_field="type", tag="MutationResponse", kw_only=True):
    """A mutation committed at `ts`, or failed with the text in `result`."""

    request_id: int
    success: bool
    result: msgspec.Raw
    log_lines: list[str]
    ts: str | None = None
    error_data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ActionResponse(_Part, frozen=True, tag_field="type", tag="ActionResponse", kw_only=True):
    """An action returned, or failed with the text in `result`."""

    request_id: int
    success: bool
    result: msgspec.Raw
    log_lines: list[str]
    error_data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class AuthError(_Part, frozen=True, tag_field="type", tag="AuthError", kw_only=True):
    """The identity is not accepted, or holds no longer."""

    error: str
    base_version: int = 0
    auth_update_attempted: bool = True


class FatalError(_Part, frozen=True, tag_field="type", tag="FatalError"):
    """The server takes what we sent for a mistake of ours."""

    error: str


class Ping(_Part, frozen=True, tag_field="type", tag="Ping"):
    """Keeps the connection alive."""


ServerMessage = Transition | MutationResponse | ActionResponse | AuthError | FatalError | Ping

_decode = msgspec.json.Decoder(ServerMessage).decode
_decode_text = msgspec.json.Decoder(str).decode


def parse_server_message(text: bytes | str) -> ServerMessage:
    """Parse one message.

    Raises:
        ProtocolBroken: it is not JSON, not text, or not a message that we know.
    """
    try:
        message: ServerMessage = _decode(text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise ProtocolBroken(f"a message that cannot be read: {problem}") from None
    return message


def parse_ts(text: str | None) -> int:
    """A timestamp of a message.

    Raises:
        ProtocolBroken: there is none, or it is none.
    """
    try:
        return decode_ts(text or "")
    except InvalidTimestamp as problem:
        raise ProtocolBroken(problem.message) from None


def parse_text(raw: msgspec.Raw) -> str:
    """The error text of a failed response.

    Raises:
        ProtocolBroken: it is not a string.
    """
    try:
        return _decode_text(raw)
    except msgspec.MsgspecError:
        raise ProtocolBroken("an error without a text") from None


def raw_bytes(raw: msgspec.Raw | msgspec.UnsetType) -> bytes | None:
    """A copy of a value's text, which would keep the whole message alive; None where there is none."""
    return None if isinstance(raw, msgspec.UnsetType) else bytes(raw)

"""Client messages: what arrives on a socket, checked and typed.

Floor 1, `protocol`. msgspec parses each message once into one of six structs. Arguments stay the JSON text
that came in: who runs the function reads them, in whatever process that is.

    Connect            first, once
    ModifyQuerySet     queries added and removed
    Mutation, Action   calls
    Authenticate       who is calling from here on
    Event              telemetry, ignored

Anything else is an `InvalidMessage`. Unknown extra fields are ignored, as clients of tomorrow add some.

Not here: rules about order and versions (`sync/session.py`), server messages (`server_messages.py`).
Source: wire 1.3 and 1.5.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from rewake.errors import InvalidInput
from rewake.protocol.function_path import InvalidFunctionPath, canonical_path
from rewake.protocol.timestamps import InvalidTimestamp, decode_ts
from rewake.values import unicode_advice

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""An unsigned 32-bit number."""

_SAFE = msgspec.Meta(ge=-(2**53), le=2**53)
_Milliseconds = Annotated[int, _SAFE] | Annotated[float, _SAFE]
"""A moment as JavaScript knows it."""


class InvalidMessage(InvalidInput):
    """A websocket message that is not JSON, or not a message of this protocol. A mistake of the client."""

    code = "WSMessageInvalidJson"
    template = "Received Invalid JSON on websocket: {detail}"


class Timestamp(int):
    """A timestamp that stood in a message as base64 text."""


class _Message(msgspec.Struct, frozen=True, rename="camel", tag_field="type"):
    """What all messages share: camelCase on the wire, told apart by `type`."""


class Connect(_Message, frozen=True, tag="Connect"):
    """The first message of every socket."""

    session_id: UUID
    connection_count: _Count
    last_close_reason: str | None = None
    max_observed_timestamp: Timestamp | None = None
    client_ts: _Milliseconds | None = None


class _Call(_Message, frozen=True, kw_only=True):
    """What names a function; a path that cannot be read makes a broken message."""

    udf_path: str
    args: list[msgspec.Raw]
    component_path: str | None = None

    def __post_init__(self) -> None:
        try:
            canonical_path(self.udf_path)
        except InvalidFunctionPath as problem:
            raise ValueError(problem.message) from None

    @property
    def arguments(self) -> str:
        """JSON text of the one arguments object.

        The wire carries an array of exactly one object. Anything else is handed on, since it is the
        function's answer, not the socket's end, that says what was wrong with it; as an array where it might
        otherwise pass for another number of arguments.
        """
        if len(self.args) == 1:
            text = bytes(self.args[0]).decode()
            if text[:1] == "{" or not text.lstrip().startswith("["):
                return text
        return "[" + ",".join(bytes(each).decode() for each in self.args) + "]"


class Add(_Call, frozen=True, tag="Add", kw_only=True):
    """A query to keep answered from now on."""

    query_id: _Count
    journal: str | None = None


class Remove(_Message, frozen=True, tag="Remove"):
    """A query that is no longer wanted."""

    query_id: _Count


class ModifyQuerySet(_Message, frozen=True, tag="ModifyQuerySet"):
    """A step of the query set from one version to a later one."""

    base_version: _Count
    new_version: _Count
    modifications: list[Add | Remove]


class Mutation(_Call, frozen=True, tag="Mutation", kw_only=True):
    """A call that writes. Answered once, in order."""

    request_id: _Count


class Action(_Call, frozen=True, tag="Action", kw_only=True):
    """A call that may take its time. Answered once, in no order."""

    request_id: _Count


class Authenticate(_Message, frozen=True, tag="Authenticate"):
    """A new identity. `value` is a token or a key; `impersonating` is JSON, known by two names."""

    base_version: _Count
    token_type: Literal["User", "Admin", "None"]
    value: str | None = None
    impersonating: dict[str, Any] | None = None
    acting_as: dict[str, Any] | None = msgspec.field(name="acting_as", default=None)

    def __post_init__(self) -> None:
        if self.value is None and self.token_type != "None":
            raise ValueError(f"missing field `value` of a token of type {self.token_type}")

    @property
    def attributes(self) -> dict[str, Any] | None:
        """The attributes of the user to act as; None for nobody."""
        return self.impersonating if self.impersonating is not None else self.acting_as


class Event(_Message, frozen=True, tag="Event"):
    """Telemetry of the client. Never answered, contents not looked at."""


ClientMessage = Connect | ModifyQuerySet | Mutation | Action | Authenticate | Event


def _decode_hook(kind: type, value: Any) -> Any:
    """Read a timestamp's text; msgspec adds the place to the error."""
    assert kind is Timestamp, kind
    if not isinstance(value, str):
        raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
    try:
        return Timestamp(decode_ts(value))
    except InvalidTimestamp as problem:
        raise ValueError(problem.message) from None


_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage, dec_hook=_decode_hook)


def parse_client_message(text: str | bytes) -> ClientMessage:
    """One message of a client.

    Raises:
        InvalidMessage: it is not JSON, of no known type, or lacks or mistypes a field.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as problem:
        raise InvalidMessage(detail=f"{problem}{unicode_advice(text)}") from None
    except RecursionError:
        raise InvalidMessage(detail="the message is nested too deeply") from None

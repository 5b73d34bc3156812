"""Outgoing: the messages that this client sends, as texts.

Floor 2, `client`. The other side of `protocol/client_messages.py`. Arguments arrive as canonical encoded JSON
text and are spliced in as they are.

Not here: when to send what (`conversation.py`, `authentication.py`).
Source: wire 1.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from rewake.protocol import encode_ts

CallKind = Literal["Mutation", "Action"]
"""What is called once and answered once."""


def connect(
    *,
    session_id: str,
    connection_count: int,
    close_reason: str | None,
    max_observed: int | None,
    client_ms: int,
) -> str:
    """The first message of every socket. `max_observed` keeps the server from showing us older data."""
    message: dict[str, Any] = {
        "type": "Connect",
        "sessionId": session_id,
        "connectionCount": connection_count,
        "lastCloseReason": close_reason,
        "clientTs": client_ms,
    }
    if max_observed is not None:
        message["maxObservedTimestamp"] = encode_ts(max_observed)
    return json.dumps(message)


def add_query(query_id: int, *, path: str, arguments: str, journal: str | None) -> str:
    """A modification that asks for a query."""
    return (
        f'{{"type":"Add","queryId":{query_id},"udfPath":{json.dumps(path)},"args":[{arguments}],'
        f'"journal":{json.dumps(journal)}}}'
    )


def remove_query(query_id: int) -> str:
    """A modification that gives a query up."""
    return f'{{"type":"Remove","queryId":{query_id}}}'


def modify_query_set(*, base: int, new: int, modifications: Iterable[str]) -> str:
    """A step of the query set."""
    return (
        f'{{"type":"ModifyQuerySet","baseVersion":{base},"newVersion":{new},'
        f'"modifications":[{",".join(modifications)}]}}'
    )


def call(kind: CallKind, request_id: int, *, path: str, arguments: str) -> str:
    """A mutation or an action."""
    return f'{{"type":"{kind}","requestId":{request_id},"udfPath":{json.dumps(path)},"args":[{arguments}]}}'


def authenticate_user(base: int, token: str) -> str:
    """From here on, the user of this token."""
    return json.dumps({"type": "Authenticate", "baseVersion": base, "tokenType": "User", "value": token})


def authenticate_admin(base: int, key: str, acting_as: Mapping[str, Any] | None) -> str:
    """From here on the administrator, or a user whose part the administrator plays."""
    message = {"type": "Authenticate", "baseVersion": base, "tokenType": "Admin", "value": key}
    if acting_as is not None:
        message["impersonating"] = dict(acting_as)
    return json.dumps(message)


def authenticate_nobody(base: int) -> str:
    """From here on, nobody in particular."""
    return json.dumps({"type": "Authenticate", "baseVersion": base, "tokenType": "None"})

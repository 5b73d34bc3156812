"""Server messages: the texts that leave on a socket.

Floor 1, `protocol`. Values arrive as canonical encoded JSON text and are spliced in as they are. Integers
print as integers, for the Rust core types them so (wire 1.3). A Transition is built from pieces, so that what
thousands of subscribers share, the tail of a modification, is encoded once:

    transition_head(...)  {"queryId":7  tail  ,  {"queryId":8  tail  ...  TRANSITION_END
    |                     `- MODIFICATION_HEAD  `- query_updated_tail, query_failed_tail: no client in them
    `- transition_start, clock_skew: of one client; transition_middle: of all

Not here: when to send what (`sync/session.py`), frames (`sync/frames.py`).
Source: wire 1.6 and 1.9.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from rewake.protocol.timestamps import encode_ts
from rewake.protocol.versions import StateVersion

PING = b'{"type":"Ping"}'
"""Keeps a quiet connection alive; clients only restart their timer."""

MODIFICATION_SEPARATOR = b","
TRANSITION_END = b"]}"
MODIFICATION_HEAD = b'{"queryId":%d'
"""A modification up to the tail that it shares with other clients, once it has its query's id."""

_TRANSITION_START = (
    '{"type":"Transition","startVersion":{"querySet":%d,"identity":%d,"ts":"%s"},'
    '"endVersion":{"querySet":%d,"identity":%d,"ts":"%s"},"clientClockSkew":'
)
"""With the two versions."""

_encode = msgspec.json.Encoder().encode


def json_string(text: str) -> bytes:
    """JSON of any Python string. A lone surrogate, which no client could read, becomes U+FFFD."""
    try:
        return _encode(text)
    except UnicodeEncodeError:
        return _encode(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def json_strings(texts: Sequence[str]) -> bytes:
    """JSON of a list of strings: the log lines of a run."""
    return b"[" + b",".join(map(json_string, texts)) + b"]" if texts else b"[]"


def transition_head(*, start: StateVersion, end: StateVersion, skew: bytes, server_ns: int) -> bytes:
    """A Transition up to the first modification. `skew` is what `clock_skew` made."""
    return transition_start(start=start, end=end) + skew + transition_middle(server_ns)


def transition_start(*, start: StateVersion, end: StateVersion) -> bytes:
    """A Transition up to the clock skew of its client."""
    text = _TRANSITION_START % (*start[:2], encode_ts(start.ts), *end[:2], encode_ts(end.ts))
    return text.encode()


def clock_skew(skew_ms: int | None) -> bytes:
    """How far the clock of a client is ahead of ours; None where it did not say."""
    return b"null" if skew_ms is None else b"%d" % skew_ms


def transition_middle(server_ns: int) -> bytes:
    """A Transition from behind the clock skew to the first modification."""
    return b',"serverTs":%d,"modifications":[' % server_ns


def query_updated_tail(*, value: str, log_lines: Sequence[str], journal: str | None) -> bytes:
    """The rest of a modification that brings a result."""
    if not log_lines and journal is None:
        return b',"type":"QueryUpdated","logLines":[],"journal":null,"value":%s}' % value.encode()
    return b'%s,"value":%s}' % (_tail("QueryUpdated", log_lines, journal), value.encode())


def query_failed_tail(
    *, message: str, data: str | None, log_lines: Sequence[str], journal: str | None
) -> bytes:
    """The rest of a modification that brings an error.

    `data` is the encoded JSON of an application error's data, None where there is none: the key's mere
    presence makes clients raise a ConvexError.
    """
    tail = _tail("QueryFailed", log_lines, journal)
    return b'%s,"errorMessage":%s%s}' % (tail, json_string(message), _error_data(data))


def query_removed(query_id: int) -> bytes:
    """A modification that confirms a removal."""
    return b'{"queryId":%d,"type":"QueryRemoved"}' % query_id


def mutation_succeeded(request_id: int, *, result: str, ts: int, log_lines: Sequence[str]) -> bytes:
    """The answer to a mutation that committed at `ts`."""
    return (
        b'{"type":"MutationResponse","requestId":%d,"success":true,"ts":"%s","logLines":%s,"result":%s}'
        % (
            request_id,
            encode_ts(ts).encode(),
            json_strings(log_lines) if log_lines else b"[]",
            result.encode(),
        )
    )


def mutation_failed(request_id: int, *, message: str, data: str | None, log_lines: Sequence[str]) -> bytes:
    """The answer to a mutation that wrote nothing because it failed."""
    return b'{"type":"MutationResponse","requestId":%d,"success":false,"ts":null,%s}' % (
        request_id,
        _failure(message, data, log_lines),
    )


def action_succeeded(request_id: int, *, result: str, log_lines: Sequence[str]) -> bytes:
    """The answer to an action that returned."""
    return b'{"type":"ActionResponse","requestId":%d,"success":true,"logLines":%s,"result":%s}' % (
        request_id,
        json_strings(log_lines),
        result.encode(),
    )


def action_failed(request_id: int, *, message: str, data: str | None, log_lines: Sequence[str]) -> bytes:
    """The answer to an action that failed."""
    return b'{"type":"ActionResponse","requestId":%d,"success":false,%s}' % (
        request_id,
        _failure(message, data, log_lines),
    )


def auth_error(*, error: str, base_version: int, update_attempted: bool) -> bytes:
    """The identity cannot be accepted, or holds no longer. The server closes after it.

    `base_version` is the identity version of the last Transition; with any other npm takes this for old news
    and waits for ever (wire 1.13).
    """
    return b'{"type":"AuthError","error":%s,"baseVersion":%d,"authUpdateAttempted":%s}' % (
        json_string(error),
        base_version,
        b"true" if update_attempted else b"false",
    )


def fatal_error(error: str) -> bytes:
    """The client made a mistake. npm never comes back after this: for client bugs only."""
    return b'{"type":"FatalError","error":%s}' % json_string(error)


def transition_chunks(transition: bytes, *, chunk_bytes: int) -> Iterator[bytes]:
    """Cut a Transition's text into messages of at most `chunk_bytes` of it each, at character boundaries.

    All parts go out in order with no other message between them (wire 1.9).
    """
    assert chunk_bytes >= 4, chunk_bytes
    parts = list(_cut(transition, chunk_bytes))
    for number, part in enumerate(parts):
        yield (
            b'{"type":"TransitionChunk","partNumber":%d,"totalParts":%d,"transitionId":"%d","chunk":%s}'
            % (number, len(parts), len(transition), _encode(part))
        )


def _cut(text: bytes, size: int) -> Iterator[str]:
    """Pieces of UTF-8 text of at most `size` bytes, none cut inside a character."""
    begin = 0
    while begin < len(text):
        end = min(begin + size, len(text))
        # A byte 10xxxxxx continues a character that began before it.
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
        yield text[begin:end].decode()
        begin = end


def _tail(kind: str, log_lines: Sequence[str], journal: str | None) -> bytes:
    """What both kinds of answered modification have after the query id."""
    return b',"type":"%s","logLines":%s,"journal":%s' % (
        kind.encode(),
        json_strings(log_lines),
        b"null" if journal is None else json_string(journal),
    )


def _failure(message: str, data: str | None, log_lines: Sequence[str]) -> bytes:
    """The fields of a failed response."""
    return b'"logLines":%s,"result":%s%s' % (
        json_strings(log_lines),
        json_string(message),
        _error_data(data),
    )


def _error_data(data: str | None) -> bytes:
    """The `errorData` field, or nothing at all."""
    return b"" if data is None else b',"errorData":' + data.encode()

"""Request bodies: bounded, and parsed only as far as the envelope.

Floor 6, `http_api`. The arguments inside a body stay JSON text exactly as received; the function's side
decodes them once, with all checks (`values.decode`). So here only the envelope is read, and msgspec skips
over the rest.

    {"path": "messages:send", "args": {...} | [{...}], "format": "json"}

Source: wire 4.1. Not here: what the fields mean (`functions.py`).
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from rewake.http_api.errors import BadJsonBody, BodyTooLarge, BodyTooSlow
from rewake.http_api.headers import header_text
from rewake.limits import Limits
from rewake.values import unicode_advice


class CallBody(msgspec.Struct, frozen=True):
    """The body of `/api/query`, `/api/mutation` and `/api/action`."""

    path: str
    args: msgspec.Raw
    format: str | None = None


class CallAtBody(msgspec.Struct, frozen=True):
    """The body of `/api/query_at_ts`."""

    path: str
    args: msgspec.Raw
    ts: str
    format: str | None = None


class AnyCallBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/api/function`."""

    path: str
    args: msgspec.Raw
    format: str | None = None
    component_path: str | None = None


class RunBody(msgspec.Struct, frozen=True):
    """The body of `/api/run/...`: the URL names the function."""

    args: msgspec.Raw
    format: str | None = None


class BatchBody(msgspec.Struct, frozen=True):
    """The body of `/api/query_batch`."""

    queries: list[CallBody]


Body = TypeVar("Body")
_calls = msgspec.json.Decoder(CallBody)


async def read_json(scope: Scope, receive: Receive, kind: type[Body], limits: Limits) -> Body:
    """Read the body as one `kind`.

    Raises:
        BadJsonBody: the content type is not JSON, the body is compressed, or larger than
        `http_body_bytes_max`, or not such an object.
        BodyTooSlow: it took longer than `http_body_seconds_max`.
    """
    refuse_other_types(scope)
    try:
        async with asyncio.timeout(limits.http_body_seconds_max):
            text = await read_body(scope, receive, bytes_max=limits.http_body_bytes_max)
    except TimeoutError:
        raise BodyTooSlow(seconds=limits.http_body_seconds_max) from None
    except BodyTooLarge as error:
        raise BadJsonBody(error.message)
    return parse_json(text, kind)


def refuse_other_types(scope: Scope) -> None:
    """Return where the body is JSON, as far as the head says.

    Raises:
        BadJsonBody: it is something else, or compressed.
    """
    if not _is_json(header_text(scope, b"content-type") or ""):
        raise BadJsonBody("Expected request with `Content-Type: application/json`")
    encoding = header_text(scope, b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise BadJsonBody("The body is compressed, which is not taken. Send it without `Content-Encoding`.")


def parse_json(text: bytes | str, kind: type[Body]) -> Body:
    """Parse `text` as one `kind`; unknown fields are ignored.

    Raises:
        BadJsonBody: it is something else.
    """
    return _parsed(msgspec.json.Decoder(kind), text)


def parse_call(text: bytes) -> CallBody:
    """Parse `text` as one `CallBody`, as `parse_json` does."""
    try:
        return _calls.decode(text)
    except (RecursionError, msgspec.MsgspecError, UnicodeError):
        return _parsed(_calls, text)  # Which says what is wrong with it.


def _parsed(decoder: msgspec.json.Decoder[Body], text: bytes | str) -> Body:
    try:
        return decoder.decode(text)
    except RecursionError:
        raise BadJsonBody("The body cannot be read as JSON: it is nested too deeply.")
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadJsonBody(f"The body cannot be read as JSON: {error}{unicode_advice(text)}")


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: it has, or announces, more than `bytes_max` bytes.
        ClientDisconnect: the client went away in the middle.
    """
    refuse_announced(scope, bytes_max=bytes_max)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise BodyTooLarge(limit=bytes_max)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def refuse_announced(scope: Scope, *, bytes_max: int) -> None:
    """Return when `Content-Length` is absent or within bounds, before anything was read.

    Raises:
        BodyTooLarge: the header announces more than `bytes_max`.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > bytes_max:
            raise BodyTooLarge(limit=bytes_max)


def arguments_text(args: msgspec.Raw | bytes) -> str:
    """The text of the one arguments object: `args` itself, or the one element of the legacy array.

    A value that is no object goes through: the function answers that with a text of its own (wire 6.3).

    Raises:
        BadJsonBody: an array of none or several, or text that is not UTF-8.
    """
    text = bytes(args).strip()
    if text.startswith(b"["):
        elements = parse_json(text, list[msgspec.Raw])
        if len(elements) != 1:
            raise BadJsonBody(
                f"args must be an object, or an array of exactly one object. Got {len(elements)}."
            )
        element = bytes(elements[0]).strip()
        # An array inside the array keeps its own, or it would pass for one of several arguments.
        text = text if element.startswith(b"[") else element
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadJsonBody(f"The body cannot be read as JSON: {error}")


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))

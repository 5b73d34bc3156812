"""What a request for a file is answered: status, headers, and which bytes. Decided without I/O.

Floor 4, `files`. A file never changes, so its digest is a strong ETag for ever.

    If-None-Match holds    304        one Range that fits   206        If-Range does not   the whole file
    a Range that does not  416        several ranges        416

A file may come from anybody who was given an upload URL, and its address has the origin of the API. What a
browser could run as a page or a program there is sandboxed (no scripts, an origin of its own) and offered for
saving.

Source: RFC 9110, 13 and 14; wire 4.5.
"""

from __future__ import annotations

import re

import msgspec

from rewake.database import FileFacts

_CACHE = "private, max-age=2592000"
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)
_DIGITS_MAX = 18
_HARMLESS = re.compile(
    r"image/(?!svg)[\w.+-]+|audio/[\w.+-]+|video/[\w.+-]+|font/[\w.+-]+|text/plain|text/csv"
    r"|application/(?:pdf|json|zip|octet-stream)"
)
_SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


class Asked(msgspec.Struct, frozen=True):
    """The headers of a request for a file that matter."""

    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """How to answer: the bytes from `start` up to `stop` of the file."""

    status: int
    headers: dict[str, str]
    start: int = 0
    stop: int = 0


def plan_answer(file: FileFacts, asked: Asked) -> Answer:
    """How a request for `file` is answered."""
    etag = f'"{file.sha256}"'
    headers = {
        "accept-ranges": "bytes",
        "cache-control": _CACHE,
        "etag": etag,
        "x-content-type-options": "nosniff",
    }
    if asked.if_none_match is not None and _matches(asked.if_none_match, etag):
        return Answer(304, headers)
    if file.content_type is not None:
        headers["content-type"] = file.content_type
    if not is_harmless(file.content_type):
        headers["content-security-policy"] = _SANDBOX
        headers["content-disposition"] = "attachment"
    wanted = asked.range
    if asked.if_range is not None and asked.if_range.strip() != etag:
        wanted = None
    if wanted is None or not wanted.strip().lower().startswith("bytes"):
        headers |= {"content-length": str(file.size), "digest": f"sha-256={file.sha256}"}
        return Answer(200, headers, 0, file.size)
    found = _range_of(wanted, file.size)
    if found is None:
        return Answer(416, {**headers, "content-range": f"bytes */{file.size}", "content-length": "0"})
    start, stop = found
    headers |= {
        "content-length": str(stop - start),
        "content-range": f"bytes {start}-{stop - 1}/{file.size}",
    }
    return Answer(206, headers, start, stop)


def is_harmless(content_type: str | None) -> bool:
    """Whether a browser that is told not to guess can only show or save it. Without a type it saves."""
    if content_type is None:
        return True
    essence = content_type.partition(";")[0].strip().lower()
    return _HARMLESS.fullmatch(essence) is not None


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def _range_of(header: str, size: int) -> tuple[int, int] | None:
    """The one range that is asked for, cut to the file; None where there is none that fits."""
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match[1], match[2]
    if max(len(first), len(last)) > _DIGITS_MAX or (not first and not last):
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None

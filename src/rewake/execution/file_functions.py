"""System functions about files: what actions, uploads and sweeping do in transactions.

Floor 3, `execution`, a part of `system_functions.py`.

    begin, commit, doom          around bytes on their way in
    reserve, give_up             around a mutation that stores some
    url, metadata, facts,        for actions, whose `ctx` has no transaction
    upload_url, delete
    doom_stale, forget           for whoever sweeps

Not here: bytes (`blobs`), who calls these (`action_files.py`, `files`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rewake.database import (
    begin_blob,
    commit_file,
    doom_blob,
    doom_stale,
    file_of_id,
    forget_blob,
    is_free_key,
)
from rewake.execution.system_context import SystemCtx

_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _begin(ctx: SystemCtx, wanted_key: str | None = None) -> str:
    """Choose the key for bytes on their way in, which is also the public name of their file: the wanted one,
    where it is free.
    """
    if wanted_key is not None and _KEY.fullmatch(wanted_key) and is_free_key(ctx.transaction, wanted_key):
        begin_blob(ctx.transaction, wanted_key)
        return wanted_key
    text = f"{ctx.random.getrandbits(128):032x}"
    # The form of a version 4 UUID (RFC 9562, 5.4).
    key = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"
    begin_blob(ctx.transaction, key)
    return key


def _reserve(ctx: SystemCtx, count: float) -> list[str]:
    """Keys for a mutation that is about to begin."""
    return [_begin(ctx) for _ in range(int(count))]


def _give_up(ctx: SystemCtx, keys: list[str]) -> float:
    """Give up what a mutation has not made a file of; how many."""
    return float(sum(doom_blob(ctx.transaction, key) for key in keys))


def _commit(ctx: SystemCtx, key: str, sha256: str, size: float, content_type: str | None) -> str:
    """Make a file of bytes that are durable."""
    return commit_file(ctx.transaction, key, sha256=sha256, size=int(size), content_type=content_type)


def _doom(ctx: SystemCtx, key: str) -> None:
    """Give up bytes that were on their way."""
    doom_blob(ctx.transaction, key)


def _doom_stale(ctx: SystemCtx, before_ms: float, limit: float) -> float:
    """Give up bytes that nobody finished."""
    return float(doom_stale(ctx.transaction, before_ms=before_ms, limit=int(limit)))


def _forget(ctx: SystemCtx, keys: list[str]) -> None:
    """Forget bytes that are gone."""
    for key in keys:
        forget_blob(ctx.transaction, key)


def _url(ctx: SystemCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)


def _metadata(ctx: SystemCtx, id: str) -> Any:
    return ctx.storage.get_metadata(id)


def _facts(ctx: SystemCtx, id: str) -> Any:
    """What an action needs to read a file's bytes."""
    if ctx.storage.get_metadata(id) is None:
        return None
    facts = file_of_id(ctx.transaction.reads, id)
    assert facts is not None, "each file has a blob"
    return {
        "id": facts.id,
        "key": facts.key,
        "sha256": facts.sha256,
        "size": float(facts.size),
        "content_type": facts.content_type,
    }


def _upload_url(ctx: SystemCtx, max_bytes: float) -> str:
    return ctx.storage.generate_upload_url(max_bytes=int(max_bytes) or None)


def _delete(ctx: SystemCtx, id: str) -> None:
    ctx.storage.delete(id)


FILE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_system/files:begin": _begin,
    "_system/files:commit": _commit,
    "_system/files:delete": _delete,
    "_system/files:doom": _doom,
    "_system/files:doom_stale": _doom_stale,
    "_system/files:facts": _facts,
    "_system/files:forget": _forget,
    "_system/files:give_up": _give_up,
    "_system/files:metadata": _metadata,
    "_system/files:reserve": _reserve,
    "_system/files:upload_url": _upload_url,
    "_system/files:url": _url,
}
"""By path."""

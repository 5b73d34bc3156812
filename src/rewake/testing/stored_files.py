"""Files of a backend under test: put there and looked at by the test itself, without HTTP.

Floor 8, `testing`. Not here: what functions see (`ctx.storage`), addresses (`http_api/files.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from rewake.deployment import Deployment


async def store_file(deployment: Deployment, data: bytes, *, content_type: str | None) -> str:
    """Store a file as an upload would; returns its id."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"A file is made of bytes; got {type(data).__name__}.")
    return await deployment.files.take(_once(bytes(data)), content_type=content_type)


async def read_file(deployment: Deployment, id: str) -> bytes | None:
    """The bytes of a file, or None where there is none (any more)."""
    file = await deployment.files.find_id(id)
    if file is None:
        return None
    pieces = await deployment.files.read(file, start=0, stop=file.size)
    return b"".join([piece async for piece in pieces])


async def sweep_files(deployment: Deployment) -> int:
    """Remove the bytes of deleted files, until there are none left; returns how many there were."""
    count = 0
    while gone := await deployment.files.sweep():
        count += gone
    return count


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data

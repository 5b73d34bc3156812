"""What the endpoints of imports ask of the rest of the house.

Floor 6, `http_api`, beside `ports.py`. Not here: the endpoints (`importing.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class Imports(Protocol):
    """The imports of a deployment."""

    async def start_upload(self) -> str:
        """Begin an upload; returns its token."""
        ...

    async def upload_part(self, token: str, number: int, pieces: AsyncIterator[bytes]) -> str:
        """Store a part; returns its token."""
        ...

    async def begin(
        self, token: str, part_tokens: list[str], *, mode: str, format: str, table: str | None
    ) -> str:
        """Begin the import of what was uploaded; returns its id."""
        ...

    async def perform(self, id: str) -> None:
        """Confirm an import."""
        ...

    async def cancel(self, id: str) -> None:
        """Take an import back."""
        ...

    async def all_at_once(
        self, pieces: AsyncIterator[bytes], *, mode: str, format: str, table: str | None
    ) -> int:
        """Import without asking; returns how many documents were written."""
        ...

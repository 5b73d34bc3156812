"""The socket: what a connection needs from the bytes' side.

Floor 6, `sync`. Two drivers keep these promises, and fakes in tests.

Not here: the drivers (`uvicorn_socket.py`, `asgi_socket.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rewake.sync.broadcast import SharedText


class Writer(Protocol):
    """A transport."""

    def write(self, data: bytes, /) -> None:
        """Write a whole frame; what the kernel does not take waits."""
        ...


class Socket(Protocol):
    """What a connection needs from the bytes' side."""

    @property
    def holds_unsent(self) -> bool:
        """Whether any bytes wait in front of the kernel."""
        ...

    def write_text(self, parts: Sequence[bytes], size: int, *, waits: bool = False) -> None:
        """Write one text message; what the kernel does not take waits. One that `waits` may leave together
        with the next, or in the next turn of the loop.
        """
        ...

    def write_shared(self, text: SharedText, skew: bytes) -> bool:
        """Write a text that is made for many, for the client with this `skew`. Returns `holds_unsent`."""
        ...

    def unison(self) -> tuple[Writer, int] | None:
        """How ready frames can be written past it, and the window for their compression, 0 for none. Never
        changes. None: they cannot.
        """
        ...

    def wrote_shared(self, *, wire: int, plain: int) -> None:
        """A frame of `wire` bytes was written past it, with a text of `plain` bytes, and some wait."""
        ...

    def write_ping(self) -> None:
        """Write a ping frame, where the driver can."""
        ...

    def unsent_bytes(self) -> int:
        """How many bytes wait in front of the kernel."""
        ...

    def pause_reading(self) -> None:
        """Read no more from the client for now."""
        ...

    def resume_reading(self) -> None:
        """Go on reading; does no harm when reading was never paused."""
        ...

    def close(self, code: int | None, reason: str) -> None:
        """Write a close frame after everything that waits, and read until the client's."""
        ...

    def abort(self) -> None:
        """Cut the connection; what waits is lost."""
        ...


class Writing(Protocol):
    """A socket that gathers what it is to write."""

    def write_gathered(self) -> None:
        """Hand everything to the kernel."""
        ...

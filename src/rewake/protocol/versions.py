"""State versions: where a client's picture of the world stands.

Floor 1, `protocol`. Three counters. The client raises `query_set` and `identity` by what it sends; the server
raises `ts`. Every socket starts at zero on both sides, and each Transition begins where the last one ended
(wire 1.7); a gap leaves the npm client dead until the page is loaded again.

Source: wire 1.4.
"""

from __future__ import annotations

from typing import NamedTuple


class StateVersion(NamedTuple):
    """One point in the life of a socket. All three parts only ever grow."""

    query_set: int
    identity: int
    ts: int


ZERO_VERSION = StateVersion(0, 0, 0)
"""Where every socket starts."""

"""State versions: where a client's picture of the world stands.

Floor 1, `protocol`. Three counters. The client raises `query_set` and `identity` by what it sends; the server
raises `ts`. Every socket starts at zero on both sides, and each Transition begins where the last one ended
(wire 1.7); a gap leaves the npm client dead until the page is loaded again.

Source: wire 1.4.
"""

from __future__ import annotations

from typing import NamedTuple

from rewake.protocol.timestamps import encode_ts


class StateVersion(NamedTuple):
    """One point in the life of a socket. All three parts only ever grow."""

    query_set: int
    identity: int
    ts: int

    @property
    def json(self) -> str:
        """The object as it stands in a Transition."""
        return f'{{"querySet":{self.query_set},"identity":{self.identity},"ts":"{encode_ts(self.ts)}"}}'


ZERO_VERSION = StateVersion(0, 0, 0)
"""Where every socket starts."""

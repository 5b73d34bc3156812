"""Lanes: whose work it is, as far as waiting for a turn is concerned.

Floor 3, `execution`. A queue takes one piece of work from each lane in turn (`fair_queue.py`), so somebody
who hands in thousands waits behind his own thousands, and others do not.

    caller   a websocket's session, a signed-in user, or else an address; turned away where it would wait long
    begun    what an action calls: half of an action is worse than a late one, so it is not turned away
    house    the scheduler, crons, steps of a deploy, waves of live queries: few, and never far behind

Not here: who may call (`deployment`), how long a line may be (`waiting_line.py`). Source: decision 0024.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from rewake.auth import Identity, User
from rewake.database import ReplayKey
from rewake.execution.calls import CalledFrom, RequestSource


class Standing(Enum):
    """What a lane may expect."""

    CALLER = "caller"
    BEGUN = "begun"
    HOUSE = "house"


class Lane(msgspec.Struct, frozen=True):
    """One lane. Lanes of one name are the same lane."""

    name: str
    standing: Standing = Standing.CALLER


HOUSE = Lane("house", Standing.HOUSE)
"""Small work of the house's own."""
SCHEDULED = Lane("scheduled", Standing.HOUSE)
"""Scheduled functions and crons: as many at once as their settings say."""
WAVES = Lane("waves", Standing.HOUSE)
"""Live queries: two waves at once, for all clients together."""


def lane_of(
    identity: Identity, source: RequestSource, *, request_id: str, replay: ReplayKey | None = None
) -> Lane:
    """The lane of a call from outside, or from an action, whose calls have its request id.

    A server that calls for many people, without their tokens, is one address and so one lane.
    """
    if source.called_from is CalledFrom.ACTION:
        return Lane(f"action {request_id}", Standing.BEGUN)
    if replay is not None:
        return Lane(f"session {replay.session}")
    if isinstance(identity, User):
        return Lane(identity.fingerprint)
    return Lane(f"address {source.ip or ''}")

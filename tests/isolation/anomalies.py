"""Anomalies: what is wrong with a history, by name.

Where the literature has a name it is kept (Adya; Elle); `-session` and `-realtime` say that a circle closes
only by the order of one session, or by the order of time.

    G0, G1c, G-single, G2     a circle of dependencies: of writes; of writes and reads; with one read that
                              came too early; with several (`circles.py`)
    lost update               two mutations made their appends from the same version of a list
    G1a                       something was seen of a mutation, or of a part of one, that failed
    G1b                       something was seen of a mutation in its middle
    internal                  a mutation did not see its own writes, or saw a list change meanwhile
    lost append               an acknowledged append is gone
    doubled append            an append happened twice: a replay ran again
    phantom append            a list holds what nobody asked for
    misdirected read          a list holds what was appended to another: somebody else's answer
    forked order              two lists of one key, and neither is the beginning of the other
    time went back            a session was shown something older than before, reconnects included
    stale read                a read at a timestamp lacks what was committed by then
    read from the future      a read at a timestamp has what was committed after it
    reused timestamp          two commits have one timestamp
    timestamps out of order   commit order, or the order of time, is not the order of timestamps
"""

from __future__ import annotations

from typing import NamedTuple


class Anomaly(NamedTuple):
    """One thing that is wrong, and what shows it."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

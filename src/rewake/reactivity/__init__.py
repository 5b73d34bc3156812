"""Reactivity: who must hear of a commit, and what they see.

Floor 4. Below, `execution` runs queries on snapshots and reports commit groups; above, `sync` and
`http_api` are the doors.

    commit log rows -> LiveQueries.on_group -> stale entries -> waves -> LiveSession -> listener
"""

from rewake.reactivity.entries import Entry, EntryKey, LiveResult
from rewake.reactivity.live_figures import LiveFigures
from rewake.reactivity.live_queries import LiveQueries
from rewake.reactivity.live_session import LiveListener, LiveSession, QueryChange, visibility_of
from rewake.reactivity.showing import Showing, Singer, Voice
from rewake.reactivity.wake_index import WakeIndex, equality_prefix

__all__ = [
    "Entry",
    "EntryKey",
    "LiveFigures",
    "LiveListener",
    "LiveQueries",
    "LiveResult",
    "LiveSession",
    "QueryChange",
    "Showing",
    "Singer",
    "Voice",
    "WakeIndex",
    "equality_prefix",
    "visibility_of",
]

"""Sync: the door through which live clients come.

Floor 6. Above, `server` opens it on a port; below, it asks the house through `ports.Backend` only.

    bytes -> uvicorn_socket | asgi_socket -> connection -> session   rules, as a state machine without I/O
                                                `-> ports.Backend    functions and live queries

Start with `session.py`; `door.py` is where everything is put together.
"""

from rewake.sync.admission import Admission
from rewake.sync.door import SyncDoor
from rewake.sync.ports import Backend, LiveListener, LiveResult, LiveSession

__all__ = ["Admission", "Backend", "LiveListener", "LiveResult", "LiveSession", "SyncDoor"]

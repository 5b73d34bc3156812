"""The application: both doors of one deployment as one ASGI application.

Floor 7, `server`. Used by our own process and for mounting Rewake into another ASGI application, where no
lifespan of ours is run.

    /api/sync, /api/{version}/sync   websocket            sync
    /api/..., /version, /healthz     requests             http_api
    /http/...                        requests             http_api, HTTP actions of the application
    everything else                  static files         where a folder was given

Not here: sockets and signals (`process.py`).
"""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp

from rewake.deployment import Deployment
from rewake.execution import Turnstile
from rewake.http_api import build_app
from rewake.server.static_files import FrontEnd
from rewake.sync import SyncDoor


def build_application(
    deployment: Deployment,
    door: SyncDoor,
    *,
    static: Path | None = None,
    origins: frozenset[str] | None = None,
    turnstile: Turnstile | None = None,
) -> ASGIApp:
    """One ASGI application for everything that a deployment answers. `static` is a folder with a built
    front end; `origins` are those whose pages may call, None: all. Requests wait their turn at `turnstile`;
    None: at the server that listens (`http_head.py`).
    """
    front_end = FrontEnd(static) if static is not None else None
    app = build_app(
        deployment, front_end=front_end, limits=deployment.limits, origins=origins, turnstile=turnstile
    )
    return door.asgi(app)

"""The site of a backend under test: its HTTP actions, asked without a socket.

Floor 8, `testing`. A request crosses the door that the server puts at the site port, by ASGI in place of a
socket, and comes from whoever the test calls as.

    fetch(path) -> httpx -> build_site -> HTTP action -> httpx.Response

Not here: what tests call (`backend.py`).
"""

from __future__ import annotations

from typing import Any

import httpx

from rewake.auth import Identity
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import Analysis, Failure, HttpJob, RequestSource, Success
from rewake.http_api import build_site
from rewake.limits import Limits

ORIGIN = "http://site.testing"

_ADDRESS = "127.0.0.1"
_PORT = 123


class SignedIn:
    """A deployment whose requests come from one caller, where they do not say otherwise themselves."""

    site_url = ORIGIN

    def __init__(self, deployment: Deployment, identity: Identity) -> None:
        self._deployment = deployment
        self._identity = identity

    @property
    def environment(self) -> Environment:
        """Of the deployment."""
        return self._deployment.environment

    @property
    def limits(self) -> Limits:
        """Of the deployment."""
        return self._deployment.limits

    @property
    def is_redacted(self) -> bool:
        """Of the deployment."""
        return self._deployment.is_redacted

    @property
    def analysis(self) -> Analysis:
        """Of the deployment."""
        return self._deployment.analysis

    async def answer(self, job: HttpJob) -> Success | Failure:
        """Run an HTTP action."""
        return await self._deployment.answer(job)

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """The caller, or who a header tells of."""
        if authorization is None:
            return self._identity
        return await self._deployment.authenticate_header(authorization)


async def fetch(
    deployment: Deployment,
    identity: Identity,
    source: RequestSource,
    *,
    path: str,
    method: str,
    **request: Any,
) -> httpx.Response:
    """Send one request, and read its response whole."""
    site = build_site(SignedIn(deployment, identity))
    transport = httpx.ASGITransport(app=site, client=(source.ip or _ADDRESS, _PORT))
    headers = {} if source.user_agent is None else {"user-agent": source.user_agent}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        return await client.request(method, path, **request)

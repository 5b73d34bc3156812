"""Origins: where clients, and HTTP actions, reach a deployment.

Floor 5, `deployment`. There is one place that knows: whoever listens makes an `Origins` from what the
operator says and where the sockets are, and hands it to `Deployment.serve_at`; URLs of files,
`CONVEX_CLOUD_URL`, `CONVEX_SITE_URL`, and what the command line asks all follow from it.

    the operator says --url only      site: {url}/http, since a proxy may pass on that one port only
    and --site-url                    site: that
    nothing                           both are where we listen

Not here: listening (`server`), the origin of a single request (`http_api/discovery.py`).
"""

from __future__ import annotations

import re

import msgspec

from rewake.deployment.variables import Variables
from rewake.errors import InvalidInput, Unavailable
from rewake.observability import logger

_log = logger(__name__)

_ORIGIN = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")


class PublicUrlInvalid(InvalidInput):
    """Where clients reach the server is no URL. Give it with its scheme, and without a query."""

    code = "PublicUrlInvalid"
    template = "Clients cannot reach a server at {url!r}. Give a URL such as https://chat.example."


class Origins(msgspec.Struct, frozen=True):
    """Both addresses, without a slash at the end."""

    cloud: str
    site: str
    is_said: bool
    """The operator says what `cloud` is; else it is only where we listen."""


def origins_of(*, cloud: str | None, site: str | None, listening: str, site_listening: str | None) -> Origins:
    """The origins of a server that listens at `listening`, and for HTTP actions at `site_listening`, where
    the operator says `cloud` and `site`.

    Raises:
        PublicUrlInvalid: what is said is no URL.
    """
    said = None if cloud is None else checked_origin(cloud)
    if site is not None:
        return Origins(said or listening, checked_origin(site), is_said=said is not None)
    if said is not None:
        return Origins(said, f"{said}/http", is_said=True)
    return Origins(listening, site_listening or f"{listening}/http", is_said=False)


def checked_origin(url: str) -> str:
    """A URL that may be the origin of a server, without a slash at its end.

    Raises:
        PublicUrlInvalid: it is none.
    """
    origin = url.strip().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise PublicUrlInvalid(url=url)
    return origin


async def announce(origins: Origins, variables: Variables) -> None:
    """Tell functions where they are reached, and have URLs of files begin so."""
    try:
        await variables.announce(cloud_url=origins.cloud, site_url=origins.site)
    except Unavailable as error:
        # A full disk is no reason not to serve what can be read.
        _log.warning("functions cannot be told where they are reached: %s", error)

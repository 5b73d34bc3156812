"""Client versions: which client, which release.

Floor 1, `protocol`. There is no negotiation: the server looks, and may refuse. The Rust family sends a
header, npm puts its version into the path. Nobody is refused for age; only chunked transitions depend on it
(wire 1.9).

    Convex-Client: {name}-{semver}      wins; names may contain dashes
    /api/{semver}/sync                  npm
    neither                             an unknown client, welcome

Source: wire 1.2.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rewake.errors import InvalidInput

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_CHUNKS_SINCE = (1, 28, 0)
"""The first npm release that puts a Transition together from chunks."""
_TEXT_LENGTH_MAX = 256
"""Characters of a header or path segment, far above any real one.

`int` refuses more than 4,300 digits at once, and looking for the version takes time by the square.
"""


class InvalidClientVersion(InvalidInput):
    """The client's name and version cannot be read. Send `{client_name}-{semver}` or no header."""

    code = "InvalidClientVersion"
    template = (
        "Failed to parse client version string: '{text}'. "
        "Expected format is {{client_name}}-{{semver}}, e.g. my-esolang-client-0.0.1"
    )


class ClientVersion(NamedTuple):
    """Who is on the other end, as far as it says."""

    name: str
    release: tuple[int, int, int] | None
    is_prerelease: bool = False

    @property
    def takes_chunks(self) -> bool:
        """May this client be sent TransitionChunk? All others break on it."""
        if self.name != "npm" or self.release is None:
            return False
        if self.release == _CHUNKS_SINCE:
            return not self.is_prerelease
        return self.release > _CHUNKS_SINCE


UNKNOWN_CLIENT = ClientVersion("unknown", None)
"""A client that says nothing about itself. Accepted, and treated as new."""


def client_version(header: str | None, path_version: str | None, *, is_sync: bool = True) -> ClientVersion:
    """The client's version from the `Convex-Client` header, or else from the path segment.

    `is_sync` says whether the versioned path is the sync endpoint, which only npm asks for by version; any
    other versioned path belongs to the command line.

    Raises:
        InvalidClientVersion: the one that counts is there and cannot be read.
    """
    text = path_version if header is None else header
    if text is None:
        return UNKNOWN_CLIENT
    if len(text) > _TEXT_LENGTH_MAX:
        raise InvalidClientVersion(text=text)
    return _from_semver("npm" if is_sync else "npm-cli", text, text) if header is None else _from_header(text)


def _from_header(text: str) -> ClientVersion:
    """Name and version of `{name}-{semver}`: the longest suffix after a dash that is a version."""
    position = text.find("-")
    while position >= 0:
        if position > 0 and _SEMVER.fullmatch(text, position + 1):
            return _from_semver(text[:position], text[position + 1 :], text)
        position = text.find("-", position + 1)
    raise InvalidClientVersion(text=text)


def _from_semver(name: str, version: str, shown: str) -> ClientVersion:
    """A version from its text; `shown` is what an error quotes."""
    match = _SEMVER.fullmatch(version)
    if match is None:
        raise InvalidClientVersion(text=shown)
    release = (int(match[1]), int(match[2]), int(match[3]))
    return ClientVersion(name, release, is_prerelease=match[4] is not None)

"""Static files: the front end of an application, served beside its API on the same port.

Floor 7, `server`. `FrontEnd` is what `http_api.build_app` asks when no route answers. It serves the files
of one directory, as a bundler wrote them:

    a file that exists       itself, with ETag, ranges and HEAD
    a folder with a page     its index.html (without the last slash: a redirect to the slash)
    anything else            the top index.html, when a browser navigates there: the page has a router
                             404 otherwise, so that a missing script is an error and not a page

Names under `/assets/` that carry a hash of their content never change and are kept for a year; everything
else is asked for again each time, which costs one 304.

Files beginning with a dot are never served (`.env`, `.git`), but for `/.well-known/` (RFC 8615); neither
is what a symbolic link points to outside the directory. Reading files, ranges and conditions are
Starlette's.

Not here: which addresses belong to the API (`http_api/routes.py`).
"""

from __future__ import annotations

import os
import re
import stat
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from rewake.errors import InvalidInput
from rewake.http_api import NoSuchEndpoint

INDEX = "index.html"
_WELL_KNOWN = ".well-known"

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"

_HASHED_NAME = re.compile(r"[.-](?:(?P<base64>[A-Za-z0-9_-]{8})|(?P<hex>[0-9a-f]{8,64}))(?:\.[A-Za-z0-9]+)+$")
"""Vite and Rollup put 8 characters of base64url before the extension, webpack and Parcel hex digits."""

_ASSET_NAME = re.compile(
    r"\.(avif|bmp|css|csv|eot|gif|html?|ico|jpe?g|js|json|map|md|mjs|mp[34]|og[gv]|otf|pdf|png|svg|tar|ttf|txt"
    r"|wasm|wav|webm|webmanifest|webp|woff2?|xml|zip)$",
    re.IGNORECASE,
)
"""A missing file with such an ending is a broken link, not a page. Others may be part of an address, as in
`/people/jane.doe`."""

_MEDIA_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}
"""Said here because the machine's own table may lack them or say otherwise, and browsers refuse a module
script that is not JavaScript."""


class StaticDirectoryInvalid(InvalidInput):
    """The directory of `--static` does not exist or holds no index.html. Build the front end first."""

    code = "StaticDirectoryInvalid"
    template = "Cannot serve {directory}: {detail}"


class FrontEnd(StaticFiles):
    """An ASGI application that serves the files of one directory and falls back to its index.html."""

    def __init__(self, directory: str | PathLike[str]) -> None:
        """Look at the directory once; files are found anew for each request, so a rebuild needs no restart.

        Raises:
            StaticDirectoryInvalid: there is no such directory, or no index.html in it.
        """
        root = Path(directory)
        if not root.is_dir():
            raise StaticDirectoryInvalid(
                directory=str(directory), detail="there is no such directory. Build the front end first."
            )
        if not (root / INDEX).is_file():
            raise StaticDirectoryInvalid(
                directory=str(directory), detail=f"there is no {INDEX} in it. Build the front end first."
            )
        super().__init__(directory=root)
        self.config_checked = True  # Just done. A rebuild may empty the directory for a moment.

    def get_path(self, scope: Scope) -> str:
        """The path inside the directory as the address has it; a slash at its end stays."""
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return path.removeprefix("/")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The answer for one request.

        Raises:
            NoSuchEndpoint: there is no such file, and it is no browser that navigates.
            HTTPException: 405, for a file asked for by another method than GET and HEAD.
        """
        found = await anyio.to_thread.run_sync(self._find, path)
        if found is None and _is_navigation(path, scope):
            found = await anyio.to_thread.run_sync(self._find, "")
        if found is None:
            raise NoSuchEndpoint(method=scope["method"], path=scope["path"])
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if found.is_page_of(path):
            return _to_folder(path, scope)
        return _answer(found, Headers(scope=scope), self)

    def _find(self, path: str) -> _Found | None:
        """Look for a file, or for the page of a folder. Blocks; None when there is nothing to serve."""
        if not _may_be_served(path):
            return None
        try:
            full_path, status = self.lookup_path(path or ".")
            if status is not None and stat.S_ISDIR(status.st_mode):
                path = f"{path}/{INDEX}".replace("//", "/").removeprefix("/")
                full_path, status = self.lookup_path(path)
            elif path.endswith("/"):
                return None
        except (OSError, ValueError):
            # Unreadable, too long a name, or a byte that no name can have: all the same to a stranger.
            return None
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        return _Found(path, full_path, status)


class _Found(NamedTuple):
    """A file to serve: its path inside the directory, where it is on disk, and what the disk says of it."""

    path: str
    full_path: str
    status: os.stat_result

    def is_page_of(self, asked: str) -> bool:
        """Whether `asked` named the folder of this page without the slash that its links need."""
        return asked != "" and self.path == f"{asked}/{INDEX}"


def _may_be_served(path: str) -> bool:
    """Whether every segment is an ordinary name: no dots ahead, no way up, no second separator."""
    if not path:
        return True
    segments = path.removesuffix("/").split("/")
    if segments[0] == _WELL_KNOWN:
        segments = segments[1:]
    return all(one and not one.startswith(".") and "\\" not in one and "\0" not in one for one in segments)


def _is_navigation(path: str, scope: Scope) -> bool:
    """Whether a browser asks for a page: it says so in Accept, and the name is not that of an asset."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    if _ASSET_NAME.search(path):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def _to_folder(path: str, scope: Scope) -> Response:
    """Send the caller to the folder's own address. Relative, so that no proxy's prefix or host matters."""
    query = scope["query_string"].decode("latin-1")
    name = quote(PurePosixPath(path).name)
    return RedirectResponse(f"./{name}/" + (f"?{query}" if query else ""), 307)


def _answer(found: _Found, asked: Headers, files: StaticFiles) -> Response:
    extension = PurePosixPath(found.path).suffix.removeprefix(".").lower()
    response = FileResponse(
        found.full_path,
        headers={
            "cache-control": _IMMUTABLE if _is_immutable(found.path) else _REVALIDATE,
            "etag": _etag(found.status),
            "x-content-type-options": "nosniff",
        },
        media_type=_MEDIA_TYPES.get(extension),
        stat_result=found.status,
    )
    if files.is_not_modified(response.headers, asked):
        return NotModifiedResponse(response.headers)
    return response


def _is_immutable(path: str) -> bool:
    """Whether the name promises the content: under assets, with a hash that is no word and no number."""
    if not path.startswith("assets/"):
        return False
    match = _HASHED_NAME.search(PurePosixPath(path).name)
    if match is None:
        return False
    digest = match["base64"] or match["hex"]
    return any(c.isalpha() for c in digest) and any(c.isdigit() or c.isupper() for c in digest)


def _etag(status: os.stat_result) -> str:
    """The tag of a file as it is on disk now.

    Size and modification time alone do not do: images built reproducibly give every file one time, and an
    index.html whose hashes changed keeps its size. The change time cannot be set by a build.
    """
    return f'"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"'

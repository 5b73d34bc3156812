"""The front end of an application: what is served, how long it is kept, and what never leaves the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

from rewake.http_api import build_app
from rewake.server.static_files import FrontEnd, StaticDirectoryInvalid
from tests.http_api.fake_backend import Caller, FakeBackend, assert_error

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
INDEX = "<!doctype html><title>chat</title>"
SECRET = "the secret of the deployment"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    files = {
        "index.html": INDEX,
        "favicon.svg": "<svg/>",
        "robots.txt": "User-agent: *",
        "assets/index-BfX3k2a9.js": "console.log(1)",
        "assets/index-DiwrgTda.css": "body{}",
        "assets/main.0123456789abcdef.js": "x",
        "assets/background-landscape.png": "png",
        "assets/report-20240101.txt": "plain",
        "assets/logo.svg": "<svg/>",
        "deep-BfX3k2a9.js": "not under assets",
        "about/index.html": "about",
        "empty/readme.txt": "x",
        ".env": SECRET,
        ".git/config": SECRET,
        "about/.hidden.html": SECRET,
        ".well-known/security.txt": "Contact: us",
        ".well-known/.env": SECRET,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.txt").write_text(SECRET)
    (root / "way-out.txt").symlink_to(tmp_path / "outside.txt")
    (root / "way-up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.txt")
    return root


@pytest.fixture
def ask(site: Path) -> Caller:
    return Caller(build_app(FakeBackend(), front_end=FrontEnd(site)))


def ask_raw(ask: Caller, target: str) -> httpx.Response:
    """Ask for an address as an attacker writes it; clients make addresses tidy before they send them."""

    async def untidy(scope: Scope, receive: Receive, send: Send) -> None:
        await ask.app({**scope, "path": unquote(target), "raw_path": target.encode()}, receive, send)

    return Caller(untidy).get("/")


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_the_index_is_asked_for_again_each_time(ask: Caller, path: str) -> None:
    response = ask.get(path)
    assert response.text == INDEX
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "is_immutable"),
    [
        ("/assets/index-BfX3k2a9.js", True),
        ("/assets/index-DiwrgTda.css", True),
        ("/assets/main.0123456789abcdef.js", True),
        ("/assets/background-landscape.png", False),
        ("/assets/report-20240101.txt", False),
        ("/assets/logo.svg", False),
        ("/deep-BfX3k2a9.js", False),
        ("/favicon.svg", False),
    ],
)
def test_only_names_that_carry_a_hash_are_kept(ask: Caller, path: str, is_immutable: bool) -> None:
    expected = "public, max-age=31536000, immutable" if is_immutable else "no-cache"
    assert ask.get(path).headers["cache-control"] == expected


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/assets/index-BfX3k2a9.js", "text/javascript; charset=utf-8"),
        ("/assets/index-DiwrgTda.css", "text/css; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
        ("/robots.txt", "text/plain; charset=utf-8"),
    ],
)
def test_browsers_are_told_what_a_file_is(ask: Caller, path: str, media_type: str) -> None:
    assert ask.get(path).headers["content-type"] == media_type


@pytest.mark.parametrize(
    "path", ["/channels/general", "/people/jane.doe", "/a/b/c/", "/about-us", "/way-up/x"]
)
def test_a_navigation_that_nobody_knows_gets_the_index(ask: Caller, path: str) -> None:
    response = ask.get(path, headers=PAGE)
    assert (response.status_code, response.text) == (200, INDEX)
    assert response.headers["cache-control"] == "no-cache"
    assert ask("HEAD", path, headers=PAGE).status_code == 200


@pytest.mark.parametrize("path", ["/assets/gone-BfX3k2a9.js", "/old.html", "/missing.PNG", "/x/y.css"])
def test_a_missing_asset_is_an_error_and_not_a_page(ask: Caller, path: str) -> None:
    assert_error(ask.get(path, headers=PAGE), 404, "NotFound")


def test_only_browsers_that_navigate_get_the_index(ask: Caller) -> None:
    assert_error(ask.get("/channels/general"), 404, "NotFound")
    assert_error(ask.get("/channels/general", headers={"Accept": "application/json"}), 404, "NotFound")
    assert_error(ask("POST", "/channels/general", headers=PAGE), 404, "NotFound")


@pytest.mark.parametrize("path", ["/api", "/api/nowhere", "/api/sync", "/http/hook"])
def test_no_page_stands_under_the_api(ask: Caller, path: str) -> None:
    response = ask.get(path, headers=PAGE)
    assert response.status_code == 404
    assert INDEX not in response.text


def test_the_api_still_answers(ask: Caller) -> None:
    assert ask.post("/api/query", {"path": "messages:list", "args": {}}).json()["value"] == []
    assert ask.get("/version").text == "0.1.0"


def test_a_file_is_read_and_not_written(ask: Caller) -> None:
    response = ask("POST", "/favicon.svg")
    assert_error(response, 405, "MethodNotAllowed")
    assert response.headers["allow"] == "GET, HEAD"


def test_a_known_version_is_not_sent_again(ask: Caller) -> None:
    first = ask.get("/favicon.svg")
    again = ask.get("/favicon.svg", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    assert ask.get("/favicon.svg", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_rebuild_is_noticed_even_when_time_and_size_stay(ask: Caller, site: Path) -> None:
    # Reproducible images give every file the same time, and new hashes in index.html keep its size.
    first = ask.get("/").headers["etag"]
    before = (site / "index.html").stat()
    (site / "index.new").write_text(INDEX.replace("chat", "CHAT"))
    os.utime(site / "index.new", ns=(before.st_mtime_ns, before.st_mtime_ns))
    (site / "index.new").replace(site / "index.html")
    response = ask.get("/", headers={"If-None-Match": first})
    assert (response.status_code, response.text) == (200, INDEX.replace("chat", "CHAT"))


def test_head_and_ranges(ask: Caller) -> None:
    head = ask("HEAD", "/robots.txt")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "13")
    part = ask.get("/robots.txt", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.text) == (206, "User")
    assert part.headers["content-range"] == "bytes 0-3/13"
    assert ask.get("/robots.txt", headers={"Range": "bytes=99-"}).status_code == 416


def test_a_folder_with_a_page_has_its_own_address(ask: Caller, site: Path) -> None:
    assert ask.get("/about/").text == "about"
    response = ask.get("/about?from=here")
    assert (response.status_code, response.headers["location"]) == (307, "./about/?from=here")
    mounted = Caller(Router([Mount("/site", FrontEnd(site))]))
    assert mounted.get("/site/about").headers["location"] == "./about/"
    assert mounted.get("/site/about/").text == "about"


def test_a_folder_without_a_page_lists_nothing(ask: Caller) -> None:
    for path in ("/empty", "/empty/", "/assets/"):
        assert_error(ask.get(path), 404, "NotFound")


def test_a_file_is_no_folder(ask: Caller) -> None:
    assert_error(ask.get("/favicon.svg/"), 404, "NotFound")


def test_well_known_addresses_are_served(ask: Caller) -> None:
    assert ask.get("/.well-known/security.txt").text == "Contact: us"


OUTSIDE = [
    "/.env",
    "/.git/config",
    "/about/.hidden.html",
    "/.well-known/.env",
    "/../outside.txt",
    "/..%2foutside.txt",
    "/%2e%2e/outside.txt",
    "/about/../../outside.txt",
    "/about/%2e%2e/%2e%2e/outside.txt",
    "/..%5coutside.txt",
    "/way-out.txt",
    "/way-up/outside.txt",
    "//outside.txt",
    "/%2foutside.txt",
    "/outside.txt%00.js",
    "/%00",
    "/pipe.txt",
    "/" + "x" * 5000,
    "/.",
    "/..",
    "/./index.html",
    "/about//index.html",
]


@pytest.mark.parametrize("target", OUTSIDE, ids=lambda target: target[:30])
def test_nothing_but_the_sites_own_files_leaves_the_disk(ask: Caller, target: str) -> None:
    response = ask_raw(ask, target)
    assert_error(response, 404, "NotFound")
    assert SECRET not in response.text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(
            ["..", ".", "", "%2e", "%2f", "%5c", "outside.txt", ".env", "about", "way-up", "%00", "~"]
        ),
        max_size=7,
    )
)
def test_no_way_out_can_be_put_together(ask: Caller, parts: list[str]) -> None:
    response = ask_raw(ask, "/" + "/".join(parts))
    assert response.status_code < 500
    assert SECRET not in response.text


def test_an_unreadable_name_is_not_found(ask: Caller, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: FrontEnd, path: str) -> Any:
        raise PermissionError(path)

    monkeypatch.setattr(FrontEnd, "lookup_path", refuse)
    assert_error(ask.get("/favicon.svg"), 404, "NotFound")
    assert_error(ask.get("/", headers=PAGE), 404, "NotFound")


def test_a_directory_must_exist_and_hold_an_index(site: Path, tmp_path: Path) -> None:
    with pytest.raises(StaticDirectoryInvalid, match="no such directory"):
        FrontEnd(tmp_path / "nowhere")
    with pytest.raises(StaticDirectoryInvalid, match=r"no index\.html in it"):
        FrontEnd(site / "assets")

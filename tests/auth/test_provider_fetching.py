"""Requests to providers: only what was configured, and no more of it than there may be."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import AuthProviderDiscoveryFailed, CustomJwtProvider, OidcProvider, Provider
from rewake.auth.provider_fetching import Answer, HttpGet, ProviderFetcher, RequestFailed
from rewake.auth.verification import ProviderKeys
from rewake.limits import DEFAULT_LIMITS
from tests.auth.issuer import ISSUER, Issuer

OIDC = OidcProvider(ISSUER, "app")
CUSTOM = CustomJwtProvider(ISSUER, f"{ISSUER}/keys")
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"


@dataclass
class Web:
    """The web as a test has it: answers by URL."""

    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, url: str, *, bytes_max: int) -> Answer:
        self.asked.append(url)
        page = self.pages.get(url, Answer(404, "text/plain", b"not here"))
        if isinstance(page, Exception):
            raise page
        if isinstance(page, Answer):
            return page
        if isinstance(page, asyncio.Event):
            await page.wait()
        return Answer(200, "application/json; charset=utf-8", json.dumps(page).encode())

    async def close(self) -> None:
        return


def web_of(issuer: Issuer) -> Web:
    return Web({DISCOVERY: issuer.discovery(), f"{ISSUER}/keys": issuer.key_set()})


def fetch(web: Web, provider: Provider, **limits: Any) -> ProviderKeys:
    return asyncio.run(ProviderFetcher(web, replace(DEFAULT_LIMITS, **limits)).fetch(provider))


def failure(web: Web, provider: Provider, **limits: Any) -> AuthProviderDiscoveryFailed:
    with pytest.raises(AuthProviderDiscoveryFailed) as caught:
        fetch(web, provider, **limits)
    assert (caught.value.code, caught.value.status) == ("AuthProviderDiscoveryFailed", 401)
    return caught.value


def test_discovery_leads_to_the_keys() -> None:
    web = web_of(Issuer())
    found = fetch(web, OIDC)
    assert (found.issuer, [key.key_id for key in found.keys.keys]) == (ISSUER, ["first"])
    assert web.asked == [DISCOVERY, f"{ISSUER}/keys"]


def test_a_trailing_slash_of_the_domain_is_not_doubled() -> None:
    web = web_of(Issuer(url=f"{ISSUER}/"))
    web.pages[DISCOVERY]["jwks_uri"] = f"{ISSUER}/keys"
    assert fetch(web, OidcProvider(f"{ISSUER}/", "app")).issuer == f"{ISSUER}/"
    assert web.asked[0] == DISCOVERY


def test_keys_may_live_on_another_host() -> None:
    web = web_of(Issuer())
    web.pages[DISCOVERY]["jwks_uri"] = "https://keys.example.net/all"
    web.pages["https://keys.example.net/all"] = Issuer().key_set()
    assert fetch(web, OIDC).keys.keys


def test_custom_issuers_are_asked_for_keys_alone() -> None:
    web = web_of(Issuer())
    assert fetch(web, CUSTOM).issuer is None
    assert web.asked == [f"{ISSUER}/keys"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {},
        {"issuer": ISSUER},
        {"jwks_uri": f"{ISSUER}/keys"},
        {"issuer": "https://evil.com", "jwks_uri": f"{ISSUER}/keys"},
        {"issuer": f"{ISSUER}/a", "jwks_uri": f"{ISSUER}/keys"},
        {"issuer": ISSUER, "jwks_uri": 7},
        {"issuer": ISSUER, "jwks_uri": "/keys"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": "http://issuer.example.com/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"issuer": ISSUER, "jwks_uri": "https://a:b@issuer.example.com/keys"},
        {"issuer": ISSUER, "jwks_uri": "https://[::1"},
    ],
)
def test_a_discovery_document_that_does_not_fit_is_refused(document: Any) -> None:
    web = web_of(Issuer())
    web.pages[DISCOVERY] = document
    assert failure(web, OIDC).message == f"Auth provider discovery of {ISSUER} failed"
    assert web.asked == [DISCOVERY], "and nothing that it names is asked"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe"])
def test_garbage_is_refused(body: bytes) -> None:
    for url, provider in ((DISCOVERY, OIDC), (f"{ISSUER}/keys", OIDC), (f"{ISSUER}/keys", CUSTOM)):
        web = web_of(Issuer())
        web.pages[url] = Answer(200, "application/json", body)
        failure(web, provider)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 401, 404, 500, 503])
def test_callers_are_told_the_status_and_not_the_body(status: int) -> None:
    for url, provider in ((DISCOVERY, OIDC), (f"{ISSUER}/keys", CUSTOM)):
        web = web_of(Issuer())
        web.pages[url] = Answer(status, "application/json", b"secret of the house")
        told = failure(web, provider)
        assert told.message == f"Auth provider discovery of {ISSUER} failed: {status}"
        assert url in told.fields["detail"]


def test_a_request_that_fails_is_a_failed_discovery() -> None:
    web = web_of(Issuer())
    web.pages[DISCOVERY] = RequestFailed("no route to 10.1.2.3")
    told = failure(web, OIDC)
    assert told.message == f"Auth provider discovery of {ISSUER} failed"
    assert "10.1.2.3" in told.fields["detail"]


@pytest.mark.parametrize(
    ("kind", "is_taken"),
    [
        ("application/json", True),
        ("application/jwk-set+json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/html", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_keys_of_custom_issuers_say_what_they_are(kind: str, *, is_taken: bool) -> None:
    web = web_of(Issuer())
    web.pages[f"{ISSUER}/keys"] = Answer(200, kind, json.dumps(Issuer().key_set()).encode())
    if is_taken:
        assert fetch(web, CUSTOM).keys.keys
    else:
        failure(web, CUSTOM)


def test_a_provider_that_never_answers_is_given_up() -> None:
    async def story() -> None:
        web = web_of(Issuer())
        web.pages[DISCOVERY] = asyncio.Event()
        fetcher = ProviderFetcher(web, replace(DEFAULT_LIMITS, provider_request_seconds_max=0.01))
        with pytest.raises(AuthProviderDiscoveryFailed, match=r"failed$"):
            await asyncio.wait_for(fetcher.fetch(OIDC), 20)

    asyncio.run(story())


def test_plain_http_from_far_away_is_worth_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        web = web_of(Issuer())
        web.pages |= {"http://acme.com/keys": Issuer().key_set(), "http://10.0.0.1/keys": Issuer().key_set()}
        fetcher = ProviderFetcher(web, DEFAULT_LIMITS)
        for url in ("http://acme.com/keys", "http://10.0.0.1/keys", "http://acme.com/keys"):
            await fetcher.fetch(CustomJwtProvider("http://acme.com", url))

    asyncio.run(story())
    assert [record.getMessage() for record in caplog.records] == [
        "keys come over plain http, and can be forged on the way: http://acme.com/keys"
    ]


# Over the network.


@contextmanager
def serving(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def get(url: str, *, bytes_max: int = 1000) -> Answer:
    async def run() -> Answer:
        request = HttpGet()
        try:
            return await asyncio.wait_for(request(url, bytes_max=bytes_max), 20)
        finally:
            await request.close()

    return asyncio.run(run())


def reply(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_an_answer_comes_as_it_is() -> None:
    heard = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        heard.append((handler.path, handler.headers["accept"], handler.headers["accept-encoding"]))
        reply(handler, 200, b"{}", content_type="application/json")

    with serving(answer) as url:
        assert get(f"{url}/keys?a=b") == Answer(200, "application/json", b"{}")
    assert heard == [("/keys?a=b", "application/json", "identity")]


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    heard = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        heard.append(handler.path)
        reply(handler, 302, b"", location="/elsewhere")

    with serving(answer) as url:
        assert get(f"{url}/keys").status == 302
    assert heard == ["/keys"]


def test_an_answer_without_end_is_cut() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 10_000)
        except OSError:
            pass

    with serving(answer) as url, pytest.raises(RequestFailed, match="larger than 1000 bytes"):
        get(url)


def test_an_answer_is_not_unpacked() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b"\x1f\x8b", content_encoding="gzip")

    with serving(answer) as url, pytest.raises(RequestFailed, match="compressed"):
        get(url)


def test_an_answer_that_trickles_is_given_up() -> None:
    is_over = threading.Event()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        try:
            while not is_over.wait(0.01):
                handler.wfile.write(b" ")
        except OSError:
            pass

    async def story(url: str) -> None:
        request = HttpGet()
        # The client is made before, so that the limit is the server's to meet.
        with pytest.raises(RequestFailed):
            await request("http://127.0.0.1:1/", bytes_max=1)
        fetcher = ProviderFetcher(request, replace(DEFAULT_LIMITS, provider_request_seconds_max=0.1))
        with pytest.raises(AuthProviderDiscoveryFailed):
            await asyncio.wait_for(fetcher.fetch(CustomJwtProvider(url, f"{url}/keys")), 20)
        await fetcher.close()

    with serving(answer) as url:
        try:
            asyncio.run(story(url))
        finally:
            is_over.set()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "http://a.invalid/"])
def test_nobody_there_is_no_answer(url: str) -> None:
    with pytest.raises(RequestFailed):
        get(url)


def test_https_is_not_spoken_with_whoever_answers() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b"{}")

    with serving(answer) as url, pytest.raises(RequestFailed):
        get(url.replace("http:", "https:"))

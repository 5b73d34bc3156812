"""The unmodified `ConvexProviderWithAuth` in a browser, with an issuer that the test runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.browser import Browser, Page
from tests.clients.issuer_server import IssuerServer
from tests.clients.server_process import ServerProcess
from tests.clients.sign_in import Make, custom, oidc, serve

pytestmark = [pytest.mark.clients, pytest.mark.browser]


@pytest.fixture(params=["RS256", "ES256"])
def issuer(request: pytest.FixtureRequest) -> Iterator[IssuerServer]:
    with IssuerServer(request.param) as issuer:
        yield issuer


@pytest.fixture
def server(make_server: Make, tmp_path: Path, issuer: IssuerServer) -> ServerProcess:
    provider = oidc(issuer) if issuer.issuer.algorithm == "RS256" else custom(issuer)
    return serve(make_server, tmp_path, provider)


def renders(page: Page) -> list[Any]:
    shown: list[Any] = page.evaluate("renders")
    return shown


def sign_in(page: Page, issuer: IssuerServer, user: str, *, seconds: int = 3600) -> None:
    page.evaluate(f"signIn('{issuer.url}/token?user={user}&seconds={seconds}')")
    page.wait_text(f"in: {user}")


def assert_no_two_users_at_once(page: Page) -> None:
    """Whoever the page shows, what it shows of theirs is theirs."""
    for auth, caller, thoughts, _ in renders(page):
        if caller is not None and thoughts:
            assert all(each.startswith(f"{caller}:") for each in thoughts), (auth, caller, thoughts)


def test_signing_in_changing_the_user_and_signing_out(
    server: ServerProcess, issuer: IssuerServer, browser: Browser
) -> None:
    page = browser.open("signed_in.jsx", backend=server.url)
    page.wait_text("out: nobody")
    for user in ("ada", "eve"):
        sign_in(page, issuer, user)
        assert page.evaluate("think({ text: 'mine' })") == user
    sign_in(page, issuer, "ada")
    page.wait("renders.at(-1)[2]?.length === 1")
    assert renders(page)[-1] == ["in", "ada", ["ada: mine"], 2]
    page.evaluate("signOut()")
    page.wait_text("out: nobody")
    page.wait("renders.at(-1)[2]?.length === 0")
    assert_no_two_users_at_once(page)
    # What does not depend on the user never went back to loading.
    counts = [each[3] for each in renders(page)]
    first = next(place for place, each in enumerate(counts) if each is not None)
    assert None not in counts[first:]
    assert page.evaluate("connections") == 1
    assert page.errors == []


def test_tokens_are_renewed_while_the_page_is_open(
    server: ServerProcess, issuer: IssuerServer, browser: Browser
) -> None:
    page = browser.open("signed_in.jsx", backend=server.url)
    # The client asks ten seconds before the end: here, every two seconds or so.
    sign_in(page, issuer, "ada", seconds=12)
    page.wait("fetched.length >= 4")
    begun = len(renders(page))
    # Meanwhile the issuer takes another key, and the page notices nothing.
    issuer.issuer.rotate("second")
    count = page.evaluate("fetched.length")
    page.wait(f"fetched.length >= {count + 2}")
    assert page.evaluate("think({ text: 'still here' })") == "ada"
    assert page.evaluate("new Set(tokens).size") >= 4
    assert {(each[0], each[1]) for each in renders(page)[begun:]} <= {("in", "ada")}
    assert page.evaluate("connections") == 1
    assert page.errors == []


def test_a_page_that_is_refused_stays_anonymous_and_works(server: ServerProcess, browser: Browser) -> None:
    with IssuerServer() as stranger:
        page = browser.open("signed_in.jsx", backend=server.url)
        page.evaluate(f"signIn('{stranger.url}/token?user=ada')")
        page.wait("fetched.length >= 4 && renders.at(-1)[0] === 'out'", seconds=40)
        page.wait_text("out: nobody")
        page.wait("renders.at(-1)[3] === 0")
        assert "ada" not in {each[1] for each in renders(page)}

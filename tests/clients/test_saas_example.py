"""`examples/saas` as a person meets it: one command, a real browser, real tokens, signed webhooks.

sign up, the webhook is held back    the page waits
the webhook is sent                  the page is there, without a reload
buy, be declined, page through       each payment appears by itself
tokens of twelve seconds             are renewed, and the page notices nothing
sign out, or be deleted              nothing is left on the page
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.browser import Browser, Page
from tests.clients.conftest import install_packages
from tests.clients.example_project import assert_types_are_fresh, run
from tests.clients.saas_process import SAAS, SaasProcess, saas_process

pytestmark = [pytest.mark.clients, pytest.mark.browser]

TOKENS = "performance.getEntriesByType('resource').filter((each) => each.name.endsWith('/token')).length"
ROWS = "document.querySelectorAll('.payments li').length"


@pytest.fixture(scope="module")
def saas(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaasProcess]:
    """Everything, with tokens so short that the page asks for another about every two seconds."""
    install_packages(SAAS)
    folder = tmp_path_factory.mktemp("saas")
    with saas_process(folder, SAAS_TOKEN_SECONDS="12", SAAS_SETTLE_SECONDS="0") as started:
        yield started
        print(started.output(), (folder / "backend.log").read_text(encoding="utf-8"))


def sign_up(page: Page, name: str) -> None:
    """Go from the landing page to the provider, and come back as somebody new."""
    page.click("Sign in")
    page.wait("location.pathname === '/sign-in'")
    page.fill("Name", name)
    page.press("Name", "Enter")


def come_in(browser: Browser, saas: SaasProcess, name: str) -> Page:
    page = browser.visit(saas.url)
    sign_up(page, name)
    page.wait_text("No payments yet.")
    return page


def text_of(page: Page) -> str:
    text: str = page.evaluate("document.body.innerText")
    return text


def test_the_page_waits_for_the_webhook_and_changes_by_itself(saas: SaasProcess, browser: Browser) -> None:
    page = browser.visit(saas.url)
    page.wait_text("Yours alone")
    saas.do("/outbox/hold")
    try:
        sign_up(page, "Katherine Johnson")
        page.wait_text("Almost there")
        page.evaluate("window.sameDocument = true")
    finally:
        saas.do("/outbox/release")
    page.wait_text("No payments yet.")
    page.wait_text("Katherine Johnson")
    saas.do(f"/accounts/{saas.account('Katherine Johnson')}/rename", name="Katherine Goble")
    page.wait_text("Katherine Goble")
    assert page.evaluate("window.sameDocument") is True
    assert page.errors == []


def test_payments_appear_and_are_settled_by_themselves(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Dorothy Vaughan")
    page.evaluate("window.sameDocument = true")
    saas.do("/outbox/hold")
    try:
        page.click("Buy Team")
        page.wait("!document.querySelector('.plans button').disabled")
        assert page.evaluate(ROWS) == 0
    finally:
        saas.do("/outbox/release")
    page.wait("document.querySelector('[data-status=\"paid\"]')")
    page.wait_text("Paid until")
    page.wait_text("$29.00")
    page.evaluate("document.querySelector('[type=checkbox]').click()")
    page.click("Buy Studio")
    page.wait("document.querySelector('[data-status=\"failed\"]')")
    page.wait_text("insufficient funds")
    page.wait_text("1 failed")
    assert page.evaluate(ROWS) == 2
    assert page.evaluate("window.sameDocument") is True
    assert page.errors == []


def test_a_long_list_is_paged_through_and_stays_live(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Mary Jackson")
    saas.do(f"/accounts/{saas.account('Mary Jackson')}/renew")
    # The first page had no end yet, so it grew; one that begins now ends after five.
    page.wait(f"{ROWS} === 12")
    page.evaluate("void location.reload()")
    page.wait(f"{ROWS} === 5")
    page.click("Load more")
    page.wait(f"{ROWS} === 10")
    page.click("Load more")
    page.wait(f"{ROWS} === 12 && !document.body.innerText.includes('Load more')")
    page.click("Buy Starter")
    page.wait(f"{ROWS} === 13")
    page.wait_text("13 payments")
    assert page.errors == []


def test_each_user_sees_only_what_is_theirs(saas: SaasProcess, browser: Browser) -> None:
    ada = come_in(browser, saas, "Annie Easley")
    ada.click("Buy Studio")
    ada.wait("document.querySelector('[data-status=\"paid\"]')")
    other = come_in(browser, saas, "Melba Roy")
    assert "Annie" not in text_of(other)
    assert other.evaluate(ROWS) == 0
    # The same browser, another user: nothing of the first is left.
    ada.click("Sign out")
    ada.wait_text("Yours alone")
    assert "Annie" not in text_of(ada)
    assert ada.evaluate(ROWS) == 0
    sign_up(ada, "Christine Darden")
    ada.wait_text("No payments yet.")
    assert "Annie" not in text_of(ada)
    assert ada.errors == other.errors == []


def test_short_tokens_are_renewed_while_the_page_is_open(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Mary Golda Ross")
    page.evaluate("window.sameDocument = true")
    begun = page.evaluate(TOKENS)
    # More than one lifetime of a token.
    page.wait(f"{TOKENS} >= {begun + 8}", seconds=60)
    page.click("Buy Starter")
    page.wait("document.querySelector('[data-status=\"paid\"]')")
    assert page.evaluate("window.sameDocument") is True
    assert page.errors == []


def test_a_provider_that_is_away_is_told_and_asked_again(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Evelyn Boyd")
    page.evaluate("window.away = window.fetch; window.fetch = () => Promise.reject(new TypeError('away'))")
    page.wait_text("does not answer")
    assert "Evelyn" not in text_of(page)
    page.evaluate("window.fetch = window.away")
    page.click("Try again")
    page.wait_text("Evelyn Boyd")
    assert page.errors == []


def test_who_is_deleted_sees_nothing_any_more(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Gladys West")
    page.click("Buy Team")
    page.wait("document.querySelector('[data-status=\"paid\"]')")
    # From now on the page can only go by what it has: the provider gives it no token any more.
    page.evaluate(
        "window.seen = []; new MutationObserver(() => seen.push(document.body.innerText))"
        ".observe(document.body, { childList: true, subtree: true, characterData: true })"
    )
    saas.do(f"/accounts/{saas.account('Gladys West')}/delete")
    page.wait("seen.some((text) => text.includes('was deleted'))")
    page.wait_text("Yours alone")
    assert page.errors == []


def test_forged_webhooks_and_tokens_change_and_tell_nothing(saas: SaasProcess, browser: Browser) -> None:
    page = come_in(browser, saas, "Valerie Thomas")
    user = saas.account("Valerie Thomas")
    forged = httpx.post(
        f"{saas.url}/http/webhooks/clerk",
        json={"type": "user.deleted", "data": {"id": user}},
        headers={"svix-id": "msg_1", "svix-timestamp": "1700000000", "svix-signature": "v1,AAAA"},
    )
    assert (forged.status_code, forged.content) == (400, b"")
    call = {"path": "payments:summary", "args": {}, "format": "json"}
    stranger = httpx.post(f"{saas.url}/api/query", json=call).json()
    assert (stranger["status"], stranger["errorData"]["code"]) == ("error", "no_user")
    token = page.evaluate(
        f"fetch('{saas.desk}/token', {{ credentials: 'include' }}).then((answer) => answer.json())"
    )["token"]
    signed_in = httpx.post(f"{saas.url}/api/query", json=call, headers={"authorization": f"Bearer {token}"})
    assert signed_in.json()["value"]["attempts"] == 0
    head, payload, signature = token.split(".")
    bent = f"{head}.{payload}.{signature[::-1]}"
    refused = httpx.post(f"{saas.url}/api/query", json=call, headers={"authorization": f"Bearer {bent}"})
    assert refused.status_code == 401
    # Other pages of the world may not read tokens.
    foreign = httpx.get(f"{saas.desk}/token", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    page.wait_text("Valerie Thomas")


def test_one_command_ends_as_a_whole(node: str, tmp_path: Path) -> None:
    install_packages(SAAS)
    with saas_process(tmp_path) as saas:
        assert httpx.get(saas.url).status_code == 200
        assert saas.stop() == 0
        for address in (saas.url, saas.desk):
            with pytest.raises(httpx.TransportError):
                httpx.get(address)


def test_a_port_that_is_taken_is_named(node: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(SAAS / "run.py")],
            env=os.environ | {"SAAS_PROVIDER_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, f"saas: port {port} is taken\n")


def test_the_page_type_checks_with_clerk_too(node: str) -> None:
    install_packages(SAAS)
    run("npx", "tsc", "--noEmit", folder=SAAS)
    assert "ConvexProviderWithClerk" in (SAAS / "src" / "provider" / "clerk.tsx").read_text(encoding="utf-8")


def test_the_committed_types_are_what_codegen_writes(tmp_path: Path) -> None:
    assert_types_are_fresh(SAAS, tmp_path)


def test_the_lock_file_names_no_host() -> None:
    lock = json.loads((SAAS / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]

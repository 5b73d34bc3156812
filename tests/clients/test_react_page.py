"""`ConvexReactClient` in a real browser: what a person would see, render by render."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.clients.browser import Browser, Page
from tests.clients.client_host import ClientHost
from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.browser]

LOADED = "renders.counter.at(-1) !== null && renders.messages.at(-1) !== null"


def renders(page: Page, name: str) -> list[Any]:
    shown: list[Any] = page.evaluate(f"renders.{name}")
    return shown


def without_loading(shown: list[Any]) -> list[Any]:
    """The renders after loading; once there was data there must never be loading again."""
    begun = list(itertools.dropwhile(lambda each: each is None, shown))
    assert None not in begun, f"flashed back to loading: {shown}"
    return begun


def assert_counter_never_goes_back(page: Page) -> None:
    shown = without_loading(renders(page, "counter"))
    steps = [(before, after) for before, after in itertools.pairwise(shown) if after < before]
    assert not steps, f"a render went back: {steps}"


def assert_messages_never_go_back(page: Page) -> None:
    shown = without_loading(renders(page, "messages"))
    for bodies in shown:
        assert len(set(bodies)) == len(bodies), f"shown twice at once: {bodies}"
    for before, after in itertools.pairwise(shown):
        assert set(before) <= set(after), f"disappeared: {set(before) - set(after)}"


def test_a_query_is_loading_and_then_there(server: ServerProcess, browser: Browser) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait(LOADED)
    shown = renders(page, "counter")
    assert shown[0] is None
    assert shown[-1] == 0
    assert without_loading(renders(page, "messages"))[0] == []
    assert page.errors == []


def test_what_somebody_else_writes_appears_by_itself(
    server: ServerProcess, browser: Browser, npm: ClientHost
) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait(LOADED)
    npm.open(server.url).mutation("messages:send", {"author": "ada", "body": "from outside"})
    page.wait_text("from outside")


def test_an_optimistic_counter_never_flickers(server: ServerProcess, browser: Browser) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait(LOADED)
    # One after the other: the server's value and the optimistic one must hand over within one render.
    page.evaluate("(async () => { for (let n = 0; n < 40; n++) await increment({ name: 'a' }) })()")
    assert renders(page, "counter")[-1] == 40
    assert_counter_never_goes_back(page)
    # And many at once.
    page.evaluate("Promise.all(Array.from({ length: 60 }, () => increment({ name: 'a' })))")
    page.wait("renders.counter.at(-1) === 100")
    assert_counter_never_goes_back(page)
    assert max(without_loading(renders(page, "counter"))) == 100, "showed more than was ever counted"


def test_optimistic_messages_stay_while_others_write_too(
    server: ServerProcess, browser: Browser, npm: ClientHost
) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait(LOADED)
    others = npm.open(server.url)
    pending = [
        others.call("mutation", "messages:send", {"author": "npm", "body": f"theirs {number}"})
        for number in range(20)
    ]
    page.evaluate(
        "Promise.all(Array.from({ length: 20 }, (_, n) => send({ author: 'page', body: `mine ${n}` })))"
    )
    for each in pending:
        each.wait()
    page.wait("renders.messages.at(-1).length === 40")
    assert_messages_never_go_back(page)
    mine = [body for body in renders(page, "messages")[-1] if body.startswith("mine")]
    assert mine == [f"mine {number}" for number in range(20)], "mutations of one client keep their order"


def test_the_optimistic_part_of_a_refused_mutation_is_taken_back(
    server: ServerProcess, browser: Browser
) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait(LOADED)
    data = page.evaluate("refuse({ data: { code: 'full' } }).then(() => null, (error) => error.data)")
    assert data == {"code": "full"}
    page.wait("renders.counter.at(-1) === 0")
    assert 1000 in renders(page, "counter")
    # The page goes on working.
    page.evaluate("increment({ name: 'a' })")
    page.wait("renders.counter.at(-1) === 1")


def test_an_error_of_a_query_reaches_the_error_boundary(server: ServerProcess, browser: Browser) -> None:
    page = browser.open("renders.jsx", backend=server.url)
    page.wait("renders.fever.at(-1) === 'calm'")
    page.evaluate("increment({ name: 'fever' })")
    caught = page.wait("window.caught")
    assert caught["data"] == {"value": 1}
    assert "failures:while_positive" in caught["message"]


def test_a_page_survives_a_cut_wire_without_flashing(server: ServerProcess, browser: Browser) -> None:
    with CuttableProxy(server.port) as proxy:
        page = browser.open("renders.jsx", backend=proxy.url)
        page.wait(LOADED)
        page.evaluate("increment({ name: 'a' })")
        proxy.cut()
        # Offline: the optimistic value is shown at once and stays until the server has it.
        page.evaluate("void increment({ name: 'a' })")
        page.evaluate("void send({ author: 'page', body: 'written offline' })")
        page.wait("renders.counter.at(-1) === 2 && renders.messages.at(-1).includes('written offline')")
        proxy.mend()
        page.wait("connections >= 2", seconds=40)
        page.evaluate("increment({ name: 'a' })")
        assert renders(page, "counter")[-1] == 3
        assert_counter_never_goes_back(page)
        assert_messages_never_go_back(page)

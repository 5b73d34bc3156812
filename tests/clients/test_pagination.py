"""`usePaginatedQuery` in a real browser, while others insert and delete: no gaps, no overlaps."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from tests.clients.browser import Browser, Page
from tests.clients.client_host import Client, ClientHost
from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.browser]

# These are never deleted, so a render that passes over one of them has a gap.
STABLE = list(range(0, 400, 10))


def posts_of(page: Page) -> list[list[float]]:
    """What was shown, render by render, once there was something."""
    renders: list[dict[str, Any]] = page.evaluate("renders.posts")
    return [render["numbers"] for render in renders if render["status"] != "LoadingFirstPage"]


def assert_no_gap_and_no_overlap(shown: list[list[float]]) -> None:
    for numbers in shown:
        assert all(before < after for before, after in itertools.pairwise(numbers)), f"overlap: {numbers}"
        end = numbers[-1] if numbers else -1
        missing = {number for number in STABLE if number <= end} - set(numbers)
        assert not missing, f"gap: {sorted(missing)} of {numbers}"


def load_more(page: Page, count: int) -> None:
    page.wait("posts.status === 'CanLoadMore'")
    page.evaluate(f"posts.loadMore({count})")
    page.wait("posts.status === 'CanLoadMore' || posts.status === 'Exhausted'")


def everything(client: Client) -> list[float]:
    numbers: list[float] = client.query("feeds:numbers", {"feed": "a"})
    return numbers


def change_at_random(client: Client, chance: random.Random, *, times: int) -> None:
    """Insert and delete between the stable numbers, all over the list."""
    added: set[int] = set()
    for _ in range(times):
        fresh = {chance.randrange(400) for _ in range(3)} - set(STABLE) - added
        gone = set(chance.sample(sorted(added), k=len(added) // 2))
        client.mutation("feeds:post", {"feed": "a", "numbers": sorted(fresh)})
        client.mutation("feeds:remove", {"feed": "a", "numbers": sorted(gone)})
        added = added - gone | fresh


def test_pages_never_gap_or_overlap_while_others_write(
    server: ServerProcess, browser: Browser, npm: ClientHost
) -> None:
    others = npm.open(server.url)
    others.mutation("feeds:post", {"feed": "a", "numbers": STABLE})
    page = browser.open("paginated.jsx", backend=server.url)
    page.wait("posts.results.length === 5")
    chance = random.Random(5)
    for count in (3, 7, 4, 9):
        change_at_random(others, chance, times=4)
        load_more(page, count)
    change_at_random(others, chance, times=6)
    expected = everything(others)
    while page.evaluate("posts.status") != "Exhausted":
        load_more(page, 20)
    others.mutation("feeds:post", {"feed": "a", "numbers": [500]})
    page.wait("posts.results.at(-1).number === 500")
    assert page.evaluate("posts.results.map(p => p.number)") == [*expected, 500]
    assert_no_gap_and_no_overlap(posts_of(page))
    assert page.errors == []


def test_a_page_that_grew_is_split_without_a_flicker(
    server: ServerProcess, browser: Browser, npm: ClientHost
) -> None:
    others = npm.open(server.url)
    others.mutation("feeds:post", {"feed": "a", "numbers": STABLE})
    page = browser.open("paginated.jsx", backend=server.url)
    page.wait("posts.results.length === 5")
    for start in range(1, 40, 4):
        fresh = [number for number in range(start, start + 4) if number not in STABLE]
        others.mutation("feeds:post", {"feed": "a", "numbers": fresh})
    page.wait("posts.results.length === 41")
    load_more(page, 5)
    others.mutation("feeds:remove", {"feed": "a", "numbers": [1, 2, 3, 33]})
    page.wait("!posts.results.some(p => p.number === 33)")
    shown = posts_of(page)
    assert shown[-1] == everything(others)[: len(shown[-1])]
    assert_no_gap_and_no_overlap(shown)
    lengths = [len(numbers) for numbers in shown if numbers]
    assert min(lengths) >= 5, "a page that is being split stays on screen"
    assert page.errors == []


def test_pages_survive_a_cut_wire(server: ServerProcess, browser: Browser, npm: ClientHost) -> None:
    others = npm.open(server.url)
    others.mutation("feeds:post", {"feed": "a", "numbers": STABLE})
    with CuttableProxy(server.port) as proxy:
        page = browser.open("paginated.jsx", backend=proxy.url)
        page.wait("posts.results.length === 5")
        load_more(page, 5)
        proxy.cut()
        # The journals come back with the reconnect: the first page keeps its end, so it grows.
        others.mutation("feeds:post", {"feed": "a", "numbers": [1, 2, 39, 41, 89]})
        proxy.mend()
        page.wait("posts.results.length === 15", seconds=40)
        assert_no_gap_and_no_overlap(posts_of(page))
        assert posts_of(page)[-1] == everything(others)[:15]


def test_the_hook_begins_again_when_its_cursors_are_of_another_query(
    server: ServerProcess, browser: Browser, npm: ClientHost
) -> None:
    others = npm.open(server.url)
    others.mutation("feeds:post", {"feed": "b", "numbers": list(range(20))})
    page = browser.open("paginated.jsx", backend=server.url)
    page.wait("numbers.results.length === 4")
    page.evaluate("numbers.loadMore(4)")
    page.wait("numbers.results.length === 8")
    others.mutation("feeds:turn_around", {})
    page.wait("numbers.results.length === 4 && numbers.results[0] === 19")
    page.evaluate("numbers.loadMore(3)")
    page.wait("numbers.results.length === 7")
    assert page.evaluate("numbers.results") == [19, 18, 17, 16, 15, 14, 13]
    assert page.errors == []

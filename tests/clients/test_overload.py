"""An overloaded server, as official clients meet it: a time to come back, and nothing lost or done twice."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from tests.clients.client_host import ClientError, ClientHost
from tests.clients.json_program import Event
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients

SLOW = """
    from rewake import MutationCtx, QueryCtx, mutation, query

    @mutation
    def add(ctx: MutationCtx, who: str, n: int) -> int:
        sum(number % 7 for number in range(150_000))  # Some ten milliseconds.
        ctx.db.insert("rows", {"who": who, "n": n})
        return n

    @query
    def numbers(ctx: QueryCtx, who: str) -> list[int]:
        return [row["n"] for row in ctx.db.query("rows").collect() if row["who"] == who]
"""
NARROW = {"REWAKE_LIMIT_QUEUE_WAIT_SECONDS_MAX": "0.05", "REWAKE_LIMIT_GROUP_MUTATIONS_MAX": "2"}
CALLERS = 24
"""Each from an address of its own, as a trusted proxy tells it: a quarter of a second of work in turns."""


@pytest.fixture
def slow_server(
    make_server: Callable[..., ServerProcess], runner: tuple[str, ...], tmp_path: Path
) -> ServerProcess:
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    (project / "backend" / "slow.py").write_text(dedent(SLOW))
    server = make_server(project, *runner)
    server.environment = NARROW
    server.start()
    return server


class Crowd:
    """Callers over HTTP that ask again as soon as they are answered, whatever the answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.was_refused = threading.Event()
        self.served: dict[str, list[int]] = {}
        self.refused: dict[str, list[int]] = {}
        self.answers: list[httpx.Response] = []

    def run(self, number: int) -> None:
        who = f"caller {number}"
        served, refused = self.served.setdefault(who, []), self.refused.setdefault(who, [])
        with httpx.Client(headers={"X-Forwarded-For": f"10.0.0.{number + 1}"}, timeout=60.0) as client:
            for n in itertools.count():
                if self.over.is_set():
                    return
                call = {"path": "slow:add", "args": {"who": who, "n": n}, "format": "json"}
                answer = client.post(f"{self.url}/api/mutation", json=call)
                if answer.status_code == 200:
                    served.append(n)
                else:
                    refused.append(n)
                    self.answers.append(answer)
                    self.was_refused.set()

    @contextmanager
    def pressing(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            assert self.was_refused.wait(60), "the server was not overloaded"
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


def numbers_of(server: ServerProcess, who: str) -> list[int]:
    call = {"path": "slow:numbers", "args": {"who": who}, "format": "json"}
    answer: dict[str, Any] = httpx.post(f"{server.url}/api/query", json=call, timeout=60.0).json()
    return [int(number) for number in answer["value"]]


def test_over_http_who_is_turned_away_is_told_when_to_come_back_and_nothing_ran(
    slow_server: ServerProcess, npm: ClientHost
) -> None:
    crowd, http = Crowd(slow_server.url), npm.open_http(slow_server.url)
    told: list[str] = []
    with crowd.pressing():
        for n in itertools.count():
            try:
                assert http.mutation("slow:add", {"who": "npm", "n": float(n)}) == n
            except ClientError as error:
                told.append(str(error))
                break
    for answer in crowd.answers:
        assert answer.status_code == 503
        body = answer.json()
        assert set(body) == {"code", "message"}
        assert body["code"] == "CommitterFullError"
        seconds = int(answer.headers["Retry-After"])
        assert 1 <= seconds <= 60
        assert f"try again in {seconds} seconds" in body["message"]
    assert json.loads(told[0])["code"] == "CommitterFullError", "npm throws what the server said"
    assert numbers_of(slow_server, "npm") == list(range(n)), "all but the one that was turned away"
    for who, served in crowd.served.items():
        assert numbers_of(slow_server, who) == served, who
    assert http.mutation("slow:add", {"who": "after", "n": 1.0}) == 1


def test_a_websocket_comes_back_by_itself_and_each_mutation_is_done_once_in_its_order(
    slow_server: ServerProcess, npm: ClientHost
) -> None:
    client = npm.open(slow_server.url, tells_console=True)
    seen = client.subscribe("slow:numbers", {"who": "npm"})
    seen.wait_value(lambda value: value == [])
    asked = itertools.count()

    def is_refusal(event: Event) -> bool:
        return event["event"] == "console" and "CommitterFullError: try again in " in event["message"]

    sent: list[int] = []
    pending = []
    crowd = Crowd(slow_server.url)
    with crowd.pressing():
        while not any(is_refusal(event) for event in list(npm.program.events)):
            sent += (batch := [next(asked) for _ in range(3)])
            pending += [client.call("mutation", "slow:add", {"who": "npm", "n": float(n)}) for n in batch]
            ids = [each.number for each in pending[-3:]]
            npm.program.wait_for(
                lambda ids=ids: (
                    any(is_refusal(event) for event in npm.program.events)
                    or {event["id"] for event in npm.program.events if event["event"] == "settled"}
                    >= set(ids)
                    or None
                )
            )
    assert [each.wait() for each in pending] == sent, "nobody sees an error"
    assert numbers_of(slow_server, "npm") == sent
    seen.wait_value(lambda value: value == sent)
    told = [event["message"] for event in npm.program.events if is_refusal(event)]
    assert told[0].startswith("WebSocket closed with code 1013: CommitterFullError: try again in ")

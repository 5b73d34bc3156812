"""Worker processes die under a client with the strictest eyes, which sees nothing of it.

Processes are found the way an operator would find them: the server's child is the template, whose children
are the writer and the readers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.clients.deadline import Deadline
from tests.clients.raw_client import QueryFailure, RawClient
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]

MUTATIONS = 160


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def template_of(server: ServerProcess) -> int:
    assert server.process is not None
    (template,) = children(server.process.pid)
    return template


def is_gone(process: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet is as good as gone."""
    try:
        return " Z " in Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2][:4]
    except FileNotFoundError:
        return True


def stream(server: ServerProcess, disturb: Callable[[], None]) -> None:
    """Increment a counter that is watched, ten calls under way, and disturb the server every 40 answers."""
    with RawClient(server.url) as client:
        counter = client.add("counters:get", {"name": "a"})
        assert client.result(counter) == 0
        requests = [client.mutate("counters:increment", {"name": "a"}) for _ in range(10)]
        for number in range(MUTATIONS):
            response = client.response(requests[number])
            assert response["success"], response
            assert response["result"] == number + 1
            if number % 40 == 20:
                disturb()
            if len(requests) < MUTATIONS:
                requests.append(client.mutate("counters:increment", {"name": "a"}))
        client.settle(requests[-1])
        assert client.result(counter) == MUTATIONS


@pytest.fixture
def server(make_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server with workers, ready, with nothing stored."""
    server = make_server(PROJECT, "--workers", "2")
    server.start()
    return server


def test_all_workers_killed_again_and_again(server: ServerProcess) -> None:
    killed: set[int] = set()

    body = {"path": "counters:get", "args": {"name": "a"}, "format": "json"}

    def disturb() -> None:
        # A query that takes two readers with it is given up on: the one that the last kill interrupted is to
        # be over, and readers serve in the order in which they are asked.
        for _ in range(2):
            assert httpx.post(f"{server.url}/api/query", json=body, timeout=60).json()["status"] == "success"
        for worker in children(template_of(server)):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)

    stream(server, disturb)
    assert len(killed) >= 4, "some of them were new"
    assert httpx.post(f"{server.url}/api/query", json=body).json()["value"] == MUTATIONS


def test_the_template_killed(server: ServerProcess) -> None:
    first = template_of(server)

    def disturb() -> None:
        if not is_gone(first):
            os.kill(first, signal.SIGKILL)

    stream(server, disturb)
    assert template_of(server) != first


def test_http_mutations_are_carried_out_once_each_while_writers_die(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for number in range(60):
            if number % 15 == 7:
                for worker in children(template_of(server)):
                    os.kill(worker, signal.SIGKILL)
            body = {"path": "counters:increment", "args": {"name": "a"}, "format": "json"}
            answer = client.post("/api/mutation", json=body).json()
            assert answer["status"] == "success", answer
            assert answer["value"] == number + 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("endless", "Function execution timed out (maximum duration: 1s)"),
        ("doubling", "Function execution ran out of memory (maximum memory usage: 512 MB)"),
    ],
)
def test_a_runaway_function_fails_alone_and_its_process_goes_on(
    server: ServerProcess, name: str, text: str
) -> None:
    workers = children(template_of(server))
    with RawClient(server.url) as runaway, RawClient(server.url) as other:
        counter = other.add("counters:get", {"name": "a"})
        assert other.result(counter) == 0
        never = runaway.add(f"runaways:{name}_query", {})
        endless = runaway.mutate(f"runaways:{name}_mutation", {})
        for expected in range(1, 30):
            other.settle(other.mutate("counters:increment", {"name": "a"}))
            assert other.result(counter) == expected
        response = runaway.response(endless)
        assert not response["success"]
        # On a busy machine half a gigabyte may take longer than a function may compute.
        texts = (text, "Function execution timed out (maximum duration: 1s)")
        assert any(each in response["result"] for each in texts)
        with pytest.raises(QueryFailure) as failed:
            runaway.result(never)
        assert any(each in failed.value.modification["errorMessage"] for each in texts)
        # Nothing of it was kept, and who ran it runs on.
        assert other.result(other.add("messages:list_all")) == []
    assert children(template_of(server)) == workers


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_no_process_outlives_the_server(how: str, server: ServerProcess) -> None:
    template = template_of(server)
    family = [template, *children(template)]
    assert len(family) == 5, "a template, a writer, two readers, and one for actions"
    getattr(server, how)()
    deadline = Deadline(60)
    while not all(is_gone(process) for process in family):
        assert not deadline.is_over, family
    # And the data is free for the next one.
    server.start()


def test_without_workers_there_are_none(make_server: Callable[..., ServerProcess]) -> None:
    server = make_server(PROJECT, "--workers", "0")
    server.start()
    assert server.process is not None
    assert children(server.process.pid) == []

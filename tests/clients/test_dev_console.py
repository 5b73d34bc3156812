"""`rewake dev` and the page's console: official clients print what is wrong with new code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.cli.starter_project import write_starter
from tests.cli.command import Running
from tests.clients.browser import Browser
from tests.clients.client_host import ClientHost
from tests.clients.server_process import free_port

pytestmark = pytest.mark.clients


class Dev:
    """`rewake dev` on a fresh starter project, and somebody who saves files."""

    def __init__(self, project: Path, *words: str) -> None:
        self.project = project
        self.port = free_port()
        self.running = Running("dev", "--port", str(self.port), *words, cwd=project)
        self.url = f"http://127.0.0.1:{self.port}"

    def save(self, name: str, old: str, new: str) -> None:
        file = self.project / "backend" / name
        text = file.read_text()
        assert old in text
        draft = file.with_suffix(".draft")
        draft.write_text(text.replace(old, new))
        draft.replace(file)


@pytest.fixture(params=[(), ("--workers", "0")], ids=["workers", "inline"])
def dev(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Dev]:
    project = tmp_path / "chat"
    write_starter(project, keep=False)
    dev = Dev(project, *request.param)
    with dev.running as running:
        running.wait_for("ready ")
        yield dev


def test_npm_clients_print_each_problem_once_and_that_it_is_mended(dev: Dev, npm: ClientHost) -> None:
    client = npm.open(dev.url, tells_console=True)
    client.subscribe("messages:list_recent").wait_value(lambda value: value == [])

    def printed() -> list[str]:
        return [event["message"] for event in npm.program.events if event["event"] == "console"]

    def wait(text: str) -> str:
        found: str = npm.program.wait(lambda event: event["event"] == "console" and text in event["message"])[
            "message"
        ]
        return found

    dev.save("schema.py", "body: str", "body: complex")
    problem = wait("rewake dev: ")
    assert "[CONVEX Q(messages:list_recent)] [ERROR]" in problem
    assert "backend/schema.py" in problem
    assert "Message.body" in problem
    dev.running.wait_for("kept ")
    # The page goes on: the old code serves.
    client.mutation("messages:send", {"body": "still"})
    # Whoever comes while it stands is told as well, once.
    late = npm.open(dev.url, tells_console=True)
    late.subscribe("messages:list_recent").wait_value(lambda value: True)
    npm.program.wait_for(lambda: sum("rewake dev" in text for text in printed()) == 2)
    # A second problem is another one: with the line of the author's file.
    dev.save("schema.py", "body: complex", "body: str = 1 / 0")
    assert 'schema.py", line ' in wait("ZeroDivisionError")
    dev.save("schema.py", "body: str = 1 / 0", "body: str")
    wait("is served again")
    client.mutation("messages:send", {"body": "mended"})
    npm.program.wait_for(lambda: sum("is served again" in text for text in printed()) == 2)
    told = [text for text in printed() if "rewake dev" in text]
    assert len(told) == 2 + 2 + 2, told


def test_a_schema_that_does_not_fit_is_told_with_its_document(dev: Dev, npm: ClientHost) -> None:
    client = npm.open(dev.url, tells_console=True)
    client.subscribe("messages:list_recent").wait_value(lambda value: True)
    client.mutation("messages:send", {"body": "short"})
    dev.save("schema.py", "body: str", "body: float")
    problem = npm.program.wait(
        lambda event: event["event"] == "console" and "rewake dev" in event["message"]
    )["message"]
    assert "does not fit a document" in problem
    assert "table messages" in problem
    assert "field body" in problem


@pytest.mark.browser
def test_a_browser_shows_it_in_its_console(dev: Dev, browser: Browser) -> None:
    page = browser.open("console.jsx", backend=dev.url)
    page.wait_text("0 messages")
    dev.save("messages.py", "@mutation", "import nowhere_to_be_found\n\n\n@mutation")
    problem = page.wait_console("rewake dev: ")
    assert "No module named 'nowhere_to_be_found'" in problem
    page.evaluate("send({ body: 'the page goes on' })")
    page.wait_text("1 messages")
    dev.save("messages.py", "import nowhere_to_be_found\n\n\n@mutation", "@mutation")
    page.wait_console("is served again")
    assert [text.count("rewake dev") for text in page.console if "rewake dev" in text] == [1, 1]
    assert page.errors == []

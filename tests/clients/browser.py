"""Pages in a headless Chromium, told what to do from a Python test.

`programs/browser_host.mjs` holds the browser; this is its other half.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from tests.clients.client_host import Pending
from tests.clients.json_program import WAIT_SECONDS, JsonProgram


@dataclass
class Browser:
    """The browser. Each page has a context of its own: no page knows another's storage."""

    program: JsonProgram
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    def open(self, file: str, *, backend: str) -> Page:
        """Open a page of `programs/pages`, which is told where the backend is."""
        return self._open(file=file, backend=backend)

    def visit(self, address: str) -> Page:
        """Open a page that some server serves."""
        return self._open(address=address)

    def ask(self, op: str, **fields: Any) -> Pending:
        """Send a command that will be answered by one `settled` event."""
        number = next(self._ids)
        self.program.send({"op": op, "id": number, **fields})
        return Pending(self.program, number)

    def _open(self, **fields: str) -> Page:
        page = Page(self, f"page-{next(self._ids)}")
        self.ask("open", page=page.name, **fields).wait(seconds=40)
        return page


@dataclass
class Page:
    """One page. Expressions are JavaScript."""

    browser: Browser
    name: str

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; a promise is awaited."""
        return self.browser.ask("evaluate", page=self.name, expression=expression).wait()

    def wait(self, expression: str, *, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until an expression is truthy; its value then."""
        asked = self.browser.ask("wait", page=self.name, expression=expression, seconds=seconds)
        return asked.wait(seconds=seconds + 5)

    def wait_text(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def fill(self, label: str, text: str) -> None:
        """Write into the field with this label."""
        self.browser.ask("fill", page=self.name, label=label, text=text).wait()

    def click(self, button: str) -> None:
        """Press the button that says this."""
        self.browser.ask("click", page=self.name, button=button).wait()

    def press(self, label: str, key: str) -> None:
        """Press a key in the field with this label."""
        self.browser.ask("press", page=self.name, label=label, key=key).wait()

    @property
    def console(self) -> list[str]:
        """What was printed in the page's console so far."""
        return [
            event["message"]
            for event in list(self.browser.program.events)
            if event["event"] == "console" and event["page"] == self.name
        ]

    def wait_console(self, text: str) -> str:
        """Wait until the console shows a text; the whole message with it."""
        found: str = self.browser.program.wait(
            lambda event: (
                event["event"] == "console" and event["page"] == self.name and text in event["message"]
            )
        )["message"]
        return found

    @property
    def errors(self) -> list[str]:
        """What the page threw and nobody caught."""
        return [
            event["message"]
            for event in list(self.browser.program.events)
            if event["event"] == "pageerror" and event["page"] == self.name
        ]

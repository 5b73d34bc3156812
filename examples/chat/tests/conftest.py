"""A service for the bot to ask: chat completions on a port of this machine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rewake.testing import Backend


class Service(ThreadingHTTPServer):
    """Answers every question with `status` and `body`, once `may_answer` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.body = b'{"choices": [{"message": {"role": "assistant", "content": "Forty-two."}}]}'
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @classmethod
    @contextmanager
    def running(cls) -> "Iterator[Service]":
        """A service that listens until the block ends."""
        with cls() as service:
            thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield service
            finally:
                service.may_answer.set()
                service.shutdown()
                thread.join()


class _Answering(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        assert self.path == "/v1/chat/completions"
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.keys.append(self.headers["Authorization"])
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        try:
            self.wfile.write(self.server.body)
        except OSError:
            pass  # Who asked has heard enough.

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture
def service(rewake_backend: Backend) -> Iterator[Service]:
    """A service that the bot of this test's backend asks."""
    with Service.running() as service:
        rewake_backend.env["BOT_URL"] = service.url
        yield service

"""An issuer that listens: discovery, keys, and tokens for whoever asks, as a page's sign-in would get them.

    GET /.well-known/openid-configuration   GET /keys   GET /token?user=ada&seconds=60

It has the machine's own time, with `skew` seconds added. `is_down` makes it answer 503, `answers` can be
cleared so that it does not answer at all.
"""

from __future__ import annotations

import http.server
import itertools
import json
import threading
import time
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.auth.issuer import Issuer
from tests.clients.deadline import Deadline

_WAIT_SECONDS = 30.0


class IssuerServer:
    """One issuer on a port of this process."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self.issuer = Issuer(algorithm=algorithm)
        self.skew = 0.0
        self.is_down = False
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[str] = []
        """Paths in the order in which they were asked for."""
        self._numbers = itertools.count()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.issuer.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="issuer"
        )

    @property
    def url(self) -> str:
        return self.issuer.url

    def token(self, user: str = "ada", *, seconds: float = 3600, **claims: Any) -> str:
        """A fresh token, unlike any before."""
        now = time.time() + self.skew
        times = {"iat": int(now), "exp": now + seconds, "jti": str(next(self._numbers))}
        return self.issuer.token(sub=user, **{**times, **claims})

    def wait_asked(self, path: str, *, since: int = 0) -> None:
        """Return when `path` was asked for, not counting the first `since` requests."""
        deadline = Deadline(_WAIT_SECONDS)
        seen = threading.Event()
        while path not in self.asked[since:]:
            assert not deadline.is_over, f"{path} was not asked for: {self.asked}"
            seen.wait(0.01)

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        self.asked.append(address.path)
        self.answers.wait(_WAIT_SECONDS)
        status, page = (503, {}) if self.is_down else (200, self._page(address.path, address.query))
        body = json.dumps(page).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.send_header("access-control-allow-origin", "*")
        handler.end_headers()
        handler.wfile.write(body)

    def _page(self, path: str, query: str) -> Any:
        if path == "/token":
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            return {"token": self.token(asked["user"], seconds=float(asked.get("seconds", 3600)))}
        if path == "/keys":
            return self.issuer.key_set()
        return self.issuer.discovery()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    answer(self)
                except OSError:
                    pass  # Whoever asked has gone away.

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler

    def __enter__(self) -> IssuerServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

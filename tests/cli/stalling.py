"""A way to a server on which one answer can be stopped: the command waits for it, and the test may act."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from urllib.parse import urlsplit

from tests.cli.command import WAIT_SECONDS


class Stalling:
    """Passes everything on, but keeps the answer to the first request whose head has `words` in it."""

    def __init__(self, url: str, words: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._words = words.encode()
        self._reached = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_reached(self) -> None:
        """Return when the server has the request, or is about to."""
        assert self._reached.wait(WAIT_SECONDS), f"no request with {self._words!r} came"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs, _ = self._listener.accept()
                ours = socket.create_connection(self._target)
                self._sockets += [theirs, ours]
                is_kept = threading.Event()
                threading.Thread(target=self._requests, args=(theirs, ours, is_kept), daemon=True).start()
                threading.Thread(target=self._answers, args=(ours, theirs, is_kept), daemon=True).start()

    def _requests(self, source: socket.socket, target: socket.socket, is_kept: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self._words in piece and not self._reached.is_set():
                    is_kept.set()
                    target.sendall(piece)
                    self._reached.set()
                else:
                    target.sendall(piece)
        # Whoever asked has gone: the server is to notice.
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _answers(self, source: socket.socket, target: socket.socket, is_kept: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if not is_kept.is_set():
                    target.sendall(piece)
            if not is_kept.is_set():
                target.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Stalling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.close()

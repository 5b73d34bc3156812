"""`make demo`: serve the chat example, let two scripted clients talk, then leave the page running.

    DEMO_PORT=4000   listen there; 3210, or a free port if that is taken
    DEMO_ONCE=1      stop after the scripted session; exit code 0 if both clients saw what they must

The page must have been built (`npm run build` in examples/chat); the Makefile does that first.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHAT = Path(__file__).resolve().parent / "chat"
PORT_USUAL = 3210
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0


def choose_port() -> int:
    """The port that was asked for, else the usual one, else any that is free."""
    if asked := os.environ.get("DEMO_PORT"):
        return int(asked)
    for port in (PORT_USUAL, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("demo: no free port")


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    """Return when the server says that it takes calls."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise SystemExit("demo: the server did not start")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, and insist after a while."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> int:
    node = shutil.which("node")
    if node is None or not (CHAT / "dist" / "index.html").is_file():
        raise SystemExit("demo: run it as `make demo`, which sets up Node's packages and builds the page")
    port = choose_port()
    url = f"http://127.0.0.1:{port}"
    log_path = CHAT / ".rewake" / "demo.log"
    log_path.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "rewake", "dev", str(CHAT), "--port", str(port)]
    command += ["--static", str(CHAT / "dist")]
    # `make` may be stopped by its own parent, which sends SIGTERM and not Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with log_path.open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        wait_until_ready(server, url)
        print(f"Two clients of the official npm package talk through {url}:\n", flush=True)
        session = subprocess.run([node, str(CHAT / "scripted.mjs"), url], check=False)
        if session.returncode or os.environ.get("DEMO_ONCE"):
            return session.returncode
        print(f"\nNow you: open {url} in two windows. Ctrl-C ends it.", flush=True)
        print(
            "Send a message that disappears, or a picture; write “@bot help” and the bot answers.", flush=True
        )
        print(
            f"The functions are in examples/chat/backend; edit them, and {log_path} says what happens.",
            flush=True,
        )
        return server.wait()
    except KeyboardInterrupt:
        print()
        return 0
    except SystemExit:
        print(log_path.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
        raise
    finally:
        stop(server)


if __name__ == "__main__":
    sys.exit(main())

"""`rewake dev --start`: another command beside the server, which begins and ends with it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cli.command import Running, free_port
from tests.clients.deadline import Deadline


def test_it_knows_the_address_and_ends_with_the_server(project: Path) -> None:
    port = free_port()
    # The shell's child is the one that npm would have started: it ends as well.
    command = "echo address $VITE_CONVEX_URL; sleep 1000 & echo child $!; wait"
    with Running("dev", "--port", str(port), "--start", command, cwd=project) as dev:
        dev.wait_for(f"address http://127.0.0.1:{port}")
        child = int(dev.wait_for(r"child (\d+)")[1])
        file = project / "backend" / "messages.py"
        file.write_text(file.read_text() + "\n# saved\n")
        dev.wait_for("reloaded")
        assert dev.stop(signal.SIGINT) == 130
        assert dev.text.count("address http:") == 1, "a reload does not start it again"
    assert is_gone(child)


def test_its_own_end_is_told_and_ends_nothing(project: Path) -> None:
    with Running("dev", "--port", str(free_port()), "--start", "exit 7", cwd=project) as dev:
        dev.wait_for("`exit 7` has ended with exit code 7")
        file = project / "backend" / "messages.py"
        file.write_text(file.read_text() + "\n# saved\n")
        dev.wait_for("reloaded")
        assert dev.stop(signal.SIGTERM) == 0


def test_one_that_does_not_listen_to_sigterm_is_killed(project: Path) -> None:
    command = "trap '' TERM; echo stubborn $$; while true; do sleep 1; done"
    with Running("dev", "--port", str(free_port()), "--start", command, cwd=project) as dev:
        stubborn = int(dev.wait_for(r"stubborn (\d+)")[1])
        assert dev.stop(signal.SIGTERM) == 0
    assert is_gone(stubborn)


def is_gone(process: int) -> bool:
    """Whether a process has ended; whoever adopted it may take a moment to notice."""
    deadline = Deadline(30)
    while deadline.left:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
    return False

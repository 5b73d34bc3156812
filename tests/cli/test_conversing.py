"""Conversations of commands: how their ends are told, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.cli import conversing as module
from rewake.cli.connection import ServerAddress
from rewake.cli.conversing import conversation_failure, conversing
from rewake.cli.failure import CommandFailed, ServerUnreachable
from rewake.client import AuthenticationRefused, CallFailed, ConversationEnded, NotConnected
from rewake.environment import Environment
from tests.cli.command import Running

SERVER = ServerAddress("http://server", "key|00", Path("/nowhere"), is_guess=False)


def not_connected(cause: Exception) -> NotConnected:
    error = NotConnected(url="u", reason="r")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (AuthenticationRefused(reason="x"), CommandFailed, "refuses this admin key"),
        (ConversationEnded(reason="Base version"), CommandFailed, "Base version"),
        (
            not_connected(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")),
            ServerUnreachable,
            "does not answer: connection refused",
        ),
        (CallFailed("no such table"), CommandFailed, "no such table"),
        (not_connected(ValueError("404")), ServerUnreachable, "it is not Rewake"),
    ],
)
def test_what_ends_a_conversation_is_a_sentence(
    error: Exception, kind: type[CommandFailed], text: str
) -> None:
    ending = conversation_failure(error, SERVER)
    assert type(ending) is kind
    assert text in ending.message


def test_a_server_that_stays_away_ends_the_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)

    async def ask(server: ServerAddress, running: Running) -> None:
        async with conversing(server, Environment()) as client:
            await client.connect()
            running.process.kill()
            while True:
                await client.query("messages:list_recent")
                # A loop that never waits would not let the loss be noticed.
                await asyncio.sleep(0)

    with Running("serve", ".", "--port", "0", cwd=project) as running:
        url = running.wait_for(r"ready at (\S+)")[1]
        key = (project / ".rewake" / "admin_key").read_text().strip()
        with pytest.raises(ServerUnreachable, match="was lost, and no server came back"):
            asyncio.run(ask(ServerAddress(url, key, project, is_guess=False), running))

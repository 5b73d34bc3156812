"""Request ids: sixteen hexadecimal digits that tie an error a person saw to a line in a log.

Floor 1, `protocol`. Derived for mutations and actions of a session, so that a replay keeps its id; random for
everything else.

Source: wire 6.1, with its example.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from rewake.environment import Environment, RandomTexts


def session_request_id(session: str, request: int) -> str:
    """Id of a session's mutation or action. `session` is the lowercase hyphenated UUID."""
    return sha256(f"{session}|{request}".encode()).hexdigest()[:16]


def random_request_id(environment: Environment) -> str:
    """Id of a query or of a call over HTTP."""
    return environment.random_bytes(8).hex()


def random_request_ids(environment: Environment) -> Iterator[str]:
    """Ids as `random_request_id` makes one, without end."""
    return RandomTexts(environment, 8)

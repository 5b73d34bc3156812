"""Instructions: what the conversation tells its driver to do.

Floor 2, `client`. The machine decides and the driver acts; nothing else passes downward between them. They
are carried out in order: results of queries come before the outcomes of mutations that they show.

Not here: who decides (`conversation.py`, `authentication.py`), who acts (`connection.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rewake.client.errors import ClientError


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text on the open socket."""

    text: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the socket; the conversation counts it as closed already."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call or a query's run ended: the text of its value, or of its error."""

    path: str
    value: bytes | None
    """Encoded JSON; None where the function failed."""
    error: str = ""
    error_data: bytes | None = None
    """Encoded JSON of an ApplicationError's data; None where it was another error."""
    log_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged:
    """A function printed something, or failed: for the log, as soon as it is known."""

    path: str
    log_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """One query has another result than before, valid at `ts` together with those of all other queries."""

    query_id: int
    outcome: Outcome
    ts: int


@dataclass(frozen=True, slots=True)
class Settle:
    """A mutation or action has come to its end."""

    request_id: int
    outcome: Outcome | ClientError


@dataclass(frozen=True, slots=True)
class FetchToken:
    """Ask the fetcher for a token, and hand it to `token_fetched` with this number."""

    number: int
    is_forced: bool
    """The one that it gave last is not good enough."""


@dataclass(frozen=True, slots=True)
class RefreshLater:
    """Call `refresh_due` after so many seconds; a later one of these replaces it. None: never."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class FailAll:
    """No query can be answered until something is done about this."""

    error: ClientError


Instruction = Send | Disconnect | Logged | Changed | Settle | FetchToken | RefreshLater | FailAll

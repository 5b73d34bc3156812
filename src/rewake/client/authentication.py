"""Authentication: as whom the client speaks, and what becomes of that when the server says no.

Floor 2, `client`. A state machine without I/O, one part of the conversation. Credentials are fixed (a token,
an admin key) or fetched: then a function of the application gives tokens, first one that it may have kept, a
fresh one when asked by force. The rules are those of npm's AuthenticationManager, with two differences:

- The refresh of a token is timed by the server's clock, from `exp` and the skew that it reports, so a kept
  token need not be replaced at once to learn when a fresh one is due.
- Credentials that are refused in the end leave the client refused, where npm goes on as nobody. In a page
  that shows a login; in a program it would run functions as somebody else than it says.

    set_fixed ----------------------> Authenticate --Transition--> confirmed
    set_fetched --FetchToken--> token -----^            |              |  timer: FetchToken by force
         held: nothing else is sent                     |
                          FetchToken by force <--AuthError--same, none, or the third time--> refused

Not here: asking the fetcher and waiting for the timer (`connection.py`).
Source: wire 1.13.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from rewake.client import incoming, outgoing
from rewake.client.errors import AuthenticationRefused
from rewake.client.instructions import Disconnect, FetchToken, Instruction, RefreshLater, Send

REFRESH_LEEWAY_SECONDS = 10.0
REFRESH_AGAIN_SECONDS = 5.0
REFRESH_SECONDS_MAX = 20 * 86_400.0
LIFETIME_SECONDS_MIN = 2.0
"""A fresh token that lives shorter is not refreshed by the clock: that would never end."""
FRESH_TOKENS_MAX = 2
"""After so many fresh tokens that were refused, one after another, there is no point in a further one."""


@dataclass(frozen=True, slots=True)
class UserToken:
    """A token of the identity provider."""

    value: str


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The deployment's key, alone or in the part of a user."""

    value: str
    acting_as: Mapping[str, Any] | None = None


Credential = UserToken | AdminKey


class _Fetch(Enum):
    """Why a token is being fetched."""

    FIRST = auto()
    FIRST_AGAIN = auto()  # There was no kept one.
    REFRESH = auto()  # The present one is good, and will not be for long.
    REPLACE = auto()  # The present one was refused.


class Authentication:
    """Who speaks. `emit` takes instructions for the driver."""

    def __init__(self, emit: Callable[[Instruction], None]) -> None:
        self._emit = emit
        # What every socket authenticates with. None: nobody, or a token is being fetched.
        self._credential: Credential | None = None
        self._is_fetched = False
        # The newest question to the fetcher; answers to older ones are ignored.
        self._number = 0
        self._fetch: _Fetch | None = None
        self._is_open = False
        # The version of the newest Authenticate on this socket, 0 before any.
        self.version = 0
        # Authenticate was sent, and no Transition has shown it yet.
        self._is_awaited = False
        self._is_fresh = False
        self._fresh_refused = 0
        self._last_error = ""
        # Set when there is no way on; cleared by the next credentials, or by none.
        self.refused: AuthenticationRefused | None = None

    @property
    def is_held(self) -> bool:
        """Calls wait, since it is not known yet as whom to make them."""
        return self._fetch not in (None, _Fetch.REFRESH)

    @property
    def is_settled(self) -> bool:
        """The server has confirmed what was last sent, and nothing is being fetched."""
        return not self._is_awaited and not self.is_held

    # What the application wants.

    def set_fixed(self, credential: Credential | None) -> None:
        """Speak with this credential from now on, or as nobody."""
        self._begin(is_fetched=False)
        self._credential = credential
        if self._is_open:
            self._authenticate()

    def set_fetched(self) -> None:
        """Speak with what the fetcher gives. Calls wait for its first answer."""
        self._begin(is_fetched=True)
        self._ask(_Fetch.FIRST)

    def _begin(self, *, is_fetched: bool) -> None:
        self._number += 1
        self._fetch = None
        self._is_fetched = is_fetched
        self._is_fresh = False
        self._credential = None
        self._fresh_refused = 0
        self.refused = None
        self._emit(RefreshLater(None))

    # What the fetcher says.

    def token_fetched(self, number: int, token: str | None) -> None:
        """The fetcher's answer to a `FetchToken`."""
        if number != self._number or self._fetch is None:
            return
        fetch, self._fetch = self._fetch, None
        is_same = token is None or self._credential == UserToken(token)
        if fetch is _Fetch.FIRST and token is None:
            self._ask(_Fetch.FIRST_AGAIN)
        elif fetch is _Fetch.REPLACE and is_same:
            self._refuse(self._last_error)
        elif fetch is _Fetch.REFRESH and is_same:
            # Nothing better is to be had. If the server minds, it will say so.
            return
        elif token is None:
            # Nobody is logged in, says who must know.
            if self._is_open and self.version > 0:
                self._authenticate()
        else:
            self._fresh_refused += fetch is _Fetch.REPLACE
            self._is_fresh = fetch is not _Fetch.FIRST
            self._credential = UserToken(token)
            if self._is_open:
                self._authenticate()

    def token_failed(self, number: int, reason: str) -> None:
        """The fetcher raised an exception."""
        if number != self._number or self._fetch is None:
            return
        fetch, self._fetch = self._fetch, None
        if fetch is _Fetch.REFRESH:
            # The present token still holds for a moment.
            self._emit(RefreshLater(REFRESH_AGAIN_SECONDS))
            return
        self._refuse(f"the token fetcher failed: {reason}")

    def refresh_due(self) -> None:
        """The time that `RefreshLater` named has come."""
        if self._is_fetched and self._fetch is None and self.refused is None:
            self._ask(_Fetch.REFRESH)

    # What happens on the socket.

    def open(self) -> None:
        """A socket is open, nothing but Connect was sent."""
        self._is_open, self.version, self._is_awaited = True, 0, False
        if self._credential is not None:
            self._authenticate()

    def close(self) -> None:
        """The socket is gone."""
        self._is_open, self._is_awaited = False, False

    def transition(self, start: int, end: int, *, server_seconds: float) -> None:
        """A Transition moved the identity version; `server_seconds` is the server's clock now."""
        if not self._is_awaited or end <= start or end < self.version:
            return
        self._is_awaited = False
        self._fresh_refused = 0
        if self._is_fetched and isinstance(self._credential, UserToken):
            self._schedule(self._credential.value, server_seconds)

    def auth_error(self, message: incoming.AuthError) -> None:
        """The server refused, or no longer accepts, an identity."""
        if not message.auth_update_attempted and self._is_awaited:
            return  # The old identity ended while the new one was under way.
        if message.base_version + 1 < self.version:
            return  # It is about one that we have replaced since.
        self._last_error = message.error
        if not self._is_fetched or self._fresh_refused >= FRESH_TOKENS_MAX:
            self._refuse(message.error)
            return
        self._emit(RefreshLater(None))
        self._emit(Disconnect(None))
        if not self.is_held:
            self._ask(_Fetch.REPLACE)

    def _ask(self, fetch: _Fetch) -> None:
        self._number += 1
        self._fetch = fetch
        self._emit(FetchToken(self._number, is_forced=fetch is not _Fetch.FIRST))

    def _authenticate(self) -> None:
        base, credential = self.version, self._credential
        self.version += 1
        self._is_awaited = True
        if credential is None:
            self._emit(Send(outgoing.authenticate_nobody(base)))
        elif isinstance(credential, UserToken):
            self._emit(Send(outgoing.authenticate_user(base, credential.value)))
        else:
            self._emit(Send(outgoing.authenticate_admin(base, credential.value, credential.acting_as)))

    def _refuse(self, reason: str) -> None:
        self._begin(is_fetched=False)
        self.refused = AuthenticationRefused(reason=reason)

    def _schedule(self, token: str, server_seconds: float) -> None:
        expiry = token_expiry(token)
        if expiry is None:
            return
        left = expiry - server_seconds
        if self._is_fresh and left <= LIFETIME_SECONDS_MIN:
            return
        seconds = min(max(left - REFRESH_LEEWAY_SECONDS, left / 2, 0.0), REFRESH_SECONDS_MAX)
        self._emit(RefreshLater(seconds))


def token_expiry(token: str) -> float | None:
    """The second since the epoch at which a JWT ends; None where it does not say. Nothing is verified."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expiry = claims["exp"]
    except (ValueError, binascii.Error, LookupError, TypeError, RecursionError):
        return None
    return float(expiry) if isinstance(expiry, int | float) and abs(expiry) < 2**53 else None

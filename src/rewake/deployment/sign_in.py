"""Sign-in: the tokens of users, judged with the providers that a deployment has at the moment.

Floor 5, `deployment`. The providers stand in the analysis of the code that serves, and may name environment
variables. Both can change at any time: the values are put in anew after each change, so a push or
`rewake env set` decides about the next token. Who is signed in stays so until the token ends (wire 5.3).

A provider whose variables are not set, or come out as nonsense, is left out and told in the log: its tokens
are refused, everything else goes on.

Not here: checking a token (`auth`), keys of administrators (`callers.py`).
Source: semantics 6.9, 6.10; wire 5.3, 5.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from rewake.auth import Provider, User, filled, variables_of
from rewake.auth.provider_fetching import Get
from rewake.auth.token_verifier import TokenVerifier
from rewake.database import stored_variables
from rewake.environment import Clock
from rewake.errors import InvalidInput
from rewake.execution import Analysis
from rewake.limits import Limits
from rewake.observability import logger
from rewake.storage import Reads, StorageFailed

T = TypeVar("T")

_log = logger(__name__)


class Store(Protocol):
    """What sign-in needs of its deployment."""

    @property
    def analysis(self) -> Analysis:
        """The code that serves."""
        ...

    @property
    def is_redacted(self) -> bool:
        """Whether clients are told less."""
        ...

    async def read(self, work: Callable[[Reads], T]) -> T: ...


class SignIn:
    """Judges the tokens of one deployment's users."""

    def __init__(self, store: Store, *, clock: Clock, limits: Limits, get: Get | None = None) -> None:
        self._store = store
        self._verifier = TokenVerifier(clock=clock, limits=limits, get=get)
        # The listed providers that `_providers` were made of; None after a change of variables.
        self._listed: tuple[Provider, ...] | None = None
        self._providers: tuple[Provider, ...] = ()
        self._reads_variables = False
        self._changes = 0  # How often variables changed: what was read before a change is not kept.

    async def verify(self, token: str) -> User:
        """The user behind a token.

        Raises:
            Unauthenticated: it is not good, or cannot be checked.
        """
        providers = await self.providers()
        return await self._verifier.verify(token, providers, is_redacted=self._store.is_redacted)

    async def providers(self) -> tuple[Provider, ...]:
        """The providers that can be used now, with the values of their variables."""
        listed = self._store.analysis.auth_providers
        if listed == self._listed:
            return self._providers
        self._reads_variables = bool(variables_of(listed))
        changes, variables = self._changes, {}
        if self._reads_variables:
            variables = await self._store.read(stored_variables)
        usable: list[Provider] = []
        for provider in listed:
            try:
                usable.append(filled(provider, variables))
            except InvalidInput as problem:
                _log.error("the auth provider %s is not used: %s", provider, problem.message)
        providers = tuple(usable)
        if changes == self._changes:
            self._listed, self._providers = listed, providers
            self._verifier.forget_others(providers)
        return providers

    async def look_over(self) -> None:
        """Say in the log which providers cannot be used, now rather than with the first token."""
        try:
            await self.providers()
        except StorageFailed as problem:
            _log.error("the variables of auth providers cannot be read now: %s", problem)

    def variables_changed(self) -> None:
        """Hear of a commit that wrote to environment variables."""
        if self._reads_variables:
            self._listed = None
            self._changes += 1

    async def close(self) -> None:
        """End requests to providers."""
        await self._verifier.close()

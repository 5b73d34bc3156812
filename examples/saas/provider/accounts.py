"""Accounts, and the sessions of browsers."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing")


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass
class Account:
    """Somebody who may sign in."""

    first_name: str
    last_name: str
    id: str = field(default_factory=lambda: f"user_{secrets.token_hex(12)}")
    created_at: int = field(default_factory=now_ms)
    updated_at: int = field(default_factory=now_ms)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def email(self) -> str:
        return f"{self.first_name.lower()}@example.com"

    def rename(self, name: str) -> None:
        """Take another name."""
        self.first_name, _, self.last_name = " ".join(name.split()).partition(" ")
        self.updated_at = max(now_ms(), self.updated_at + 1)


class Accounts:
    """All accounts by id, and sessions by the key that a browser's cookie holds."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._sessions: dict[str, str] = {}
        for name in NAMES:
            self.add(name)

    def add(self, name: str) -> Account:
        """A new account."""
        first, _, last = " ".join(name.split()).partition(" ")
        account = Account(first, last)
        self._accounts[account.id] = account
        return account

    def remove(self, account: Account) -> None:
        """End an account; its sessions are worth nothing from now on."""
        self._accounts.pop(account.id, None)

    def all(self) -> list[Account]:
        """Every account, oldest first."""
        return list(self._accounts.values())

    def find(self, id: str) -> Account | None:
        """The account of this id."""
        return self._accounts.get(id)

    def begin_session(self, account: Account) -> str:
        """Sign in; returns the key of the session."""
        key = secrets.token_urlsafe(24)
        self._sessions[key] = account.id
        return key

    def end_session(self, key: str) -> None:
        """Sign out."""
        self._sessions.pop(key, None)

    def of_session(self, key: str) -> Account | None:
        """Who is signed in with this key."""
        return self._accounts.get(self._sessions.get(key, ""))

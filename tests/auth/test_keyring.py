"""Issued keys: hashed, told apart by an id, judged with the deployment's own."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress

import pytest
from msgspec.structs import replace

from rewake.auth import (
    EVERYTHING,
    AdminKey,
    AdminKeyExpired,
    AdminKeyRevoked,
    BadAdminKey,
    Grant,
    IssuedKey,
    Keyring,
    Scope,
    make_key,
)
from rewake.environment import seeded_environment

FRESH = make_key("chat", seeded_environment(3))
READ = frozenset((Scope.READ,))
KEY = IssuedKey(FRESH.id, "for tests", READ, FRESH.digest, created_ms=1000)


def ring(*keys: IssuedKey) -> Keyring:
    return Keyring(AdminKey("chat|00ff"), keys)


def test_a_fresh_key_is_long_and_holds_neither_colon_nor_its_digest() -> None:
    name, _, rest = FRESH.text.partition("|")
    secret = rest[2 + 12 :]
    assert (name, rest[:2], rest[2:14]) == ("chat", "rk", FRESH.id)
    assert len(bytes.fromhex(secret)) == 32
    assert ":" not in FRESH.text
    assert FRESH.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert FRESH.digest not in FRESH.text


def test_what_is_kept_and_what_is_printed_hold_no_secret() -> None:
    secret = FRESH.text[-64:]
    for shown in (repr(FRESH), repr(KEY), repr(AdminKey("chat|00ff")), repr(ring(KEY).__dict__)):
        assert secret not in shown
        assert "00ff" not in shown


def test_both_kinds_of_keys_open_with_and_without_an_environment_prefix() -> None:
    both = ring(KEY)
    assert both.check("chat|00ff", now_ms=2000) == both.check("prod:chat|00ff", now_ms=2000) == EVERYTHING
    assert both.check(FRESH.text, now_ms=2000) == Grant(FRESH.id, READ)
    assert both.check(f"prod:{FRESH.text}", now_ms=2000) == Grant(FRESH.id, READ)
    # A deployment may be renamed: its keys go on.
    assert both.check(FRESH.text.replace("chat|", "talk|"), now_ms=2000) == Grant(FRESH.id, READ)


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "chat|",
        FRESH.text[:-1],
        FRESH.text[:-1] + ("0" if FRESH.text[-1] != "0" else "1"),
        FRESH.text + "0",
        FRESH.text.replace(FRESH.id, "0" * 12),
        FRESH.text.upper(),
        f"chat|rk{FRESH.id}{FRESH.digest}",
        "chat|rk" + "0" * 76,
    ],
)
def test_whatever_else_is_refused(presented: str) -> None:
    with pytest.raises(BadAdminKey):
        ring(KEY).check(presented, now_ms=2000)


@pytest.mark.parametrize(
    "presented",
    [FRESH.text, FRESH.text.replace(FRESH.id, "0" * 12), "chat|rk" + "0" * 76, "chat|00ff", "chat|no"],
)
def test_keys_are_compared_without_haste(presented: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is unknown takes the same comparison as one that is wrong, and `==` takes part in none."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with suppress(BadAdminKey):
        ring(KEY).check(presented, now_ms=2000)
    assert len(compared) == 1
    if "|rk" in presented:
        assert compared[0][0] == compared[0][1]


def test_the_hash_of_nothing_opens_nothing() -> None:
    with pytest.raises(BadAdminKey):
        ring().check(FRESH.text, now_ms=2000)


def test_revoked_and_expired_keys_say_so_to_their_holder_only() -> None:
    gone = ring(replace(KEY, revoked_ms=1500.0))
    with pytest.raises(AdminKeyRevoked):
        gone.check(FRESH.text, now_ms=2000)
    with pytest.raises(BadAdminKey):
        gone.check(FRESH.text[:-1] + "x", now_ms=2000)
    short = ring(replace(KEY, expires_ms=3000.0))
    assert short.check(FRESH.text, now_ms=2999).key_id == FRESH.id
    with pytest.raises(AdminKeyExpired):
        short.check(FRESH.text, now_ms=3000)


def test_a_grant_lasts_as_long_as_its_key() -> None:
    grant = Grant(FRESH.id, READ)
    ring(KEY).check_grant(grant, now_ms=2000)
    ring().check_grant(EVERYTHING, now_ms=2000)
    with pytest.raises(AdminKeyRevoked):
        ring().check_grant(grant, now_ms=2000)
    with pytest.raises(AdminKeyExpired):
        ring(replace(KEY, expires_ms=1500.0)).check_grant(grant, now_ms=2000)

"""Upload tokens."""

from __future__ import annotations

import base64

import pytest

from rewake.auth import StorageTokenExpired, StorageTokenInvalid, UploadGrant, UploadSeal

SEAL = UploadSeal(b"s" * 32)
GRANT = UploadGrant(1_700_000_000_000, 2**40, b"12345678")


def test_a_token_says_what_it_allows() -> None:
    token = SEAL.seal(GRANT)
    assert SEAL.open(token, now_ms=GRANT.expires_ms) == GRANT
    assert token.replace("-", "").replace("_", "").isalnum()


def test_its_time_ends() -> None:
    with pytest.raises(StorageTokenExpired):
        SEAL.open(SEAL.seal(GRANT), now_ms=GRANT.expires_ms + 1)


def test_one_of_another_deployment_is_none() -> None:
    with pytest.raises(StorageTokenInvalid) as refused:
        UploadSeal(b"t" * 32).open(SEAL.seal(GRANT), now_ms=0)
    assert refused.value.message == "InvalidStorageToken"


def test_no_bit_of_it_can_be_changed() -> None:
    token = SEAL.seal(GRANT)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(StorageTokenInvalid):
            SEAL.open(base64.urlsafe_b64encode(changed).decode().rstrip("="), now_ms=0)


@pytest.mark.parametrize("text", ["", "x", "é", "a b", "=", "A" * 10_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(StorageTokenInvalid):
        SEAL.open(text, now_ms=0)

"""Key sets: only keys that can vouch are kept, and each for one algorithm."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from rewake.auth.key_sets import KeySet, KeySetInvalid, parse_key_set
from tests.auth.issuer import Issuer, encoded, key_of

RSA, EC, ED = Issuer(), Issuer(algorithm="ES256"), Issuer(algorithm="EdDSA")

with pytest.warns(SecurityWarning):
    SMALL = dict(RSAKey.generate_key(1024).as_dict(private=False))


def parsed(*keys: Any) -> KeySet:
    return parse_key_set(json.dumps({"keys": keys}).encode())


@pytest.mark.parametrize("issuer", [RSA, EC, ED], ids=["RS256", "ES256", "EdDSA"])
def test_a_key_knows_its_own_signature(issuer: Issuer) -> None:
    (key,) = parsed(issuer.jwk("first")).candidates("first", issuer.algorithm)
    head, body, signature = issuer.token().split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    assert key.has_signed(f"{head}.{body}".encode(), raw)
    assert not key.has_signed(f"{head}.{body}x".encode(), raw)
    for broken in (b"", raw[:-1], raw + b"\0", bytes(len(raw)), b"\xff" * len(raw), b"x" * 5000):
        assert not key.has_signed(f"{head}.{body}".encode(), broken)


def test_private_parts_are_not_read() -> None:
    shown = dict(key_of("RS256").as_dict(private=True)) | {"kid": "first"}
    (key,) = parsed(shown).keys
    assert not key._key.is_private


@pytest.mark.parametrize(
    "key",
    [
        dict(OctKey.generate_key(256).as_dict()) | {"kid": "k"},
        {"kty": "oct", "k": encoded(b"secret"), "kid": "k", "alg": "RS256"},
        RSA.jwk("first", use="enc"),
        RSA.jwk("first", key_ops=["sign"]),
        RSA.jwk("first", key_ops="verify"),
        RSA.jwk("first", alg="RS512"),
        RSA.jwk("first", alg="HS256"),
        RSA.jwk("first", alg="ES256"),
        RSA.jwk("first", kid=7),
        RSA.jwk("first", kid="k" * 2000),
        RSA.jwk("first", n=""),
        RSA.jwk("first", n=5),
        RSA.jwk("first", e="!"),
        RSA.jwk("first", n="A" * 5000),
        {"kty": "RSA", "kid": "k"},
        {"kty": ["RSA"], "kid": "k"},
        {},
        SMALL,
        dict(ECKey.generate_key("P-384").as_dict(private=False)),
        dict(OKPKey.generate_key("X25519").as_dict(private=False)),
        EC.jwk("first", x=encoded(bytes(32))),
        "key",
        None,
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_what_cannot_vouch_is_left_out(key: Any) -> None:
    kept = parsed(key, EC.jwk("good"))
    assert [each.key_id for each in kept.keys] == ["good"]


def test_keys_are_found_by_id_and_algorithm() -> None:
    keys = parsed(RSA.jwk("first"), RSA.jwk("second"), EC.jwk("first"))
    assert [key.algorithm for key in keys.candidates("first", "RS256")] == ["RS256"]
    assert [key.algorithm for key in keys.candidates("first", "ES256")] == ["ES256"]
    assert not keys.candidates("second", "ES256")
    assert not keys.candidates("first", "HS256")
    assert keys.has_key("second")
    assert not keys.has_key("third")


def test_without_an_id_nobody_guesses() -> None:
    keys = parsed(RSA.jwk("first"), RSA.jwk("second"), EC.jwk("third"))
    assert not keys.candidates(None, "RS256")
    assert [key.key_id for key in keys.candidates(None, "ES256")] == ["third"]


def test_keys_of_one_id_are_all_candidates() -> None:
    keys = parsed(RSA.jwk("first"), RSA.jwk("second", kid="first"))
    assert len(keys.candidates("first", "RS256")) == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": 1}',
        b"\xff",
        b"[" * 100_000,
        json.dumps({"keys": [{}] * 101}).encode(),
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(KeySetInvalid):
        parse_key_set(text)


def test_a_set_without_usable_keys_is_one() -> None:
    assert parsed().keys == ()

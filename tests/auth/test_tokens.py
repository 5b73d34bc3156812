"""Taking tokens apart: whatever a stranger sends ends in a clear refusal, soon."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.auth.tokens import InvalidAuthHeader, parse_token
from tests.auth.issuer import encoded

BYTES_MAX = 64 * 1024
HEADER = encoded({"alg": "RS256"})
PAYLOAD = encoded({"iss": "https://a.com", "aud": ["a", 1, "b"]})
NOT_A_JWT = (
    "Could not parse JWT payload. Check that the token is a valid JWT format with three base64-encoded parts "
    "separated by dots."
)


def test_a_token_is_taken_apart() -> None:
    token = parse_token(f"{HEADER}.{PAYLOAD}.c2ln", bytes_max=BYTES_MAX)
    assert (token.algorithm, token.key_id, token.issuer) == ("RS256", None, "https://a.com")
    assert token.audiences == ["a", "b"]
    assert (token.signed, token.signature) == (f"{HEADER}.{PAYLOAD}".encode(), b"sig")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "a.b",
        "a.b.c",
        "...",
        f"{HEADER}.{PAYLOAD}",
        f"{HEADER}.{PAYLOAD}.c2ln.c2ln",
        f"{HEADER}.{PAYLOAD}=.c2ln",
        f"{HEADER}.{PAYLOAD}.c2l",
        f"{HEADER}.{PAYLOAD}.c2ln\n",
        f" {HEADER}.{PAYLOAD}.c2ln",
        f"{HEADER}.{PAYLOAD}.c2+/",
        f"{HEADER}.{PAYLOAD}.ü",
        f"{encoded(b'[]')}.{PAYLOAD}.c2ln",
        f"{HEADER}.{encoded(b'null')}.c2ln",
        f"{HEADER}.{encoded(b'[1]')}.c2ln",
        f"{HEADER}.{encoded(bytes([0xFF, 0xFE]))}.c2ln",
        f"{HEADER}.{encoded(b'{')}.c2ln",
        f"{HEADER}.{encoded(b'{' + b'[' * 40_000)}.c2ln",
        f"{HEADER}.{encoded(b'[' * 20_000 + b']' * 20_000)}.c2ln",
    ],
)
def test_what_is_no_jwt_is_refused(text: str) -> None:
    with pytest.raises(InvalidAuthHeader) as caught:
        parse_token(text, bytes_max=BYTES_MAX)
    assert caught.value.message == NOT_A_JWT
    assert (caught.value.code, caught.value.status) == ("InvalidAuthHeader", 401)


@pytest.mark.parametrize("issuer", [None, 1, "", ["https://a.com"], {"a": 1}])
def test_a_token_names_its_issuer(issuer: object) -> None:
    payload = encoded(json.dumps({"iss": issuer}).encode())
    with pytest.raises(InvalidAuthHeader, match=r"^Missing issuer claim \('iss'\) in JWT payload\."):
        parse_token(f"{HEADER}.{payload}.c2ln", bytes_max=BYTES_MAX)


def test_a_huge_token_is_not_looked_into() -> None:
    with pytest.raises(InvalidAuthHeader, match="too large"):
        parse_token("a" * (BYTES_MAX + 1), bytes_max=BYTES_MAX)


@pytest.mark.parametrize("part", ["alg", "kid"])
@pytest.mark.parametrize("value", [None, 1, ["RS256"], {"a": 1}])
def test_header_fields_of_another_type_say_nothing(part: str, value: object) -> None:
    token = parse_token(f"{encoded({part: value})}.{PAYLOAD}.c2ln", bytes_max=BYTES_MAX)
    assert (token.algorithm, token.key_id) == ("", None)


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="eyJ.abc_-=", max_size=200))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        parse_token(text, bytes_max=BYTES_MAX)
    except InvalidAuthHeader:
        pass

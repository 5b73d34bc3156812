"""Verification: good tokens of every kind, and every way to cheat that we know of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from rewake.auth import (
    AuthProviderDiscoveryFailed,
    CustomJwtProvider,
    NoAuthProvider,
    OidcProvider,
    Provider,
    TokenRejected,
    User,
)
from rewake.auth.key_sets import parse_key_set
from rewake.auth.tokens import parse_token
from rewake.auth.verification import ProviderKeys, is_known, provider_of, verified_user
from rewake.errors import Unauthenticated
from rewake.values import decode_stored
from tests.auth.issuer import (
    APPLICATION,
    ISSUER,
    NOW,
    Issuer,
    encoded,
    key_of,
    signed,
    signed_with_secret,
)

OIDC = OidcProvider(ISSUER, APPLICATION)
RS256 = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", APPLICATION)
ES256 = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "ES256", APPLICATION)
KINDS: list[tuple[Provider, str]] = [(OIDC, "RS256"), (OIDC, "EdDSA"), (RS256, "RS256"), (ES256, "ES256")]
OIDC_TEXT = (
    "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't expired."
)
every_kind = pytest.mark.parametrize(
    ("provider", "algorithm"), KINDS, ids=["oidc-RS256", "oidc-EdDSA", "custom-RS256", "custom-ES256"]
)


def provided(issuer: Issuer, key_set: Any = None) -> ProviderKeys:
    return ProviderKeys(parse_key_set(json.dumps(key_set or issuer.key_set()).encode()), issuer.url)


def verify(
    text: str,
    provider: Provider,
    issuer: Issuer,
    *,
    now: float = NOW,
    key_set: Any = None,
    leeway: float = 5,
) -> User:
    token = parse_token(text, bytes_max=100_000)
    found = provider_of(token, [provider], is_redacted=False)
    return verified_user(
        token, found, provided(issuer, key_set), now_ns=round(now * 1e9), leeway_seconds=leeway
    )


def refusal(text: str, provider: Provider, issuer: Issuer, **options: Any) -> str:
    with pytest.raises(TokenRejected) as caught:
        verify(text, provider, issuer, **options)
    assert (caught.value.code, caught.value.status) == ("Unauthenticated", 401)
    if isinstance(provider, OidcProvider):
        assert caught.value.message == OIDC_TEXT
    return caught.value.message


# Good tokens.


@every_kind
def test_a_good_token_is_its_user(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    user = verify(issuer.token(email="ada@a.com"), provider, issuer)
    assert user.expires_ns == (NOW + 60) * 10**9
    assert decode_stored(user.attributes) == {
        "tokenIdentifier": f"{ISSUER}|ada",
        "subject": "ada",
        "issuer": ISSUER,
        "email": "ada@a.com",
    }


@every_kind
def test_the_audience_may_be_a_list(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    verify(issuer.token(aud=[APPLICATION]), provider, issuer)


def test_a_custom_issuer_may_name_further_audiences_and_oidc_may_not() -> None:
    issuer = Issuer()
    text = issuer.token(aud=["other", APPLICATION])
    verify(text, RS256, issuer)
    refusal(text, OIDC, issuer)


def test_a_list_of_audiences_holds_texts_only() -> None:
    issuer = Issuer()
    refusal(issuer.token(aud=[APPLICATION, {"a": 1}]), OIDC, issuer)


def test_without_an_application_any_audience_will_do() -> None:
    issuer = Issuer()
    for audience in (None, "any", ["any", "other"], 7):
        verify(issuer.token(aud=audience), CustomJwtProvider(ISSUER, f"{ISSUER}/keys"), issuer)


@pytest.mark.parametrize("written", [f"{ISSUER}/", ISSUER.removeprefix("https://"), f"{ISSUER}//"])
def test_a_trailing_slash_or_missing_scheme_says_nothing(written: str) -> None:
    issuer = Issuer()
    token = issuer.token(iss=written)
    user = verify(token, RS256, issuer)
    # Whom functions see is as the token has it.
    assert json.loads(user.attributes)["tokenIdentifier"] == f"{written}|ada"


def test_the_discovery_document_names_the_very_issuer_of_the_token() -> None:
    issuer = Issuer(url=f"{ISSUER}/")
    verify(issuer.token(), OIDC, issuer)
    with pytest.raises(AuthProviderDiscoveryFailed) as caught:
        verify(issuer.token(iss=ISSUER), OIDC, issuer)
    assert caught.value.message == f"Auth provider discovery of {ISSUER} failed"


def test_an_issuer_without_scheme_is_https() -> None:
    issuer = Issuer(url="https://accounts.example.com")
    provider = OidcProvider("https://accounts.example.com", APPLICATION)
    user = verify(issuer.token(iss="accounts.example.com"), provider, issuer)
    assert json.loads(user.attributes)["issuer"] == "accounts.example.com"


def test_after_a_rotation_both_keys_are_good() -> None:
    issuer = Issuer(algorithm="ES256")
    before = issuer.token()
    issuer.rotate("second")
    verify(before, ES256, issuer)
    verify(issuer.token(), ES256, issuer)


def test_of_keys_with_one_id_each_is_tried() -> None:
    issuer = Issuer()
    twice = {"keys": [issuer.jwk("second", kid="first"), issuer.jwk("first")]}
    verify(issuer.token(), RS256, issuer, key_set=twice)
    verify(issuer.token(), OIDC, issuer, key_set=twice)


def test_oidc_with_a_single_key_needs_no_key_id() -> None:
    issuer = Issuer()
    bare = signed({"alg": "RS256"}, issuer.claims(), issuer.key)
    verify(bare, OIDC, issuer)
    two = {"keys": [issuer.jwk("first"), issuer.jwk("second")]}
    refusal(bare, OIDC, issuer, key_set=two)


# Which provider.


def test_the_first_provider_that_fits_is_taken() -> None:
    token = parse_token(Issuer().token(aud="b"), bytes_max=100_000)
    a, b, any_audience = (
        OidcProvider(ISSUER, "a"),
        OidcProvider(ISSUER, "b"),
        CustomJwtProvider(ISSUER, "https://k.com"),
    )
    assert provider_of(token, [a, b, any_audience], is_redacted=False) is b
    assert provider_of(token, [a, any_audience, b], is_redacted=False) is any_audience


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": APPLICATION.upper()},
        {"aud": {"0": APPLICATION}},
        {"aud": [[APPLICATION]]},
        {"iss": "https://evil.com"},
        {"iss": f"{ISSUER}.evil.com"},
        {"iss": f"{ISSUER}/a"},
        {"iss": ISSUER.replace("https", "http")},
        {"iss": ISSUER.replace("i", "і", 1)},  # A Cyrillic letter.
        {"iss": f"https://evil.com#{ISSUER}"},
        {"iss": f"{ISSUER}@evil.com"},
        {"iss": f"{ISSUER}\x00"},
    ],
)
@pytest.mark.parametrize("provider", [OIDC, RS256])
def test_a_token_for_somebody_else_finds_no_provider(provider: Provider, claims: dict[str, Any]) -> None:
    issuer = Issuer()
    with pytest.raises(NoAuthProvider) as caught:
        verify(issuer.token(**claims), provider, issuer)
    assert (caught.value.code, caught.value.status) == ("NoAuthProvider", 401)


def test_the_refusal_names_the_providers_where_that_is_told() -> None:
    token = parse_token(Issuer(url="https://other.com").token(), bytes_max=100_000)
    texts = []
    cases: list[tuple[list[Provider], bool]] = [([OIDC, RS256], True), ([], False), ([OIDC, RS256], False)]
    for providers, is_redacted in cases:
        with pytest.raises(NoAuthProvider) as caught:
            provider_of(token, providers, is_redacted=is_redacted)
        texts.append(caught.value.message)
    assert texts == [
        "No auth provider found matching the given token",
        "No auth provider found matching the given token (no providers configured). "
        "Check convex/auth.config.ts.",
        "No auth provider found matching the given token. Check that your JWT's issuer and audience match "
        "one of your configured providers: [OIDC(domain=https://issuer.example.com, app_id=app), "
        "CustomJWT(issuer=https://issuer.example.com, app_id=app)]",
    ]


# Time.


@pytest.mark.parametrize(("seconds", "is_good"), [(59.9, True), (60, False), (64, False)])
def test_oidc_tokens_end_without_leeway(seconds: float, *, is_good: bool) -> None:
    issuer = Issuer()
    if is_good:
        verify(issuer.token(), OIDC, issuer, now=NOW + seconds)
    else:
        refusal(issuer.token(), OIDC, issuer, now=NOW + seconds)


@pytest.mark.parametrize(("seconds", "is_good"), [(60, True), (64.9, True), (65, False), (1e6, False)])
def test_custom_tokens_end_with_leeway(seconds: float, *, is_good: bool) -> None:
    issuer = Issuer()
    if is_good:
        user = verify(issuer.token(), RS256, issuer, now=NOW + seconds)
        assert user.expires_ns == (NOW + 60) * 10**9, "the identity itself ends at `exp`"
    else:
        text = refusal(issuer.token(), RS256, issuer, now=NOW + seconds)
        assert text == "Could not validate token: it has expired."


@pytest.mark.parametrize("provider", [OIDC, RS256])
def test_a_token_that_has_not_begun_is_refused_beyond_the_leeway(provider: Provider) -> None:
    issuer = Issuer()
    verify(issuer.token(nbf=NOW + 5), provider, issuer)
    refusal(issuer.token(nbf=NOW + 6), provider, issuer)
    verify(issuer.token(nbf=NOW + 6), provider, issuer, leeway=10)


@pytest.mark.parametrize("provider", [OIDC, RS256])
def test_an_issuer_whose_clock_is_ahead_may_date_its_tokens_so(provider: Provider) -> None:
    issuer = Issuer()
    verify(issuer.token(iat=NOW + 3600), provider, issuer)


@pytest.mark.parametrize("provider", [OIDC, RS256])
@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("moment", ["soon", str(NOW), True, [NOW], {"a": 1}])
def test_a_time_that_is_no_number_is_refused(provider: Provider, name: str, moment: Any) -> None:
    issuer = Issuer()
    refusal(issuer.token(**{name: moment}), provider, issuer)


@every_kind
def test_expiry_and_subject_are_required(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    for missing in ({"exp": None}, {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": ["ada"]}):
        refusal(issuer.token(**missing), provider, issuer)


def test_fractions_and_far_futures_are_times_too() -> None:
    issuer = Issuer()
    assert verify(issuer.token(exp=NOW + 0.5), OIDC, issuer).expires_ns == NOW * 10**9 + 500_000_000
    verify(issuer.token(exp=10**300), OIDC, issuer)
    verify(issuer.token(exp=1e300, nbf=-1e300), OIDC, issuer)
    verify(issuer.token(exp=10**400, nbf=-(10**400)), OIDC, issuer)
    refusal(issuer.token(exp=-(10**400)), OIDC, issuer)
    refusal(issuer.token(nbf=10**400), OIDC, issuer)


# Signatures.


@every_kind
def test_a_signature_of_another_key_is_refused(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    stranger = signed(issuer.header, issuer.claims(), key_of(algorithm, "stranger"))
    refusal(stranger, provider, issuer)


@every_kind
def test_claims_cannot_be_exchanged_under_a_signature(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    head, _, signature = issuer.token().split(".")
    refusal(f"{head}.{encoded(issuer.claims(sub='root'))}.{signature}", provider, issuer)
    changed = encoded(issuer.header | {"typ": "other"})
    refusal(f"{changed}.{issuer.token().split('.')[1]}.{signature}", provider, issuer)


@every_kind
@pytest.mark.parametrize("name", ["none", "None", "nOnE", "", "HS256", "RS512", "PS256", "ES384"])
def test_the_token_does_not_choose_its_algorithm(provider: Provider, algorithm: str, name: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    head = encoded(issuer.header | {"alg": name})
    body = encoded(issuer.claims())
    for signature in ("", encoded(b"x" * 256), issuer.token().split(".")[2]):
        refusal(f"{head}.{body}.{signature}", provider, issuer)


@every_kind
@pytest.mark.parametrize("name", ["HS256", "RS256", "ES256", "EdDSA"])
def test_a_public_key_is_no_shared_secret(provider: Provider, algorithm: str, name: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    public = issuer.jwk("first")
    secrets = [
        issuer.key.as_pem(private=False),
        issuer.key.as_pem(private=False).strip(),
        issuer.key.as_der(private=False),
        json.dumps(public).encode(),
        b"",
    ]
    for secret in secrets:
        refusal(signed_with_secret(issuer.header | {"alg": name}, issuer.claims(), secret), provider, issuer)


def test_a_key_of_another_kind_does_not_help() -> None:
    rsa, ec = Issuer(), Issuer(algorithm="ES256")
    both = {"keys": [rsa.jwk("first"), ec.jwk("first")]}
    text = refusal(ec.token(), RS256, rsa, key_set=both)
    assert text == "Could not decode token. Its algorithm is not RS256, as its provider's is."
    refusal(rsa.token(), ES256, ec, key_set=both)
    refusal(ec.token(), OIDC, rsa, key_set=both)
    # The right algorithm in the header, and the other key under that id.
    refusal(rsa.token(), RS256, rsa, key_set={"keys": [ec.jwk("first")]})


def test_a_key_that_the_token_brings_is_not_used() -> None:
    issuer = Issuer(algorithm="ES256")
    own = ECKey.generate_key("P-256")
    public = dict(own.as_dict(private=False)) | {"kid": "first"}
    for header in (
        {"jwk": public},
        {"jku": "https://evil.com/keys"},
        {"x5u": "https://evil.com/x"},
        {"x5c": ["MIIB"]},
        {"jwk": public, "kid": None},
    ):
        refusal(signed(issuer.header | header, issuer.claims(), own), ES256, issuer)


@every_kind
def test_extensions_that_must_be_understood_are_not(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    refusal(issuer.token(header={"crit": ["b64"], "b64": False}), provider, issuer)
    refusal(issuer.token(header={"crit": []}), provider, issuer)


def test_other_fields_of_the_header_do_not_matter() -> None:
    issuer = Issuer()
    verify(issuer.token(header={"cat": "cl_B7d4PD111AAA", "x5t": "a" * 2000, "typ": "at+jwt"}), OIDC, issuer)


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(("provider", "algorithm"), [(OIDC, "EdDSA"), (ES256, "ES256")])
def test_no_letter_of_a_token_can_be_changed(provider: Provider, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    text = issuer.token()
    verify(text, provider, issuer)
    for place, letter in enumerate(text):
        other = "." if letter == "." else LETTERS[LETTERS.index(letter) ^ 1]
        for changed in {f"{text[:place]}{other}{text[place + 1 :]}", text[:place] + text[place + 1 :]} - {
            text
        }:
            with pytest.raises(Unauthenticated):
                verify(changed, provider, issuer)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["RS256", "ES256", "EdDSA", "none", "first", ISSUER, APPLICATION])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
FIELDS = st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "sub", "aud", "exp", "nbf", "iat", "a"])


@settings(deadline=None, max_examples=100)
@given(
    header=st.dictionaries(FIELDS, ANYTHING, max_size=4),
    claims=st.dictionaries(FIELDS, ANYTHING, max_size=5),
    is_signed=st.booleans(),
)
def test_whatever_stands_in_a_token_it_is_taken_or_refused(
    header: dict[str, Any], claims: dict[str, Any], *, is_signed: bool
) -> None:
    """Nobody meets a mistake of the house, with or without a signature of the issuer."""
    issuer = Issuer(algorithm="ES256")
    for provider in (OIDC, ES256):
        head, body = issuer.header | header, issuer.claims() | claims
        text = f"{encoded(_text(head))}.{encoded(_text(body))}"
        if is_signed:
            raw = text.encode()
            text += "." + encoded(JWSRegistry.algorithms["ES256"].sign(raw, issuer.key))
        else:
            text += "." + encoded(b"x" * 64)
        try:
            verify(text, provider, issuer)
        except Unauthenticated:
            continue
        assert is_signed


def _text(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode("utf-8", "surrogatepass")


# Key ids.

TRICKS = [
    "../../../../../../dev/null",
    "/proc/self/environ",
    "file:///etc/passwd",
    "https://evil.com/keys",
    "' UNION SELECT 'secret' --",
    "first' OR '1'='1",
    "first\x00",
    "first ",
    "FIRST",
    "k" * 20_000,
    "",
    "{first}",
    "%s%s%n",
]


@every_kind
@pytest.mark.parametrize("key_id", TRICKS, ids=range(len(TRICKS)))
def test_a_key_id_is_looked_up_and_nothing_else(provider: Provider, algorithm: str, key_id: str) -> None:
    issuer = Issuer(algorithm=algorithm)
    text = refusal(issuer.token(header={"kid": key_id}), provider, issuer)
    assert len(text) < 300
    assert text.isprintable()
    # Nor does an HMAC with what may lie behind it help.
    head = {"alg": algorithm, "kid": key_id}
    refusal(signed_with_secret(head, issuer.claims(), b""), provider, issuer)


def test_an_unknown_key_is_named() -> None:
    issuer = Issuer()
    assert refusal(issuer.token(header={"kid": "other"}), RS256, issuer) == (
        "Could not decode token. The JWT's 'kid' (key ID) header is 'other', does this key match any key in "
        "the provider's JWKS?"
    )


@pytest.mark.parametrize("key_id", [None, 7, ["first"], {"a": 1}])
def test_custom_tokens_name_their_key(key_id: Any) -> None:
    issuer = Issuer()
    text = refusal(issuer.token(header={"kid": key_id}), RS256, issuer)
    assert text == "Could not decode token. The JWT has no 'kid' (key ID) header."


def test_whether_newer_keys_could_help() -> None:
    issuer = Issuer()
    keys = provided(issuer)
    assert is_known(parse_token(issuer.token(), bytes_max=100_000), keys)
    assert not is_known(parse_token(issuer.token(header={"kid": "other"}), bytes_max=100_000), keys)
    assert is_known(parse_token(issuer.token(header={"kid": None}), bytes_max=100_000), keys)
    none = ProviderKeys(parse_key_set(b'{"keys": []}'), ISSUER)
    assert not is_known(parse_token(issuer.token(header={"kid": None}), bytes_max=100_000), none)

"""Key sets: the public keys of a provider, and the one check of a signature.

Floor 1, `auth`. A JWKS document becomes keys that are good for one algorithm each. What we cannot or should
not use is left out of the set: shared secrets, encryption keys, RSA keys too small to trust or too large to
compute with. So an HMAC over the text of a public key, or no signature at all, finds no key to be checked
with.

    RSA      RS256    2048 to 8192 bits           EC P-256     ES256
    OKP      EdDSA    Ed25519                     oct          never

Several keys may have one id, while a provider changes them: each that fits is tried.
Source: RFC 7517; RFC 7518, sections 3.1 and 6; RFC 8037; RFC 8725, sections 2.1 and 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from rewake.limits import PROVIDER_KEYS_MAX

_RSA_BITS_MIN = 2048
_RSA_BITS_MAX = 8192
_KIND_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
"""What of a key is public. Nothing else is read, should a provider show its private key by mistake."""
_NAME_LENGTH_MAX = 1024
_MEMBER_LENGTH_MAX = 4096


class KeySetInvalid(ValueError):
    """This is not a JWKS document."""


class PublicKey:
    """One key, good for one algorithm."""

    __slots__ = ("_key", "algorithm", "key_id")

    def __init__(self, key_id: str | None, algorithm: str, key: Any) -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self._key = key

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's, over `message`."""
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry

        try:
            return JWSRegistry.algorithms[self.algorithm].verify(message, signature, self._key)
        except (JoseError, ValueError):
            return False


class KeySet:
    """The usable keys of one provider."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self.keys = tuple(keys)

    def candidates(self, key_id: str | None, algorithm: str) -> Sequence[PublicKey]:
        """The keys that may have signed a token with this header.

        Where the token names none, its provider must have a single key for the algorithm: no guessing.
        """
        fitting = [key for key in self.keys if key.algorithm == algorithm]
        if key_id is not None:
            return [key for key in fitting if key.key_id == key_id]
        return fitting if len(fitting) == 1 else []

    def has_key(self, key_id: str | None) -> bool:
        """Whether a key has this id, for whatever algorithm."""
        return any(key.key_id == key_id for key in self.keys)


def parse_key_set(text: bytes) -> KeySet:
    """Read a JWKS document.

    Raises:
        KeySetInvalid: it is none. A document with no key that can be used is one.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeySetInvalid(f"the key set is not JSON: {error}") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise KeySetInvalid("a key set is an object with a list of `keys`")
    if len(listed) > PROVIDER_KEYS_MAX:
        raise KeySetInvalid(f"a key set has at most {PROVIDER_KEYS_MAX} keys")
    return KeySet(key for each in listed if isinstance(each, dict) and (key := _key_of(each)) is not None)


def _key_of(fields: dict[str, Any]) -> PublicKey | None:
    kind, key_id = fields.get("kty"), fields.get("kid")
    if not isinstance(kind, str) or kind not in _KIND_MEMBERS:
        return None
    if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _NAME_LENGTH_MAX):
        return None
    operations = fields.get("key_ops", ["verify"])
    if fields.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    public = {name: fields.get(name) for name in _KIND_MEMBERS[kind]}
    if not all(isinstance(value, str) and len(value) <= _MEMBER_LENGTH_MAX for value in public.values()):
        return None
    algorithm, key = _imported(kind, public)
    if key is None or fields.get("alg", algorithm) not in (algorithm, _OTHER_NAMES.get(algorithm)):
        return None
    return PublicKey(key_id, algorithm, key)


_OTHER_NAMES = {"EdDSA": "Ed25519"}
"""The name of RFC 9864 for the same."""


def _imported(kind: str, public: dict[str, Any]) -> tuple[str, Any]:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    try:
        if kind == "RSA":
            rsa = RSAKey.import_key(public)
            bits = rsa.public_key.key_size
            return "RS256", rsa if _RSA_BITS_MIN <= bits <= _RSA_BITS_MAX else None
        if kind == "EC":
            return "ES256", ECKey.import_key(public) if public["crv"] == "P-256" else None
        return "EdDSA", OKPKey.import_key(public) if public["crv"] == "Ed25519" else None
    except (JoseError, ValueError, TypeError):
        return "", None

"""An issuer for tests: real keys, the tokens that it signs, and every bad one that somebody may make up.

It signs with the library's private keys and writes the compact form by hand, so that a test can break each
part of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

NOW = 1_700_000_000
"""The Unix time of a ManualClock."""
ISSUER = "https://issuer.example.com"
APPLICATION = "app"

Json = dict[str, Any]


@functools.cache
def key_of(algorithm: str, name: str = "first") -> Any:
    """A private key; the same for the same name, since RSA keys take a while."""
    if algorithm == "RS256":
        return RSAKey.generate_key(2048)
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    assert algorithm == "EdDSA", name
    return OKPKey.generate_key("Ed25519")


def encoded(data: bytes | Json) -> str:
    """Base64url without padding, of bytes or of JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Json, payload: bytes | Json, key: Any) -> str:
    """A token with a true signature of `key`, by the algorithm that the header names."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{encoded(JWSRegistry.algorithms[header['alg']].sign(text.encode(), key))}"


def signed_with_secret(header: Json, payload: Json, secret: bytes) -> str:
    """A token with an HMAC instead of a signature, whatever its header says."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"


@dataclass
class Issuer:
    """One issuer with one signing key, and those of before."""

    url: str = ISSUER
    algorithm: str = "RS256"
    key_name: str = "first"
    shown: list[str] = field(default_factory=list)
    """Names of keys in its key set besides the one that it signs with."""

    @property
    def key(self) -> Any:
        return key_of(self.algorithm, self.key_name)

    @property
    def header(self) -> Json:
        return {"alg": self.algorithm, "typ": "JWT", "kid": self.key_name}

    def claims(self, **claims: Any) -> Json:
        """Claims of a good token; None leaves one out."""
        usual = {"iss": self.url, "sub": "ada", "aud": APPLICATION, "iat": NOW, "exp": NOW + 60}
        return {name: value for name, value in (usual | claims).items() if value is not None}

    def token(self, *, header: Json | None = None, **claims: Any) -> str:
        """A good token, but for what a test changes."""
        return signed(self.header | (header or {}), self.claims(**claims), self.key)

    def jwk(self, name: str, **members: Any) -> Json:
        """One key as the key set shows it."""
        public = key_of(self.algorithm, name).as_dict(private=False)
        return dict(public) | {"kid": name, "use": "sig", "alg": self.algorithm} | members

    def key_set(self) -> Json:
        return {"keys": [self.jwk(name) for name in dict.fromkeys([self.key_name, *self.shown])]}

    def rotate(self, name: str, *, keeps_old: bool = True) -> None:
        """Sign with another key from now on."""
        self.shown = [self.key_name, *self.shown] if keeps_old else []
        self.key_name = name

    def discovery(self) -> Json:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

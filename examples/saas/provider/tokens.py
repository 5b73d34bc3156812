"""Tokens of users, as Clerk's JWT template `convex` makes them: RS256, a minute long, for `convex`."""

from __future__ import annotations

import secrets
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from .accounts import Account

AUDIENCE = "convex"


class Signer:
    """One signing key, made at start."""

    def __init__(self, issuer: str, *, token_seconds: float) -> None:
        self.issuer = issuer
        self.token_seconds = token_seconds
        self._key = RSAKey.generate_key(
            2048, {"kid": f"ins_{secrets.token_hex(8)}", "use": "sig", "alg": "RS256"}
        )

    def token(self, account: Account) -> str:
        """A fresh token."""
        now = time.time()
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": account.id,
            "name": account.name,
            "email": account.email,
            "iat": int(now),
            "exp": now + self.token_seconds,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self._key.kid}, claims, self._key)

    def discovery(self) -> dict[str, Any]:
        """The document at `/.well-known/openid-configuration`."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def key_set(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [self._key.as_dict(private=False)]}

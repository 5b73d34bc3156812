"""Auth: who is calling.

Floor 1. Anonymous callers, users with a token, holders of the deployment's admin key, and of upload tokens.

    token of a user -> tokens -> verification <- provider_keys <- provider_fetching
                                 `-> User

`token_verifier.py` goes this way; it is imported by itself, so that authors' modules stay light.
"""

from rewake.auth.identity import ANONYMOUS, Admin, Anonymous, Identity, User, has_expired, identity_of
from rewake.auth.issuers import InvalidProviderDomainUrl
from rewake.auth.keys import AdminKey, new_admin_key
from rewake.auth.providers import (
    AuthConfigMissingEnvironmentVariable,
    CustomAlgorithm,
    CustomJwtProvider,
    InvalidKeySource,
    OidcProvider,
    Provider,
    check_provider,
    filled,
    variables_of,
)
from rewake.auth.tokens import InvalidAuthHeader
from rewake.auth.upload_seal import StorageTokenExpired, StorageTokenInvalid, UploadGrant, UploadSeal
from rewake.auth.verification import AuthProviderDiscoveryFailed, NoAuthProvider, TokenRejected

__all__ = [
    "ANONYMOUS",
    "Admin",
    "AdminKey",
    "Anonymous",
    "AuthConfigMissingEnvironmentVariable",
    "AuthProviderDiscoveryFailed",
    "CustomAlgorithm",
    "CustomJwtProvider",
    "Identity",
    "InvalidAuthHeader",
    "InvalidKeySource",
    "InvalidProviderDomainUrl",
    "NoAuthProvider",
    "OidcProvider",
    "Provider",
    "StorageTokenExpired",
    "StorageTokenInvalid",
    "TokenRejected",
    "UploadGrant",
    "UploadSeal",
    "User",
    "check_provider",
    "filled",
    "has_expired",
    "identity_of",
    "new_admin_key",
    "variables_of",
]

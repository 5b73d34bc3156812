"""Auth: who is calling.

Floor 1. Anonymous callers, users with a token, holders of admin keys with their
scopes, and of upload tokens.

    token of a user -> tokens -> verification <- provider_keys <- provider_fetching
                                 `-> User

`token_verifier.py` goes this way; it is imported by itself, so that authors' modules stay light.
"""

from rewake.auth.identity import ANONYMOUS, Admin, Anonymous, Identity, User, has_expired, identity_of
from rewake.auth.issuers import InvalidProviderDomainUrl
from rewake.auth.keyring import (
    AdminKeyExpired,
    AdminKeyRevoked,
    FreshKey,
    IssuedKey,
    Keyring,
    make_key,
)
from rewake.auth.keys import AdminKey, BadAdminKey, new_admin_key
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
from rewake.auth.scopes import EVERYTHING, Grant, OperationNotPermitted, Scope, denial_of, scope_of_call
from rewake.auth.tokens import InvalidAuthHeader
from rewake.auth.upload_seal import StorageTokenExpired, StorageTokenInvalid, UploadGrant, UploadSeal
from rewake.auth.verification import AuthProviderDiscoveryFailed, NoAuthProvider, TokenRejected

__all__ = [
    "ANONYMOUS",
    "EVERYTHING",
    "Admin",
    "AdminKey",
    "AdminKeyExpired",
    "AdminKeyRevoked",
    "Anonymous",
    "AuthConfigMissingEnvironmentVariable",
    "AuthProviderDiscoveryFailed",
    "BadAdminKey",
    "CustomAlgorithm",
    "CustomJwtProvider",
    "FreshKey",
    "Grant",
    "Identity",
    "InvalidAuthHeader",
    "InvalidKeySource",
    "InvalidProviderDomainUrl",
    "IssuedKey",
    "Keyring",
    "NoAuthProvider",
    "OidcProvider",
    "OperationNotPermitted",
    "Provider",
    "Scope",
    "StorageTokenExpired",
    "StorageTokenInvalid",
    "TokenRejected",
    "UploadGrant",
    "UploadSeal",
    "User",
    "check_provider",
    "denial_of",
    "filled",
    "has_expired",
    "identity_of",
    "make_key",
    "new_admin_key",
    "scope_of_call",
    "variables_of",
]

"""Auth: who is calling.

Floor 1. Today anonymous callers, holders of the deployment's admin key, and of upload tokens; user tokens
come with a later issue and will verify into the same `Identity`.
"""

from rewake.auth.identity import ANONYMOUS, Admin, Anonymous, Identity, User, identity_of
from rewake.auth.keys import AdminKey, new_admin_key
from rewake.auth.upload_seal import StorageTokenExpired, StorageTokenInvalid, UploadGrant, UploadSeal

__all__ = [
    "ANONYMOUS",
    "Admin",
    "AdminKey",
    "Anonymous",
    "Identity",
    "StorageTokenExpired",
    "StorageTokenInvalid",
    "UploadGrant",
    "UploadSeal",
    "User",
    "identity_of",
    "new_admin_key",
]

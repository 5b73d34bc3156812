"""Auth: who is calling.

Floor 1. Today anonymous callers and holders of the deployment's admin key; user tokens come with a later
issue and will verify into the same `Identity`.
"""

from rewake.auth.identity import ANONYMOUS, Admin, Anonymous, Identity, User, identity_of
from rewake.auth.keys import AdminKey, new_admin_key

__all__ = ["ANONYMOUS", "Admin", "AdminKey", "Anonymous", "Identity", "User", "identity_of", "new_admin_key"]

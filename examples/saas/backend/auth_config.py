"""Whose tokens are taken: those of one Clerk application, or of the stand-in that `run.py` starts."""

from rewake import Clerk, env

providers = [Clerk(domain=env("CLERK_JWT_ISSUER_DOMAIN"))]

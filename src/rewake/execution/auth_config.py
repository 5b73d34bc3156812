"""The auth configuration of a project: `providers` in its module `auth_config`.

Floor 3, `execution`, where the project is loaded. What comes out is plain data and a part of the analysis, so
the process that takes tokens never runs an author's code. A mistake that no environment variable can make
right refuses the project.

Source: semantics 6.10; wire 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from rewake.auth import CustomJwtProvider, OidcProvider, Provider, check_provider
from rewake.functions import AuthConfigInvalid

MODULE = "auth_config"


def providers_of(modules: Mapping[str, ModuleType]) -> tuple[Provider, ...]:
    """The providers of a project, in their order; none where it has no such module.

    Raises:
        InvalidInput: the list is not one, or a provider cannot be used.
    """
    if MODULE not in modules:
        return ()
    listed = vars(modules[MODULE]).get("providers")
    if not isinstance(listed, list | tuple):
        raise AuthConfigInvalid(
            "A module `auth_config` has a list `providers`, for example "
            '`providers = [Clerk(domain=env("CLERK_DOMAIN"))]`.'
        )
    found: list[Provider] = []
    for each in listed:
        make = getattr(each, "providers", None)
        if make is None or isinstance(each, type):
            raise AuthConfigInvalid(
                f"{each!r} in `providers` is none. Use Clerk, Auth0, WorkOS, Oidc or CustomJwt."
            )
        found += make()
    for provider in found:
        _check_fields(provider)
        check_provider(provider)
    return tuple(found)


def _check_fields(provider: Provider) -> None:
    """Refuse values of other types: nothing has checked them so far."""
    fields = provider.__struct_fields__
    for name in fields:
        value = getattr(provider, name)
        if not isinstance(value, str) and not (name == "application_id" and _may_lack_id(provider, value)):
            raise AuthConfigInvalid(f"`{name}` of an auth provider must be a text; got {value!r}.")
    if isinstance(provider, CustomJwtProvider) and provider.algorithm not in ("RS256", "ES256"):
        raise AuthConfigInvalid(
            f'`algorithm` of the auth provider {provider.issuer} must be "RS256" or "ES256"; '
            f"got {provider.algorithm!r}."
        )


def _may_lack_id(provider: Provider, value: object) -> bool:
    return value is None and not isinstance(provider, OidcProvider)

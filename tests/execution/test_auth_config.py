"""`auth_config.py` of a project: what is taken and what refuses the project."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from rewake.auth import CustomJwtProvider, OidcProvider, Provider
from rewake.execution import ProjectInvalid, load_project, read_settings


def loaded(root: Path, source: str) -> tuple[Provider, ...]:
    folder = root / "backend"
    folder.mkdir(exist_ok=True)
    (folder / "auth_config.py").write_text(dedent(source))
    return load_project(read_settings(root)).analysis().auth_providers


def test_providers_are_a_part_of_the_analysis(tmp_path: Path) -> None:
    assert loaded(
        tmp_path,
        """
        from rewake import Clerk, CustomJwt, WorkOS, env

        providers = [
            Clerk(domain=env("CLERK_DOMAIN")),
            WorkOS("client_1"),
            CustomJwt(issuer="https://id.acme.com", jwks="https://id.acme.com/keys", algorithm="ES256"),
        ]
        """,
    ) == (
        OidcProvider("${CLERK_DOMAIN}", "convex"),
        CustomJwtProvider(
            "https://api.workos.com/", "https://api.workos.com/sso/jwks/client_1", "RS256", "client_1"
        ),
        CustomJwtProvider(
            "https://api.workos.com/user_management/client_1", "https://api.workos.com/sso/jwks/client_1"
        ),
        CustomJwtProvider("https://id.acme.com", "https://id.acme.com/keys", "ES256"),
    )


def test_a_project_without_has_none(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    assert load_project(read_settings(tmp_path)).analysis().auth_providers == ()
    assert loaded(tmp_path, "providers = []") == ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "has a list `providers`"),
        ("providers = None", "has a list `providers`"),
        ("providers = {'domain': 'a.com'}", "has a list `providers`"),
        ("providers = ['acme.com']", "'acme.com' in `providers` is none"),
        ("from rewake import Clerk\nproviders = [Clerk]", "in `providers` is none"),
        ("from rewake import Clerk\nproviders = [Clerk('nonsense')]", 'provider domain URL "nonsense": with'),
        (
            "from rewake import Clerk\nproviders = [Clerk(None)]",
            "`domain` of an auth provider must be a text",
        ),
        ("from rewake import Clerk\nproviders = [Clerk('a.com', None)]", "`application_id` of an auth"),
        ("from rewake import Clerk\nproviders = [Clerk('a.com', '')]", "needs an application id"),
        ("from rewake import Clerk, env\nproviders = [Clerk(env('A B'))]", "'A B' cannot be the name"),
        (
            "from rewake import CustomJwt\n"
            "providers = [CustomJwt(issuer='a.com', jwks='https://a.com/k', algorithm='HS256')]",
            'must be "RS256" or "ES256"; got \'HS256\'',
        ),
        (
            "from rewake import CustomJwt\nproviders = [CustomJwt(issuer='a.com', jwks='keys.json')]",
            "must be an http or https URL, or a data URI",
        ),
    ],
)
def test_a_mistake_refuses_the_project_and_names_the_file(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(ProjectInvalid, match=said) as caught:
        loaded(tmp_path, source)
    assert "backend/auth_config.py" in caught.value.message

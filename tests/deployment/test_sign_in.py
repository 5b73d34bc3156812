"""Tokens of users with the providers of the moment: pushes and variables take effect at once."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import pytest

from rewake.auth import ANONYMOUS, NoAuthProvider, TokenRejected, User
from rewake.errors import Unauthenticated
from tests.auth.issuer import Issuer
from tests.deployment.stage import Stage, play

WHO = """
    from rewake import QueryCtx, query

    @query
    def who(ctx: QueryCtx) -> dict[str, str | float] | None:
        identity = ctx.auth.get_user_identity()
        return None if identity is None else {"subject": identity.subject, "level": identity["level"]}
"""
FAR = 10**10
"""An expiry that no clock of a test machine has reached."""


def config(issuer: Issuer, url: str | None = None, application: str = "app") -> str:
    keys = base64.b64encode(json.dumps(issuer.key_set()).encode()).decode()
    return f"""
    from rewake import CustomJwt, env

    providers = [
        CustomJwt(
            issuer={(url or issuer.url)!r},
            jwks="data:application/json;base64,{keys}",
            algorithm={issuer.algorithm!r},
            application_id={application!r},
        )
    ]
    """


async def refused(stage: Stage, token: str, error: type[Unauthenticated] = NoAuthProvider) -> str:
    with pytest.raises(error) as caught:
        await stage.deployment.authenticate("User", token, None)
    with pytest.raises(error):
        await stage.deployment.authenticate_header(f"Bearer {token}")
    return caught.value.message


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_function_sees_who_called(tmp_path: Path, algorithm: str) -> None:
    issuer = Issuer(algorithm=algorithm)

    async def story(stage: Stage) -> None:
        token = issuer.token(exp=FAR, level=3)
        for identity in (
            await stage.deployment.authenticate("User", token, None),
            await stage.deployment.authenticate_header(f"Bearer {token}"),
        ):
            assert isinstance(identity, User)
            assert await stage.query("users:who", identity) == {"subject": "ada", "level": 3.0}
        assert await stage.query("users:who", ANONYMOUS) is None

    play(tmp_path, story, users=WHO, auth_config=config(issuer))


def test_a_push_changes_whom_to_trust(tmp_path: Path) -> None:
    old, new = Issuer(algorithm="ES256"), Issuer(algorithm="ES256", key_name="second")

    async def story(stage: Stage) -> None:
        token = old.token(exp=FAR)
        signed_in = await stage.deployment.authenticate("User", token, None)
        report = await stage.push(auth_config=config(new, application="other"))
        assert report.auth_added == ("CustomJWT(issuer=https://issuer.example.com, app_id=other)",)
        assert report.auth_removed == ("CustomJWT(issuer=https://issuer.example.com, app_id=app)",)
        assert not report.is_empty
        # Who is signed in stays so; nobody signs in any more with such a token.
        assert await stage.query("users:who", signed_in) is not None
        await refused(stage, token)
        await refused(stage, old.token(exp=FAR, aud="other"), TokenRejected)
        assert isinstance(
            await stage.deployment.authenticate("User", new.token(exp=FAR, aud="other"), None), User
        )

    users = WHO.replace('"level": identity["level"]', '"level": 0')
    play(tmp_path, story, users=users, auth_config=config(old))


def test_without_providers_every_token_is_refused(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await refused(stage, Issuer(algorithm="ES256").token()) == (
            "No auth provider found matching the given token (no providers configured). "
            "Check convex/auth.config.ts."
        )

    play(tmp_path, story, users=WHO)


def test_a_variable_takes_effect_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer(algorithm="ES256")
    source = config(issuer, "https://${HOST}").replace("'https://${HOST}'", "\"https://\" + env('HOST')")

    async def story(stage: Stage) -> None:
        token = issuer.token(exp=FAR)
        assert (
            "Environment variable HOST is used in auth config file but its value was not set" in caplog.text
        )
        await refused(stage, token)
        await stage.deployment.variables.change({"HOST": "issuer.example.com"})
        assert isinstance(await stage.deployment.authenticate("User", token, None), User)
        await stage.deployment.variables.change({"OTHER": "x"})
        assert isinstance(await stage.deployment.authenticate("User", token, None), User)
        await stage.deployment.variables.change({"HOST": "other.example.com"})
        assert "CustomJWT(issuer=https://other.example.com" in await refused(stage, token)
        await stage.deployment.variables.change({"HOST": "no host"})
        await refused(stage, token)
        assert 'Invalid provider domain URL "https://no host"' in caplog.text
        await stage.deployment.variables.change({"HOST": None})
        await refused(stage, token)

    with caplog.at_level(logging.ERROR):
        play(tmp_path, story, users=WHO, auth_config=source)


def test_a_push_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    issuer = Issuer(algorithm="ES256")

    async def story(stage: Stage) -> None:
        with pytest.raises(Exception, match="Invalid provider domain URL"):
            await stage.push(auth_config="from rewake import Clerk\nproviders = [Clerk('nonsense')]")
        assert isinstance(await stage.deployment.authenticate("User", issuer.token(exp=FAR), None), User)

    play(tmp_path, story, users=WHO, auth_config=config(issuer))


def test_tokens_of_one_user_are_one_identity(tmp_path: Path) -> None:
    issuer = Issuer(algorithm="ES256")

    async def story(stage: Stage) -> None:
        tokens = [issuer.token(exp=FAR + n, iat=n, jti=str(n)) for n in range(2)]
        first, second = [await stage.deployment.authenticate("User", token, None) for token in tokens]
        assert first == second

    play(tmp_path, story, users=WHO, auth_config=config(issuer))

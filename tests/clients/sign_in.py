"""A server whose users sign in with issuers of the test: what `test_sign_in*.py` have in common."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.clients.issuer_server import IssuerServer
from tests.clients.server_process import ServerProcess

PROJECT = Path(__file__).parent / "sign_in_project"

Make = Callable[..., ServerProcess]


def oidc(issuer: IssuerServer) -> str:
    """The provider of an issuer, found by discovery."""
    return f"Oidc(domain={issuer.url!r}, application_id='app')"


def custom(issuer: IssuerServer) -> str:
    """The provider of an issuer whose keys have an address."""
    algorithm = issuer.issuer.algorithm
    return (
        f"CustomJwt(issuer={issuer.url!r}, jwks='{issuer.url}/keys', algorithm={algorithm!r}, "
        "application_id='app')"
    )


def serve(make_server: Make, folder: Path, *providers: str, **limits: float) -> ServerProcess:
    """A server of the project, which trusts `providers`, ready."""
    project = folder / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    config = f"from rewake import CustomJwt, Oidc\n\nproviders = [{', '.join(providers)}]\n"
    (project / "backend" / "auth_config.py").write_text(config)
    server = make_server(project)
    server.environment = {f"REWAKE_LIMIT_{name.upper()}": str(value) for name, value in limits.items()}
    server.start()
    return server

"""Named deployments of a project: `prod`, `preview/new-page`, and `dev`, which is the server that runs here.

Floor 8, `cli`. Addresses are no secret and lie in `pyproject.toml`; keys never do:

    [tool.rewake.deployments.prod]
    url = "https://chat.example.com"

    REWAKE_PROD_ADMIN_KEY, or REWAKE_PROD_ADMIN_KEY_FILE     in the environment, .env.local or .env
    .rewake/prod.admin_key                                   readable by its owner only

Not here: when a name is asked for, and what else may name a server (`connection.py`).
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.project_home import HOME, PORT_USUAL, make_home, read_admin_key
from rewake.cli.secret_files import secret_of

Kind = Literal["dev", "preview", "prod"]

LOCAL = "dev"
"""The name of the server that runs here, unless the project declares another of this name."""
PRODUCTION: Kind = "prod"
KINDS: tuple[Kind, ...] = ("dev", "preview", "prod")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9/-]{0,98}[A-Za-z0-9])?")
_SETTINGS = frozenset({"url", "kind"})


class NamedDeployment(msgspec.Struct, frozen=True):
    """A deployment as the project's settings name it."""

    name: str
    url: str
    kind: Kind

    @property
    def key_variable(self) -> str:
        """Where the environment has its key."""
        return f"REWAKE_{re.sub('[^A-Z0-9]', '_', self.name.upper())}_ADMIN_KEY"

    def key_file(self, root: Path) -> Path:
        """Where the project's home has its key."""
        return root / HOME / f"{self.name.replace('/', '--')}.admin_key"

    def key(self, root: Path, variables: Mapping[str, str]) -> str | None:
        """The key to administer it with, or None where there is none.

        Raises:
            CommandFailed: the file with it is open to others, or cannot be read.
            WrongUsage: the environment gives the key and a file with it.
        """
        found = secret_of(self.key_variable, variables)
        if found is not None:
            return found
        file = self.key_file(root)
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & 0o077:
                raise CommandFailed(
                    f"{file} holds the key of {self.name} and others on this machine can read it.",
                    hint=f"Keep it to yourself: chmod 600 {file}",
                )
            return read_admin_key(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from None

    def key_missing(self) -> CommandFailed:
        """The error for a deployment whose key nobody gave."""
        return CommandFailed(
            f"There is no admin key for {self.name} ({self.url}).",
            hint=f"Keep it with `rewake deployments set-key {self.name}`, or set {self.key_variable}.",
        )


def read_deployments(root: Path) -> dict[str, NamedDeployment]:
    """The deployments that the project's `pyproject.toml` declares, by name.

    Raises:
        CommandFailed: they are not written as they must be.
    """
    file = root / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}") from None
    for key in ("tool", "rewake", "deployments"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            return {}
    return {name: _declared(name, settings, file) for name, settings in table.items()}


def _declared(name: str, settings: Any, file: Path) -> NamedDeployment:
    where = f"[tool.rewake.deployments.{name}] in {file}"
    if _NAME.fullmatch(name) is None:
        raise CommandFailed(
            f"`{name}` cannot be the name of a deployment: letters, digits, dashes and slashes only ({file})."
        )
    if not isinstance(settings, dict) or not isinstance(settings.get("url"), str):
        raise CommandFailed(f'{where} needs an address: url = "https://chat.example.com".')
    unknown = sorted(settings.keys() - _SETTINGS)
    if unknown:
        hint = "Keys stay out of this file: use the environment, or `rewake deployments set-key`."
        raise CommandFailed(f"Unknown setting `{unknown[0]}` under {where}. Known: kind, url.", hint=hint)
    kind: Kind = settings.get("kind", _kind_of(name))
    if kind not in KINDS:
        raise CommandFailed(f"`kind` under {where} is one of {', '.join(KINDS)}; got {kind!r}.")
    return NamedDeployment(name, settings["url"].strip().rstrip("/"), kind)


def _kind_of(name: str) -> Kind:
    first = name.partition("/")[0].partition("-")[0].lower()
    return PRODUCTION if first in ("prod", "production") else "preview" if first == "preview" else "dev"


def find_deployment(root: Path, name: str, *, said_by: str) -> NamedDeployment:
    """The deployment of this name.

    Raises:
        WrongUsage: the project declares none.
        CommandFailed: as `read_deployments`.
    """
    known = read_deployments(root)
    if name in known:
        return known[name]
    names = ", ".join(sorted({*known, LOCAL}))
    raise WrongUsage(
        f"{said_by} names the deployment `{name}`, which this project does not know. Known: {names}.",
        hint=f"Declare it in {root / 'pyproject.toml'}:\n"
        f'  [tool.rewake.deployments.{name}]\n  url = "https://example.com"',
    )


def store_key(root: Path, deployment: NamedDeployment, key: str) -> Path:
    """Keep a key in the project's home, for its owner's eyes only; gives the file.

    Raises:
        WrongUsage: that is no key.
        CommandFailed: the file cannot be written.
    """
    if len(key.split()) != 1:
        raise WrongUsage("A key is one word, like `chat|0123abcd`.")
    make_home(root)
    file = deployment.key_file(root)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(key.strip() + "\n")
        draft.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from None
    return file


def local_url() -> str:
    """Where a server of this machine listens as a rule."""
    return f"http://127.0.0.1:{PORT_USUAL}"

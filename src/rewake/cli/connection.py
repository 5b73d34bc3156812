"""Which server a command talks to, and with which key.

Floor 8, `cli`. The one place where that is decided, for every command; the first that says something counts:

    flags          --url, --prod, --deployment NAME, --env-file PATH       and --admin-key
    environment    REWAKE_URL, REWAKE_DEPLOYMENT, CONVEX_SELF_HOSTED_URL   and their keys
    .env.local     the same variables, in the project's folder
    .env           likewise
    this project   what its running server left in .rewake/server.json, else the usual port

Two that are on one line and disagree are an error that names both: a guess would sooner or later change the
wrong data. What the flags and the file say besides is in `Wishes`, which `options.py` collects.

Not here: the conversation (`admin_requests.py`, `calling.py`), names (`named_deployments.py`).
Source: semantics 10.2.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from rewake.cli.env_files import parse_variables
from rewake.cli.failure import CommandFailed, ServerUnreachable, WrongUsage
from rewake.cli.named_deployments import LOCAL, PRODUCTION, NamedDeployment, find_deployment, local_url
from rewake.cli.project_home import (
    HOME,
    KEY_FILE,
    KEY_VARIABLE,
    URL_VARIABLE,
    data_place,
    read_admin_key,
    read_server_record,
)
from rewake.cli.secret_files import secret_of

DEPLOYMENT_VARIABLE = "REWAKE_DEPLOYMENT"
OFFICIAL_URL_VARIABLE = "CONVEX_SELF_HOSTED_URL"
OFFICIAL_KEY_VARIABLE = "CONVEX_SELF_HOSTED_ADMIN_KEY"
ENV_FILES = (".env.local", ".env")
_TARGETS = (URL_VARIABLE, DEPLOYMENT_VARIABLE, OFFICIAL_URL_VARIABLE)


class Wishes(msgspec.Struct, frozen=True):
    """What flags say of the server, besides `--url` and `--admin-key`."""

    deployment: str | None = None
    production: bool = False
    env_file: Path | None = None


NO_WISHES = Wishes()
WISHES = Wishes.__struct_fields__
_said: ContextVar[Wishes] = ContextVar("wishes", default=NO_WISHES)
"""What flags of the command under way say: set while typer reads them, forgotten when the command ends."""


def note_wish(name: str, value: Any) -> None:
    """Take down what a flag says; the commands themselves need not pass it on."""
    _said.set(replace(_said.get(), **{name: value}))


def forget_wishes() -> None:
    """Take down that nothing is said: a command begins or ends."""
    _said.set(NO_WISHES)


class ServerAddress(msgspec.Struct, frozen=True):
    """A server and the right to call all of its functions."""

    url: str
    """Without a slash at the end."""
    admin_key: str
    root: Path
    """The project in whose folder the command was given."""
    is_guess: bool
    """Nobody said that a server is there."""
    deployment: NamedDeployment | None = None
    """As which deployment of the project it was named; None where it was not."""

    @property
    def is_production(self) -> bool:
        """Whether a mistake here is made in front of everybody."""
        return self.deployment is not None and self.deployment.kind == PRODUCTION

    @property
    def title(self) -> str:
        """What to call it: `prod (https://chat.example.com)`."""
        return self.url if self.deployment is None else f"{self.deployment.name} ({self.url})"

    def unreachable(self, reason: str) -> ServerUnreachable:
        """The error for a server that does not answer."""
        if self.is_guess:
            return ServerUnreachable(
                f"No server of this project is running, and none answers at {self.url}.",
                hint="Start it with `rewake dev`, or name one with --url.",
            )
        return ServerUnreachable(
            f"The server at {self.url} does not answer: {reason}.",
            hint="Start it with `rewake dev`, or name another with --url.",
        )


class _Layer(msgspec.Struct, frozen=True):
    """One line of the list above: variables, and where they stand."""

    variables: Mapping[str, str]
    place: str


class _Target(msgspec.Struct, frozen=True):
    """What was named, and by what."""

    said_by: str
    layer: _Layer
    url: str = ""
    name: str = ""
    key_variable: str = KEY_VARIABLE


def find_server(
    root: Path,
    *,
    url: str | None,
    admin_key: str | None,
    data: Path | None = None,
    variables: Mapping[str, str] = os.environ,
    wishes: Wishes | None = None,
) -> ServerAddress:
    """The server that flags, variables or the project's folder name. `wishes` are those of the command under
    way where they are left out.

    Raises:
        CommandFailed: there is an address and no key for it.
        WrongUsage: the address is none, or two disagree.
    """
    wishes = _said.get() if wishes is None else wishes
    layers = _layers(root, variables, wishes)
    target = _by_flags(root, url, wishes, layers) or _by_variables(layers)
    if target is None:
        return _own_server(root, admin_key, data, layers)
    if target.name and not _is_local(root, target):
        return _named_server(root, target, admin_key, layers)
    if target.name:
        return _own_server(root, admin_key, data, layers)
    key = admin_key or _secret(target.key_variable, [target.layer]) or _secret(KEY_VARIABLE, layers)
    key = key or _home_key(root, data)
    found = ServerAddress(_checked(target.url, target.said_by), key or "", root, is_guess=False)
    if not key:
        raise _without_key(found)
    return found


def is_server_named(
    root: Path,
    url: str | None,
    *,
    variables: Mapping[str, str] = os.environ,
    wishes: Wishes | None = None,
) -> bool:
    """Whether flags or variables name a server, so that the project's own data file is not meant."""
    wishes = _said.get() if wishes is None else wishes
    layers = _layers(root, variables, wishes)
    target = _by_flags(root, url, wishes, layers) or _by_variables(layers)
    return target is not None and not (target.name and _is_local(root, target))


def key_layers(root: Path, variables: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """All variables that may hold keys of the project's deployments, the first place that has one winning."""
    merged: dict[str, str] = {}
    for layer in reversed(_layers(root, variables, NO_WISHES)):
        merged.update(layer.variables)
    return merged


def _layers(root: Path, variables: Mapping[str, str], wishes: Wishes) -> list[_Layer]:
    if wishes.env_file is not None:
        return [_Layer(_file_variables(wishes.env_file, must_exist=True), str(wishes.env_file))]
    files = [_Layer(_file_variables(root / name, must_exist=False), name) for name in ENV_FILES]
    return [_Layer(variables, "the environment"), *files]


def _file_variables(file: Path, *, must_exist: bool) -> Mapping[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if not must_exist:
            return {}
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"{file} cannot be read: {reason}.") from None
    try:
        return parse_variables(text, where=str(file))
    except CommandFailed:
        # Somebody else's file in somebody else's dialect concerns us only if it names a server.
        if must_exist or "REWAKE_" in text or OFFICIAL_URL_VARIABLE in text:
            raise
        return {}


def _by_flags(root: Path, url: str | None, wishes: Wishes, layers: list[_Layer]) -> _Target | None:
    said = [
        _Target("--url", layers[0], url=url or ""),
        _Target("--prod", layers[0], name=PRODUCTION if wishes.production else ""),
        _Target("--deployment", layers[0], name=wishes.deployment or ""),
    ]
    named = [target for target in said if target.url or target.name]
    if wishes.env_file is not None:
        target = _by_variables(layers)
        if target is None:
            names = ", ".join(_TARGETS)
            raise CommandFailed(f"{wishes.env_file} names no server: it has none of {names}.")
        named.append(_Target(f"--env-file {wishes.env_file}", target.layer, target.url, target.name))
        if len(named) == 1:
            return target
    if len(named) > 1:
        one, other, *_ = named
        raise WrongUsage(f"{one.said_by} and {other.said_by} both say which server. Give one of them.")
    return named[0] if named else None


def _by_variables(layers: list[_Layer]) -> _Target | None:
    for layer in layers:
        values = {name: layer.variables.get(name, "").strip() for name in _TARGETS}
        said = [
            _Target(
                f"{name} in {layer.place}",
                layer,
                url="" if name == DEPLOYMENT_VARIABLE else value.rstrip("/"),
                name=value if name == DEPLOYMENT_VARIABLE else "",
                key_variable=OFFICIAL_KEY_VARIABLE if name == OFFICIAL_URL_VARIABLE else KEY_VARIABLE,
            )
            for name, value in values.items()
            if value
        ]
        if len(said) > 1 and len({(target.url, target.name) for target in said}) > 1:
            one, other, *_ = said
            raise WrongUsage(
                f"{one.said_by} says {one.url or one.name}, and {other.said_by} says "
                f"{other.url or other.name}.",
                hint="Unset one of them, or say which server with --url or --deployment.",
            )
        if said:
            return said[0]
    return None


def _is_local(root: Path, target: _Target) -> bool:
    """Whether the name means the server that runs here."""
    if target.name != LOCAL:
        return False
    try:
        find_deployment(root, LOCAL, said_by=target.said_by)
    except WrongUsage:
        return True
    return False


def _named_server(root: Path, target: _Target, admin_key: str | None, layers: list[_Layer]) -> ServerAddress:
    deployment = find_deployment(root, target.name, said_by=target.said_by)
    key = admin_key
    for layer in layers:
        # A key file is asked for once, after every place of the environment.
        key = key or secret_of(deployment.key_variable, layer.variables)
    key = key or deployment.key(root, {})
    # The plain variable is as good, from whoever runs the command: never from a file that means another.
    key = key or (_secret(KEY_VARIABLE, layers[:1]))
    if not key:
        raise deployment.key_missing()
    url = _checked(deployment.url, f"the deployment {deployment.name}")
    return ServerAddress(url, key, root, is_guess=False, deployment=deployment)


def _own_server(root: Path, admin_key: str | None, data: Path | None, layers: list[_Layer]) -> ServerAddress:
    record = read_server_record(root)
    url = record.url if record is not None else local_url()
    key = admin_key or _secret(KEY_VARIABLE, layers) or _home_key(root, data)
    found = ServerAddress(_checked(url, ""), key or "", root, is_guess=record is None)
    if not key:
        raise found.unreachable("") if found.is_guess else _without_key(found)
    return found


def _secret(name: str, layers: list[_Layer]) -> str | None:
    return next((key for layer in layers if (key := secret_of(name, layer.variables))), None)


def _home_key(root: Path, data: Path | None) -> str | None:
    record = read_server_record(root)
    files = [data_place(root, data).admin_key]
    if record is not None and record.admin_key and data is None:
        files.insert(0, Path(record.admin_key))
    for file in files:
        try:
            return read_admin_key(file)
        except OSError:
            continue
    return None


def _without_key(server: ServerAddress) -> CommandFailed:
    return CommandFailed(
        f"There is no admin key for {server.url}.",
        hint=f"Give one with --admin-key or {KEY_VARIABLE}. "
        f"The server's own lies in {HOME}/{KEY_FILE} of its project.",
    )


def _checked(url: str, said_by: str) -> str:
    try:
        parts = urlsplit(url.strip())
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # Raises where it is no number.
    except ValueError:
        is_address = False
    if not is_address:
        where = f" ({said_by})" if said_by and said_by != "--url" else ""
        raise WrongUsage(f"`{url}` is not an address{where}. Write it as {local_url()}.")
    return url.strip().rstrip("/")

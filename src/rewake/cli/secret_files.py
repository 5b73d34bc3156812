"""Secrets of the process: from the environment, or from files that it names; never only from a flag.

Floor 8, `cli`. Whoever lists processes reads flags, and many a crash reporter reads the environment; a file
that only the server may read is the better place, and what container platforms mount. For each name below,
`NAME_FILE` says where the secret is.

    REWAKE_ADMIN_KEY                                                    the deployment's own key
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN         the bucket of files

Not here: secrets of the application, which are environment variables of the deployment (`variables.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.project_home import KEY_VARIABLE

SECRET_VARIABLES = (
    KEY_VARIABLE,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_FILE = "_FILE"
_LENGTH_MIN = 6
"""A shorter secret would be found in too many words of a log."""


def secret_of(name: str, variables: Mapping[str, str]) -> str | None:
    """The secret `name`, or None where neither it nor its file is given.

    Raises:
        WrongUsage: both are.
        CommandFailed: the file cannot be read, or is empty.
    """
    given, file = variables.get(name, "").strip(), variables.get(name + _FILE, "").strip()
    if not file:
        return given or None
    if given:
        raise WrongUsage(f"{name} and {name}{_FILE} are both set. Unset one of them.")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"{name}{_FILE} names {file}, which cannot be read: {reason}.") from None
    if not text:
        raise CommandFailed(f"{name}{_FILE} names {file}, which is empty.")
    return text


def take_secrets(variables: MutableMapping[str, str]) -> tuple[str, ...]:
    """Put secrets that lie in files where everything looks for them; returns all secrets there are, for who
    writes the log.

    Raises:
        WrongUsage, CommandFailed: as `secret_of`.
    """
    found = []
    for name in SECRET_VARIABLES:
        secret = secret_of(name, variables)
        if secret is None:
            continue
        variables.pop(name + _FILE, None)
        variables[name] = secret
        if len(secret) >= _LENGTH_MIN:
            found.append(secret)
    return tuple(found)

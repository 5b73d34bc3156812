"""Limit settings: where an operator writes limits down, and what becomes of them.

Floor 3, `execution`, beside the loader, which reads the project's other settings.

    pyproject.toml  [tool.rewake.limits]  documents_read_max = 64_000    bytes_read_max = "64 MiB"
    environment     REWAKE_LIMIT_DOCUMENTS_READ_MAX=64000                (stands above the file)

A name that is not known is refused, with the one that was probably meant: a limit that silently does not hold
is worse than a server that does not start.

Not here: the limits themselves, their units and bounds (`rewake.limits`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from math import isfinite

from msgspec.structs import replace

from rewake.errors import InvalidInput
from rewake.limits import DEFAULT_LIMITS, GIB, KIB, MIB, SETTINGS, Limits, Setting

VARIABLE_PREFIX = "REWAKE_LIMIT_"

_UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
_SIZE = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?(B|KiB|MiB|GiB)?")


class LimitSettingInvalid(InvalidInput):
    """A limit cannot be set like this. The text names the setting, the value and what it may be."""

    code = "InvalidLimitSetting"


def limits_from_table(table: object, *, place: str, base: Limits = DEFAULT_LIMITS) -> Limits:
    """The limits of a `[tool.rewake.limits]` table; what it leaves out is as in `base`.

    `place` says in errors where the table stands.

    Raises:
        LimitSettingInvalid: a name is not known, or a value is no number or out of bounds.
    """
    if not isinstance(table, dict):
        raise LimitSettingInvalid(f"{place} must be a table of limits.")
    values: dict[str, float] = {}
    for name, value in table.items():
        setting = _setting_named(name, place=place)
        values[name] = _checked(setting, value, place=f"`{name}` under {place}")
    return replace(base, **values)


def limits_from_environment(environ: Mapping[str, str], *, base: Limits = DEFAULT_LIMITS) -> Limits:
    """The limits that `REWAKE_LIMIT_*` variables set; others are as in `base`. An empty one sets nothing.

    Raises:
        LimitSettingInvalid: see `limits_from_table`.
    """
    values: dict[str, float] = {}
    for variable, text in environ.items():
        if not variable.startswith(VARIABLE_PREFIX) or not text.strip():
            continue
        name = variable.removeprefix(VARIABLE_PREFIX).lower()
        setting = _setting_named(name, place="the environment", shown=variable)
        values[name] = _checked(setting, text.strip(), place=f"The environment variable {variable}")
    return replace(base, **values)


def _setting_named(name: str, *, place: str, shown: str | None = None) -> Setting:
    setting = SETTINGS.get(name)
    if setting is not None:
        return setting
    nearest = get_close_matches(name, SETTINGS, n=1, cutoff=0.5)
    if nearest and shown is not None:
        nearest = [VARIABLE_PREFIX + nearest[0].upper()]
    hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
    raise LimitSettingInvalid(
        f"Unknown limit `{shown or name}` in {place}.{hint} docs/reference/limits.md lists all limits."
    )


def _checked(setting: Setting, value: object, *, place: str) -> float:
    number = _number(setting, value)
    if number is None:
        kind = "a whole number" if setting.is_whole else "a number"
        like = ', or a size such as "32 MiB"' if setting.unit == "bytes" else ""
        raise LimitSettingInvalid(f"{place} must be {kind} of {setting.unit}{like}; got {value!r}.")
    if not setting.least <= number <= setting.most:
        raise LimitSettingInvalid(
            f"{place} must lie between {setting.least:,} and {setting.most:,} {setting.unit}; "
            f"got {value!r}{_in_bytes(value, number)}."
        )
    return number


def _number(setting: Setting, value: object) -> float | None:
    """What was written as a number of the setting's type, or None where it is none."""
    scale = 1
    if isinstance(value, str):
        match = _SIZE.fullmatch(value) if setting.unit == "bytes" else None
        text = value
        if match is not None:
            text, scale = match[1], _UNITS[match[2] or "B"]
        try:
            value = int(text)
        except ValueError:
            try:
                value = float(text)
            except ValueError:
                return None
    # `true` is an int to Python, and a limit to nobody.
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    number = value * scale
    if not setting.is_whole:
        return float(number)
    return int(number) if number == int(number) else None


def _in_bytes(value: object, number: float) -> str:
    return f", which is {number:,}" if isinstance(value, str) and not value.isdigit() else ""

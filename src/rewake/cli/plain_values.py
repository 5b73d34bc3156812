"""Plain values: options whose words mean what they say.

Floor 8, `cli`. What an option's word becomes is typer's business, and typer asks pydantic, which takes longer
to import than the rest of the command line: a tenth of the time until a server is ready. Nearly every word
needs nobody to be asked. Where there is the least doubt, a mistake above all, typer decides as ever, and says
so in its own words.

    3210, a number within its bounds -> int      chat, a path that may be read -> Path      text -> "text"
    anything else -> typer

Not here: which options there are (`commands.py`, `options.py`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperCommand

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,8}")
_FLAGS = {"0": False, "1": True, "false": False, "true": True}


class PlainCommand(TyperCommand):
    """A command that asks typer only about words that are not plain."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, the one for help too."""
        return with_plain_values(super().get_params(ctx))


def with_plain_values(parameters: list[Any]) -> list[Any]:
    """`parameters`, each of which reads plain words by itself where typer was not asked about it already."""
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", None) is None:
            parameter._runtime_param = _Reading()
    return parameters


class _Doubtful(Exception):
    """What a word means is for typer to say."""


class _Reading:
    """Stands where typer keeps what it asks pydantic with (`typer.core`, `get_runtime_param`)."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """What `value` means for `param`."""
        try:
            return _meaning(value, param)
        except _Doubtful:
            param._runtime_param = None
            return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _meaning(value: Any, parameter: Any) -> Any:
    info, wanted = parameter.type_descriptor.parameter_info, parameter.type_descriptor.annotation
    if parameter.multiple or parameter.nargs != 1 or info.parser is not None:
        raise _Doubtful
    if value is None:
        return None
    if wanted is int and not info.clamp:
        return _number(value, info.min, info.max)
    if not isinstance(value, str):
        raise _Doubtful
    if wanted is str:
        return value
    if wanted is bool and value in _FLAGS:  # A flag's variable.
        return _FLAGS[value]
    if wanted is Path and not (info.exists or info.resolve_path or info.writable or info.path_type):
        return _path(value, info)
    if get_origin(wanted) is Literal and value in get_args(wanted):
        return value
    raise _Doubtful


def _number(value: Any, least: float | None, most: float | None) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if type(value) is not int or not (least is None or least <= value) or not (most is None or value <= most):
        raise _Doubtful
    return value


def _path(value: str, info: Any) -> Path:
    if not value or not (info.file_okay and info.dir_okay):
        raise _Doubtful
    if info.readable and os.path.lexists(value) and not os.access(value, os.R_OK):
        raise _Doubtful
    return Path(value)

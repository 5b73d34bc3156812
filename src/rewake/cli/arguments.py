"""Arguments of `rewake run`, as a person types them.

Floor 8, `cli`. Either one JSON object, or `name=value` pairs whose values are JSON where they can be and text
otherwise:

    rewake run messages:send '{"body": "hi"}'
    rewake run messages:send body=hi                 the same
    rewake run messages:list limit=5 tags='["a"]'    a number and a list
    rewake run messages:send body='"5"'              the text 5

A mistake is shown at its place, since shells eat quotes. Not here: checking against the function's arguments
(the server does)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rewake.cli.failure import WrongUsage

_CONTEXT_LENGTH = 60
_HINT = """Put JSON between single quotes, so that the shell leaves it alone, or write name=value pairs:
  rewake run messages:send '{"body": "hi"}'
  rewake run messages:send body=hi"""


def parse_arguments(words: list[str]) -> dict[str, Any]:
    """The arguments object that `words` stand for; without words it is empty.

    Raises:
        WrongUsage: the words are neither a JSON object nor pairs.
    """
    if not words:
        return {}
    first = words[0].lstrip()
    if first.startswith("{") and len(words) == 1:
        return _parse_object(first)
    if first.startswith(("{", "[")):
        raise WrongUsage(f"Expected one JSON object of named arguments, got {_several(words)}.", hint=_HINT)
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise WrongUsage(f"`{word}` is neither a JSON object nor name=value.", hint=_HINT)
        if name in arguments:
            raise WrongUsage(f"The argument `{name}` is given twice.")
        arguments[name] = _parse_value(value)
    return arguments


def _several(words: list[str]) -> str:
    if len(words) == 1:
        return "a list"
    return f"{len(words)} words: {' '.join(words)}"


def _parse_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise WrongUsage(
            f"The arguments are not JSON: {_reason(error)} at line {error.lineno}, column {error.colno}.",
            detail=_pointer(text, error.pos),
            hint=_HINT,
        ) from None
    except _NoConstant as error:
        raise WrongUsage(f"The arguments are not JSON: {error} is no JSON value.") from None
    except RecursionError:
        raise WrongUsage("The arguments are nested too deeply.") from None
    assert isinstance(value, dict)
    return value


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


class _NoConstant(ValueError):
    """NaN and the infinities, which Python's parser takes for JSON."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NoConstant(name)


def _reason(error: json.JSONDecodeError) -> str:
    reason = error.msg[:1].lower() + error.msg[1:]
    return reason.replace("property name enclosed in double quotes", "a name in double quotes")


def _pointer(text: str, position: int) -> str:
    """The line of the mistake with a caret under it, cut where it is long."""
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[begin : end if end >= 0 else len(text)]
    column = position - begin
    left = max(0, column - _CONTEXT_LENGTH)
    shown = line[left : column + _CONTEXT_LENGTH]
    return f"{shown}\n{' ' * (column - left)}^"

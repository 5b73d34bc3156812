"""Function paths: the names by which clients call functions.

Floor 1, `protocol`. `messages:send`, `messages.js:send` and, for the function called `default`, `messages`
alone are forms of one name. npm sends queries normalised and mutations as the caller wrote them; the Rust
family sends the caller's text first and the canonical form when it replays (wire 1.5). So every door parses.

    text -> FunctionPath(module="dir/messages", function="send")
                .canonical -> "dir/messages.js:send"
                .public    -> "dir/messages:send"       for people, and in errors

Not here: whether such a function exists (`execution`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rewake.errors import InvalidInput
from rewake.limits import IDENTIFIER_LENGTH_MAX

DEFAULT_FUNCTION = "default"
"""The function that a path without a colon names."""

_EXTENSION = ".js"
_COMPONENT = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class InvalidFunctionPath(InvalidInput):
    """The text does not name a function. Write `module:function`, with `/` between folders."""

    code = "BadConvexFunctionIdentifier"
    template = "{path} is not a valid path to a Convex function. {detail}"


class FunctionPath(NamedTuple):
    """A function's name, taken apart. `module` has no extension; folders are separated by `/`."""

    module: str
    function: str

    @property
    def canonical(self) -> str:
        """The one form that stands for all: `dir/module.js:function`."""
        return _canonical(self.module, self.function)

    @property
    def public(self) -> str:
        """The form for people: no extension, and no `:default`."""
        return self.module if self.function == DEFAULT_FUNCTION else f"{self.module}:{self.function}"

    @staticmethod
    def parse(text: str) -> FunctionPath:
        """Take apart any accepted form.

        Raises:
            InvalidFunctionPath: the text is none; the detail says why.
        """
        return _parse(text)


@lru_cache(maxsize=4096)
def canonical_path(text: str) -> str:
    """`FunctionPath.canonical` of any accepted form, remembered; raises as `FunctionPath.parse`."""
    return _parse(text).canonical


@lru_cache(maxsize=4096)
def _canonical(module: str, function: str) -> str:
    """`FunctionPath.canonical`, remembered: thousands of subscriptions hold one text."""
    return f"{module}{_EXTENSION}:{function}"


@lru_cache(maxsize=4096)
def _parse(text: str) -> FunctionPath:
    """`FunctionPath.parse`, remembered: a server sees few names, each many times."""
    module, colon, function = text.partition(":")
    if not colon:
        function = DEFAULT_FUNCTION
    components = module.split("/")
    for component in components:
        problem = _component_problem(component)
        if problem is not None:
            raise InvalidFunctionPath(path=text, detail=problem)
    stem, dot, extension = components[-1].rpartition(".")
    if dot:
        if f".{extension}" != _EXTENSION or not _ALPHANUMERIC.search(stem):
            detail = f"Module path {module!r} has the extension '.{extension}'; only '.js' is allowed."
            raise InvalidFunctionPath(path=text, detail=detail)
        module = module.removesuffix(_EXTENSION)
    problem = _function_problem(function)
    if problem is not None:
        raise InvalidFunctionPath(path=text, detail=problem)
    return FunctionPath(module, function)


def _component_problem(component: str) -> str | None:
    """Why a folder or file name cannot be part of a path; None when it can."""
    if not component:
        return "A path component is empty."
    if len(component) > IDENTIFIER_LENGTH_MAX:
        return f"Path component {component!r} is longer than {IDENTIFIER_LENGTH_MAX} characters."
    if not _COMPONENT.fullmatch(component):
        return (
            f"Path component {component!r} can only contain alphanumeric characters, underscores, or periods."
        )
    if not _ALPHANUMERIC.search(component):
        return f"Path component {component!r} must have at least one alphanumeric character."
    return None


def _function_problem(function: str) -> str | None:
    """Why a text cannot be a function's name; None when it can."""
    if len(function) > IDENTIFIER_LENGTH_MAX:
        return f"Function name {function!r} is longer than {IDENTIFIER_LENGTH_MAX} characters."
    if not _IDENTIFIER.fullmatch(function) or not function.strip("_"):
        return f"Function name {function!r} is not an identifier."
    return None

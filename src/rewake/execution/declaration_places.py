"""Where a declaration stands: file, line and text, as a traceback shows them.

Floor 3, `execution`, beside the loader. What is wrong with a table or a signature is found when all modules
are imported, so no traceback leads to the author's line; it is looked up in the source instead, where it can
be.

Not here: what is wrong (`schema`), tracebacks of exceptions (`failures.py`).
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

_TABLE = re.compile(r'[Tt]able "([^"]+)"')
_INDEX = re.compile(r'index "([^"]+)"')


def handler_place(handler: Callable[..., Any]) -> str | None:
    """Where a function is defined: the line of its `def`, or that of its decorators."""
    code = inspect.unwrap(handler).__code__
    place = code.co_firstlineno
    lines = _lines_of(code.co_filename)
    # A function's first line is that of its first decorator.
    for number in range(place, min(place + 20, len(lines) + 1)):
        if re.match(r"\s*(async\s+)?def\s", lines[number - 1]):
            place = number
            break
    return _shown(code.co_filename, place, lines)


def schema_place(documents: Iterable[type[Any]], message: str) -> str | None:
    """Where the table that `message` names is declared, or the last index of it that is named; None where it
    names none of these classes.
    """
    table, indexes = _TABLE.search(message), _INDEX.findall(message)
    if table is None:
        return None
    for document in documents:
        if getattr(document, "__table__", None) != table[1]:
            continue
        file = getattr(sys.modules.get(document.__module__), "__file__", None)
        if file is None:
            return None
        lines = _lines_of(file)
        return _shown(file, _line_in_class("".join(lines), document.__name__, indexes), lines)
    return None


def _line_in_class(source: str, name: str, attributes: list[str]) -> int | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None  # Saved again meanwhile.
    found = next((one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and one.name == name), None)
    if found is None:
        return None
    line = found.lineno
    for statement in found.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id in attributes for target in targets):
            line = statement.lineno
    return line


def _lines_of(file: str) -> list[str]:
    linecache.checkcache(file)
    return linecache.getlines(file)


def _shown(file: str, line: int | None, lines: list[str]) -> str | None:
    if line is None:
        return None
    text = lines[line - 1].strip() if line <= len(lines) else ""
    return f'File "{file}", line {line}\n  {text}'.rstrip()

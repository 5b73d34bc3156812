"""The memory limit: a run that met a MemoryError has failed, whatever its author made of that.

Floor 3, `execution`, in worker processes. The kernel refuses memory beyond the bound (`worker_bounds.py`),
and Python makes a MemoryError of it, which any `except Exception` of an author's would take for one of its
own: half of what a mutation set out to write would be committed. Python tells nobody that an exception was
caught. So modules of the project are compiled with a look at it as the first thing in each of their handlers:

    try: ...                                       try: ...
    except Exception:              becomes         except Exception:
        log.warning("no")                              __rewake_caught__(); log.warning("no")

There, and at the begin of each `finally`, the current run is marked as failed and `OutOfMemory` raised, which
the next handler cannot keep either. Where nothing is raised nothing is run, so this costs nothing.

Not here: the bound itself; handlers inside libraries, which know what they can do without (but for
`contextlib.suppress`).
Source: semantics 5.8; decision 0008.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import sys
from types import TracebackType

from rewake.execution.current_run import current
from rewake.execution.statements import statements

_LOOK = "__rewake_caught__"
_CHAIN_MAX = 50
# Set by `install`; elsewhere modules are compiled as they stand.
_is_installed = False


class OutOfMemory(BaseException):
    """The function met a MemoryError. It is over, whatever is done with this."""

    def __str__(self) -> str:
        return "the function ran out of memory"


def install_memory_watch() -> None:
    """Have modules of the project compiled with looks from now on. Calling again does nothing."""
    global _is_installed
    if _is_installed:
        return
    _is_installed = True
    setattr(builtins, _LOOK, _look)
    leave = contextlib.suppress.__exit__

    def leave_looking(
        self: contextlib.suppress,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        _look_at(error)
        return leave(self, kind, error, trace)

    contextlib.suppress.__exit__ = leave_looking  # type: ignore[method-assign]


def looking(source: bytes, file: str) -> bytes | ast.Module:
    """What to compile in place of `source`: the same with looks, in a process that watches.

    Raises:
        SyntaxError, ValueError: as `compile` does.
    """
    if not _is_installed or (b"except" not in source and b"finally" not in source):
        return source
    try:
        tree = ast.parse(source, file)
    except RecursionError:
        return source  # An expression so long that only the compiler itself takes it.
    for node in statements(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in node.handlers:
                handler.body.insert(0, _look_before(handler.body[0]))
            if node.finalbody:
                node.finalbody.insert(0, _look_before(node.finalbody[0]))
    return tree


def _look_before(statement: ast.stmt) -> ast.stmt:
    look = ast.Expr(ast.Call(ast.Name(_LOOK, ast.Load()), [], []))
    return ast.fix_missing_locations(ast.copy_location(look, statement))


def _look() -> None:
    """Called first in each handler and `finally` of an author's: what is being handled there?"""
    _look_at(sys.exc_info()[1])


def _look_at(error: BaseException | None) -> None:
    run = current.run
    if run is not None and _is_of_memory(error):
        run.is_out_of_memory = True
        raise OutOfMemory


def _is_of_memory(error: BaseException | None) -> bool:
    """Whether a want of memory is behind `error`: itself, what it came of, or a member of the group."""
    left = [error]
    for _ in range(_CHAIN_MAX):
        if not left:
            break
        found = left.pop()
        # By its type: an author's exception may lie about its class.
        if issubclass(type(found), MemoryError | OutOfMemory):
            return True
        if found is not None:
            left.append(found.__context__)
        if isinstance(found, BaseExceptionGroup):
            left += found.exceptions
    return False

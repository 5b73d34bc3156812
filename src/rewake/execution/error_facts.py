"""Error facts: an error of the house as plain data.

Floor 3, `execution`. What a worker cannot do it says with the very error that it would raise, and the front
raises it again, with the same class and fields.

Not here: failures of functions, which are results (`calls.py`).
"""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from rewake.errors import RewakeError
from rewake.execution.code_switch import DocumentSource
from rewake.execution.loader import ProjectInvalid


class ErrorFacts(msgspec.Struct, frozen=True, array_like=True):
    """An error of the house: raised again as the same class on the other side."""

    module: str
    name: str
    message: str
    fields: dict[str, Any]
    traceback: str | None

    @classmethod
    def of(cls, error: RewakeError) -> ErrorFacts:
        # An author's subclass does not exist on the other side: the nearest class of the house stands for it.
        kind = next(each for each in type(error).__mro__ if each.__module__.startswith("rewake."))
        fields = {name: _plain(value) for name, value in error.fields.items()}
        return cls(kind.__module__, kind.__name__, error.message, fields, getattr(error, "traceback", None))

    def error(self) -> RewakeError:
        """The inverse of `of`."""
        assert self.module.startswith("rewake."), "only errors of the house cross the pipe"
        kind = getattr(importlib.import_module(self.module), self.name)
        assert issubclass(kind, RewakeError)
        error: RewakeError = kind(self.message)
        error.fields = dict(self.fields)
        if isinstance(error.fields.get("source"), dict):
            error.fields["source"] = msgspec.convert(error.fields["source"], DocumentSource)
        if isinstance(error, ProjectInvalid):
            error.traceback = self.traceback
        return error


def _plain(value: Any) -> Any:
    """A field of an error in a form that crosses the pipe."""
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)

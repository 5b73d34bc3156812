"""`ctx.env`: environment variables of the deployment.

Floor 2, `functions`. A face of the host like the other parts of `ctx`: each look at a variable asks for it by
name. In a query or mutation that look is a read like any other, so a live query runs again when a variable
that it read changes; an action sees the value of the moment. There is no list of all: a secret that is not
asked for is not told.

Not here: setting them (`rewake env`, the HTTP API), where they are kept (`database`).
Source: semantics 6.9.
"""

from __future__ import annotations

from typing import Protocol, TypeVar, overload

from rewake.errors import FunctionError

D = TypeVar("D")


class VariableNotSet(FunctionError, KeyError):
    """The function needs an environment variable that is not set. Set it with `rewake env set`, or read it
    with `ctx.env.get`.
    """

    code = "EnvironmentVariableNotSet"
    template = "The environment variable {name} is not set. Set it with `rewake env set {name}`."


class KnowsVariables(Protocol):
    """A run that can look variables up."""

    def read_variable(self, name: str) -> str | None: ...


class Env:
    """The environment variables of the deployment, by name."""

    # Python would otherwise try 0, 1, 2 as names.
    __iter__ = None

    def __init__(self, host: KnowsVariables) -> None:
        self._host = host

    def __getitem__(self, name: str) -> str:
        """The value of a variable.

        Raises:
            VariableNotSet: it has none; also a KeyError.
        """
        value = self._value(name)
        if value is None:
            raise VariableNotSet(name=name)
        return value

    @overload
    def get(self, name: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, name: str, default: D, /) -> str | D: ...
    def get(self, name: str, default: object = None, /) -> object:
        """The value of a variable, or `default` where it is not set."""
        value = self._value(name)
        return default if value is None else value

    def __contains__(self, name: object) -> bool:
        """Whether a variable is set; one that is set to nothing is."""
        return isinstance(name, str) and self._value(name) is not None

    def _value(self, name: str) -> str | None:
        if not isinstance(name, str):
            raise TypeError(f"An environment variable is asked for by its name; got {name!r}.")
        return self._host.read_variable(name)

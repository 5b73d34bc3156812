"""Project variables: the class among a project's modules that declares its environment variables.

Floor 3, `execution`, beside the loader. There is one at most, in whichever module.

Not here: what a declaration may say (`schema/declared_variables.py`), what is refused for it
(`database/environment_variables.py`).
Source: semantics 6.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from rewake.database import check_variable
from rewake.schema import DeclaredVariable, EnvironmentVariables, InvalidSchema, declared_variables


def variables_of(modules: Mapping[str, ModuleType]) -> dict[str, DeclaredVariable]:
    """What modules declare, by module path.

    Raises:
        InvalidSchema: two classes declare variables, or one declares what is no variable.
        InvalidInput: a name can be none.
    """
    found = {
        value: path
        for path, module in modules.items()
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, EnvironmentVariables)
        and value.__module__ == module.__name__
    }
    if len(found) > 1:
        named = " and ".join(f"{path}.py: {kind.__name__}" for kind, path in found.items())
        raise InvalidSchema(f"A project declares its environment variables in one class; there are {named}.")
    declared = {name: each for kind in found for name, each in declared_variables(kind).items()}
    for name in declared:
        check_variable(name, None)
    return declared

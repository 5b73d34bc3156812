"""Annotations: from what stands in an author's source to types, with names looked up late.

Floor 1, `schema`, on `ids`. Order of declaration does not matter to authors: `Id["Channel"]` may come before
`Channel`, and under `from __future__ import annotations` every hint is a string. So hints are evaluated when
the schema is assembled, in the module that wrote them, with the document classes of the deployment behind it
(a class imported under `TYPE_CHECKING` is found there).
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import msgspec

from rewake.schema.errors import UnknownReference

_SYSTEM_TABLES = frozenset({"_scheduled_functions", "_storage"})
"""Tables of the system whose ids authors may name."""


class Scope(msgspec.Struct, frozen=True):
    """What the names in annotations may refer to beyond their module."""

    documents: Mapping[str, type[Any]] = msgspec.field(default_factory=dict)
    """The deployment's document classes by name."""
    tables: frozenset[str] | None = None
    """Every declared table, or None where there is no schema and any table may come to exist."""

    def table_of(self, reference: object, *, where: str, names: Mapping[str, Any]) -> str:
        """The table that the reference in an `Id[...]` means.

        Raises:
            UnknownReference: it names no document class and no table, or a class without a table.
        """
        if isinstance(reference, str) and not self._is_table(reference):
            found = names.get(reference)
            reference = found if isinstance(found, type) else self.documents.get(reference, reference)
        if isinstance(reference, type):
            table = getattr(reference, "__table__", None)
            if isinstance(table, str):
                return table
            raise UnknownReference(
                f'{where}: {reference.__name__} is no document class with a table (table="...")'
            )
        if isinstance(reference, str) and self._may_be_table(reference):
            return reference
        known = ", ".join(sorted({*self.documents, *(self.tables or ())})) or "none"
        raise UnknownReference(
            f"{where}: Id[{reference!r}] refers to no document class and no table of this schema. Declared: "
            f"{known}"
        )

    def _is_table(self, name: str) -> bool:
        return name in _SYSTEM_TABLES or (self.tables is not None and name in self.tables)

    def _may_be_table(self, name: str) -> bool:
        return self.tables is None or self._is_table(name)


NO_SCOPE = Scope()


def module_names(module: str | None) -> Mapping[str, Any]:
    """The names of an imported module; none for a module that is not there."""
    found = sys.modules.get(module) if module is not None else None
    return vars(found) if found is not None else {}


def evaluate(annotation: Any, names: Mapping[str, Any], *, where: str) -> Any:
    """Make an annotation with its strings and forward references looked up in `names`.

    Raises:
        UnknownReference: a name in it is not known.
    """
    # A class of its own, because that is the one place where typing resolves every form of hint (ClassVar,
    # Required, ...) on all supported Python versions.
    holder = type("_Holder", (), {"__annotations__": {"hint": annotation}})
    try:
        return typing.get_type_hints(holder, globalns={}, localns=dict(names), include_extras=True)["hint"]
    except NameError as error:
        raise UnknownReference(
            f"{where}: the annotation {annotation!r} uses the name {error.name!r}, which is not defined in "
            "its module "
            "and is no document class of this deployment"
        ) from None


def own_annotations(owner: type) -> Mapping[str, Any]:
    """The annotations written in a class body, unevaluated where they are strings or not yet defined."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(owner)


def class_names(owner: type, scope: Scope) -> Mapping[str, Any]:
    """Where the annotations of a class body look names up: its module, the class, the scope's documents."""
    return ChainMap(dict(module_names(owner.__module__)), dict(vars(owner)), dict(scope.documents))


def class_hints(owner: type, scope: Scope) -> dict[str, Any]:
    """Every annotation of a class and its bases, evaluated; the class's own win.

    Raises:
        UnknownReference: a name in one of them is not known.
    """
    hints: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        annotations = own_annotations(base)
        if annotations:
            names = class_names(base, scope)
            for name, annotation in annotations.items():
                hints[name] = evaluate(annotation, names, where=f"{base.__name__}.{name}")
    return hints

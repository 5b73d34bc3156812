"""Collected: a registry made of what a test hands over, without a project in a folder.

Floor 8, `testing`.

    modules by name, a schema, document classes -> Registry, as loading a project would give it

Not here: projects in folders (`execution/loader.py`), the backend that serves a registry (`backend.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from rewake.execution import ProjectSettings, Registry, collect_modules
from rewake.functions import RegisteredFunction
from rewake.schema import Document, Schema, function_names, is_document_class


def collected(
    modules: Iterable[ModuleType], *, schema: Schema | None, documents: Sequence[type[Document]]
) -> Registry:
    """The functions of `modules`, of which `backend.messages` is `messages`; what has no package keeps its
    name. `schema` and `documents` give tables that the modules do not name.
    """
    by_path = {_module_path(module.__name__): module for module in modules}
    settings = ProjectSettings(root=Path.cwd())
    return collect_modules(by_path | _schema_module(schema, documents), settings)


def _module_path(name: str) -> str:
    head, _, rest = name.partition(".")
    return (rest or head).replace(".", "/")


def documents_seen_by(function: RegisteredFunction[..., Any]) -> Iterator[type[Document]]:
    """The document classes that a function can name."""
    for value in function_names(function.handler).values():
        if is_document_class(value) and value.__table__ is not None:
            yield value


def _schema_module(schema: Schema | None, documents: Sequence[type[Document]]) -> dict[str, ModuleType]:
    """A module that holds what a test declared beside its functions."""
    if schema is None and not documents:
        return {}
    module = ModuleType("testing_schema")
    if schema is not None:
        module.__dict__["schema"] = schema
    for document in documents:
        module.__dict__[document.__name__] = document
    return {"testing_schema": module}

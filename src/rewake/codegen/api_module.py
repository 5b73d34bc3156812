"""`api.d.ts` and `api.js`: every function under the name by which the page calls it.

Floor 5, `codegen`. `api.folder.module.function` is a `FunctionReference` with its kind, visibility, arguments
and result spelled out; `internal` holds the internal ones. At run time both are the official `anyApi`, which
makes a reference of any path.

Not here: types of documents (`data_model.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rewake.codegen.data_model import HEADER
from rewake.codegen.function_spec import FunctionSpec
from rewake.codegen.layout import Node, Part, Union, Word, generic, literal_object, render
from rewake.codegen.typescript import TypeWriter, document_shapes, key, quote

_API_MODULE = """
import { anyApi } from "convex/server";

export const api = anyApi;
export const internal = anyApi;
"""


class _Branch(msgspec.Struct):
    """What lives under one name: functions, and deeper names."""

    functions: dict[str, FunctionSpec] = msgspec.field(default_factory=dict)
    branches: dict[str, _Branch] = msgspec.field(default_factory=dict)

    def plant(self, spec: FunctionSpec) -> None:
        branch = self
        for name in spec.module.split("/"):
            branch = branch.branches.setdefault(name, _Branch())
        branch.functions[spec.name] = spec


def render_api_declaration(schema: Mapping[str, Any] | None, functions: Iterable[FunctionSpec]) -> str:
    """The text of `api.d.ts`."""
    shapes = document_shapes(schema)
    tables = None if schema is None else frozenset(table["tableName"] for table in schema["tables"])
    writer = TypeWriter(tables=tables, documents=shapes)
    roots = {"public": _Branch(), "internal": _Branch()}
    for spec in functions:
        roots[spec.visibility].plant(spec)
    api = _tree(writer, roots["public"])
    internal = _tree(writer, roots["internal"])
    imports = []
    if api != Word("{}") or internal != Word("{}"):
        imports.append('import type { FunctionReference } from "convex/server";')
    if "GenericId" in writer.imports:
        imports.append('import type { GenericId } from "convex/values";')
    if named := sorted(writer.imports & {"Doc", "Id"}):
        imports.append(f'import type {{ {", ".join(named)} }} from "./dataModel.js";')
    return "\n".join(
        [
            HEADER.format(source="functions"),
            *(imports or ["export {};"]),
            "",
            f"export declare const api: {render(api, column=0)};",
            "",
            f"export declare const internal: {render(internal, column=0)};",
            "",
        ]
    )


def render_api_module() -> str:
    """The text of `api.js`, which is the same for every application."""
    return HEADER.format(source="functions") + _API_MODULE


def _tree(writer: TypeWriter, branch: _Branch) -> Node:
    parts = []
    for name in sorted(branch.functions.keys() | branch.branches.keys()):
        nodes: list[Node] = []
        comment = ""
        if spec := branch.functions.get(name):
            nodes.append(_reference(writer, spec))
            comment = _comment(spec.documentation)
        if below := branch.branches.get(name):
            nodes.append(_tree(writer, below))
        # A module `a` may have a function `b` while `a/b` is a module too: the name is both.
        node = nodes[0] if len(nodes) == 1 else Union(tuple(nodes), sign="&")
        parts.append(Part(f"{key(name)}: ", node, comment))
    return literal_object(parts, is_broken=True)


def _reference(writer: TypeWriter, spec: FunctionSpec) -> Node:
    return generic(
        "FunctionReference",
        [
            Word(quote(spec.kind)),
            Word(quote(spec.visibility)),
            writer.type_of(spec.args),
            writer.type_of(spec.returns),
        ],
    )


def _comment(documentation: str) -> str:
    """What an editor shows beside the name: the author's docstring, which cannot end the comment."""
    lines = [line.rstrip() for line in documentation.strip().replace("*/", "* /").splitlines()]
    if len(lines) < 2:
        return f"/** {lines[0]} */" if lines else ""
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */"])

"""A Python module with every function as a typed reference, for `rewake.client`.

Floor 5, `codegen`. `api.folder.module.function` has the arguments and the result of the function; `internal`
has the internal ones, for an administrator. Type checkers then know what `client.query(api.m.f, ...)` takes
and gives.

    class MessagesListArguments(TypedDict): ...
    @query("messages:list")
    def _messages_list(**arguments: Unpack[MessagesListArguments]) -> list[MessagesDocument]: ...
    class api:
        class messages:
            list = _messages_list

Not here: types (`python_types.py`), what a reference is (`client/references.py`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rewake.codegen.function_spec import FunctionSpec
from rewake.codegen.python_types import PythonTypeWriter, camel
from rewake.codegen.typescript import document_shapes

_HEADER = (
    '"""Functions of the server for `rewake.client`. Written by `rewake codegen --python`; do not edit."""'
)
_SOURCES = {
    "typing": ("Any", "Literal", "Never", "NotRequired", "TypedDict", "Unpack"),
    "rewake.client": ("Int64",),
    "rewake.client.references": ("action", "mutation", "query"),
}


class _Reference(msgspec.Struct, frozen=True):
    """A function by the name of its definition, with its author's docstring."""

    name: str
    documentation: str


class _Branch(msgspec.Struct):
    """What lives under one name: references by the name of the function, and deeper names."""

    references: dict[str, _Reference] = msgspec.field(default_factory=dict)
    branches: dict[str, _Branch] = msgspec.field(default_factory=dict)

    def lines(self, name: str, depth: int) -> list[str]:
        """The class of this branch."""
        indent = "    " * depth
        inside: list[str] = []
        taken: set[str] = set()
        for key, of in sorted(self.references.items()):
            inside.append(f"{indent}    {_attribute(key, taken)} = {of.name}")
            inside += [f"{indent}    {line}".rstrip() for line in _docstring(of.documentation)]
        for key, branch in sorted(self.branches.items()):
            inside += branch.lines(_attribute(key, taken), depth + 1)
        return [f"{indent}class {name}:", *(inside or [f"{indent}    pass"])]


def render_python_api(schema: Mapping[str, Any] | None, functions: Iterable[FunctionSpec]) -> str:
    """The text of the module."""
    writer = PythonTypeWriter(documents=document_shapes(schema))
    public, internal = _Branch(), _Branch()
    references: list[str] = []
    for number, spec in enumerate(sorted(functions, key=lambda spec: spec.path)):
        # The number keeps `a/b:c` and `a_b:c` apart.
        name = f"_f{number}_{re.sub(r'[^A-Za-z0-9]', '_', f'{spec.module}_{spec.name}')}"
        references.append(_reference(writer, spec, name))
        branch = public if spec.visibility == "public" else internal
        for part in spec.module.split("/"):
            branch = branch.branches.setdefault(part, _Branch())
        branch.references[spec.name] = _Reference(name, spec.documentation)
    trees = ["\n".join(branch.lines(name, 0)) for name, branch in (("api", public), ("internal", internal))]
    imports = [
        f"from {source} import {', '.join(used)}"
        for source, names in _SOURCES.items()
        if (used := [name for name in names if name in writer.imports])
    ]
    head = "\n".join([_HEADER, "", "# ruff: noqa", "from __future__ import annotations", "", *imports])
    parts = [head.rstrip("\n"), '__all__ = ["api", "internal"]', *writer.definitions, *references, *trees]
    return "\n\n\n".join(parts) + "\n"


def _reference(writer: PythonTypeWriter, spec: FunctionSpec, name: str) -> str:
    place = camel(f"{spec.module}:{spec.name}")
    writer.imports.add(spec.kind)
    if spec.args["type"] == "object":
        writer.imports.add("Unpack")
        arguments = f"Unpack[{writer.object_of(spec.args, place=place + 'Arguments')}]"
    else:
        writer.imports.add("Any")
        arguments = "Any"
    result = writer.type_of(spec.returns, place=place + "Result")
    return "\n".join(
        [
            f"@{spec.kind}({spec.path!r})",
            f"def {name}(**arguments: {arguments}) -> {result}:",
            "    raise NotImplementedError",
        ]
    )


def _docstring(documentation: str) -> list[str]:
    """The lines of a literal that editors show for the attribute above it."""
    if not documentation.strip():
        return []
    text = documentation.strip().replace("\\", "\\\\").replace('"', '\\"').replace("\x00", "\\0")
    return f'"""{text}"""'.splitlines()


def _attribute(name: str, taken: set[str]) -> str:
    """A name that can stand behind a dot; one that is taken, as of a function and a module, gets a `_`."""
    text = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if text[:1].isdigit() or text.startswith("__"):
        text = f"m{text}"
    while keyword.iskeyword(text) or text in taken:
        text += "_"
    taken.add(text)
    return text

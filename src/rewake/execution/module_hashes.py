"""Hashes of modules: which code serves a function, with everything that it imports.

Floor 3, `execution`. A query sleeps on when a push leaves its module and all that this reaches as they were.

Not here: loading modules (`loader.py`), the hashes as documents (`database/modules.py`).
Source: semantics 7.1.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from rewake.execution.statements import statements


def module_hashes(
    modules: Mapping[str, ModuleType],
    project: Mapping[str, ModuleType],
    compiled: Mapping[str, bytes],
    *,
    case: str,
) -> dict[str, str]:
    """For each of `modules` a hash of its source and of all modules of the `project` that it reaches through
    imports. `compiled` has sources as they were compiled, by module name; `case` says how names are exported.
    """
    sources = {
        name: compiled[name] if name in compiled else Path(str(module.__file__)).read_bytes()
        for name, module in project.items()
    }
    reached = {name: _imports_of(sources[name], project[name], project) for name in project}

    def closure(start: str) -> list[str]:
        seen = {start}
        stack = [start]
        while stack:
            for name in reached.get(stack.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    stack.append(name)
        return sorted(seen)

    hashes = {}
    for path, module in modules.items():
        digest = hashlib.sha256(case.encode())
        for name in closure(module.__name__):
            if name in sources:
                digest.update(name.encode() + b"\0" + sources[name] + b"\0")
        hashes[path] = digest.hexdigest()
    return hashes


def _imports_of(source: bytes, module: ModuleType, project: Mapping[str, ModuleType]) -> set[str]:
    found: set[str] = set()
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, base] if base else parts)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return {name for name in found if name in project}

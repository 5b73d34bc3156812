"""Writing `_generated`: a file changes only when its content does.

Floor 5, `codegen`. Bundlers and editors watch these files. An unchanged one is not touched, a changed one is
replaced in one step so that nobody reads half of it, and files that we did not write are left alone.

Not here: when to write (`rewake dev` after each good load, `rewake codegen`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rewake.codegen.api_module import render_api_declaration, render_api_module
from rewake.codegen.data_model import render_data_model
from rewake.codegen.function_spec import FunctionSpec


def render_all(schema: Mapping[str, Any] | None, functions: Iterable[FunctionSpec]) -> dict[str, str]:
    """Every generated file by name: `api.d.ts`, `api.js`, `dataModel.d.ts`."""
    return {
        "api.d.ts": render_api_declaration(schema, functions),
        "api.js": render_api_module(),
        "dataModel.d.ts": render_data_model(schema),
    }


def changed_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """The paths of those of `files` that differ from what `folder` holds, in name order. Writes nothing."""
    return [folder / name for name, text in sorted(files.items()) if _differs(folder / name, text)]


def write_changed(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write those of `files` that differ from what `folder` holds; make the folder if there is none.

    Returns the paths that were written, in name order. An OSError (a read-only folder, a full disk) is the
    caller's to tell; files before it are whole, the one at fault is as it was.
    """
    changed = changed_files(folder, files)
    if changed:
        folder.mkdir(parents=True, exist_ok=True)
    for path in changed:
        # In the same folder, so that the last step is a rename on one file system; hidden from bundlers.
        draft = folder / f".{path.name}.{os.getpid()}.new"
        try:
            draft.write_bytes(files[path.name].encode("utf-8"))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return changed


def _differs(path: Path, text: str) -> bool:
    """Line ends do not count: git on Windows turns them."""
    if not path.is_file():
        return True
    return path.read_bytes().replace(b"\r\n", b"\n") != text.encode("utf-8")

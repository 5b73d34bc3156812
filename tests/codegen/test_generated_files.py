"""Generated files: written only when they change, and accepted by TypeScript in strict mode.

`programs/usage.ts` is a page's code against the rich application; each `@ts-expect-error` in it is a
mistake that the types must catch, and TypeScript itself fails when one of them is not an error.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rewake.codegen import FunctionSpec, changed_files, render_all, write_changed
from rewake.execution.camel_case import camel_case
from rewake.functions import PaginationOptions, PaginationResult
from rewake.schema import arguments_codec, codec_for
from tests.codegen.rich_application import FUNCTIONS, SCHEMA, STORED

HERE = Path(__file__).resolve().parent
COMPILER_OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "exactOptionalPropertyTypes": True,
    "lib": ["ES2022", "DOM"],
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "noEmit": True,
    "noUncheckedIndexedAccess": True,
    "strict": True,
    "target": "ES2022",
    "types": [],
}


def check_types(folder: Path, program: str, **others: bool) -> subprocess.CompletedProcess[str]:
    """What `tsc --strict` says to a program beside `_generated`."""
    (folder / "usage.ts").write_text(program, encoding="utf-8")
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    options = {"compilerOptions": {**COMPILER_OPTIONS, **others}, "include": ["usage.ts", "_generated"]}
    (folder / "tsconfig.json").write_text(json.dumps(options), encoding="utf-8")
    compiler = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    return subprocess.run(
        ["node", str(compiler), "--project", str(folder)], capture_output=True, text=True, check=False
    )


@pytest.mark.clients
@pytest.mark.slow
def test_typescript_accepts_what_is_right_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    write_changed(tmp_path / "_generated", render_all(SCHEMA, FUNCTIONS))
    outcome = check_types(tmp_path, (HERE / "programs" / "usage.ts").read_text(encoding="utf-8"))
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.clients
@pytest.mark.slow
def test_typescript_accepts_an_application_without_a_schema(tmp_path: Path) -> None:
    write_changed(tmp_path / "_generated", render_all(None, [FunctionSpec("tasks:list", "query")]))
    program = (HERE / "programs" / "untyped.ts").read_text(encoding="utf-8")
    outcome = check_types(tmp_path, program)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("case", ["snake", "camel"])
def test_the_types_of_a_list_in_pages_are_those_that_the_official_hook_wants(
    tmp_path: Path, case: str
) -> None:
    def list_page(author: str, pagination_opts: PaginationOptions) -> None: ...

    arguments = arguments_codec(
        list(inspect.signature(list_page).parameters.values()),
        names={"PaginationOptions": PaginationOptions},
        rename=camel_case if case == "camel" else str,
    ).validator.to_json()
    arguments["value"]["author"]["fieldType"] = {"type": "id", "tableName": "users"}
    returns = codec_for(PaginationResult[Any]).validator.to_json()
    returns["value"]["page"]["fieldType"]["value"] = STORED["messages"]
    listed = FunctionSpec("messages:list_page", "query", args=arguments, returns=returns)
    write_changed(tmp_path / "_generated", render_all(SCHEMA, [*FUNCTIONS, listed]))
    program = (HERE / "programs" / "paginated.ts").read_text(encoding="utf-8")
    # The hook's own declarations name React, whose types are not installed here.
    outcome = check_types(tmp_path, program, skipLibCheck=True)
    assert outcome.returncode == 0, outcome.stdout


def test_the_first_time_every_file_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "backend" / "_generated"
    written = write_changed(folder, render_all(SCHEMA, FUNCTIONS))
    assert [path.name for path in written] == ["api.d.ts", "api.js", "dataModel.d.ts"]
    assert sorted(path.name for path in folder.iterdir()) == ["api.d.ts", "api.js", "dataModel.d.ts"]


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    files = render_all(SCHEMA, FUNCTIONS)
    write_changed(tmp_path, files)
    for path in tmp_path.iterdir():
        os.utime(path, ns=(1, 1))
    written = write_changed(tmp_path, render_all(SCHEMA, FUNCTIONS[1:]))
    assert [path.name for path in written] == ["api.d.ts"]
    assert (tmp_path / "api.js").stat().st_mtime_ns == 1
    assert (tmp_path / "dataModel.d.ts").stat().st_mtime_ns == 1


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "server.d.ts").write_text("mine", encoding="utf-8")
    write_changed(tmp_path, render_all(None, []))
    assert (tmp_path / "server.d.ts").read_text(encoding="utf-8") == "mine"


def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "api.js").mkdir()
    with pytest.raises(OSError, match=r"api\.js"):
        write_changed(tmp_path, {"api.js": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["api.js"]


def test_what_differs_can_be_asked_without_writing(tmp_path: Path) -> None:
    folder = tmp_path / "_generated"
    files = {"a.ts": "one\n", "b.ts": "two\n"}
    assert changed_files(folder, files) == [folder / "a.ts", folder / "b.ts"]
    assert not folder.exists()
    write_changed(folder, files)
    assert changed_files(folder, {**files, "b.ts": "three\n"}) == [folder / "b.ts"]
    assert (folder / "b.ts").read_text(encoding="utf-8") == "two\n"


def test_ctrl_c_leaves_whole_files_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_changed(tmp_path, {"a.ts": "old\n", "b.ts": "old\n"})
    replace = Path.replace

    def interrupted(draft: Path, target: Path) -> Path:
        if target.name == "b.ts":
            raise KeyboardInterrupt
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_changed(tmp_path, {"a.ts": "new\n", "b.ts": "new\n"})
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "a.ts": "new\n",
        "b.ts": "old\n",
    }

"""A module's hash is that of its source and of every module of the project that it reaches."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from rewake.execution.module_hashes import module_hashes


def hashes(sources: dict[str, str], *, case: str = "snake") -> dict[str, str]:
    project = {name: ModuleType(name) for name in sources}
    modules = {name.partition(".")[2]: module for name, module in project.items()}
    return module_hashes(modules, project, {name: text.encode() for name, text in sources.items()}, case=case)


def test_a_change_reaches_those_that_import_it_and_nobody_else() -> None:
    before = {"app.a": "from . import b", "app.b": "import app.c", "app.c": "x = 1", "app.d": "import os"}
    first, second = hashes(before), hashes(before | {"app.c": "x = 2"})
    assert {name for name in first if first[name] != second[name]} == {"a", "b", "c"}


def test_imports_count_wherever_they_stand() -> None:
    deep = "if x:\n  try:\n    pass\n  except E:\n    match 1:\n      case 1:\n        from . import c"
    before = {"app.a": deep, "app.c": "x = 1"}
    assert hashes(before)["a"] != hashes(before | {"app.c": "x = 2"})["a"]


def test_modules_that_import_each_other_have_hashes() -> None:
    first = hashes({"app.a": "import app.b", "app.b": "import app.a"})
    second = hashes({"app.a": "import app.b", "app.b": "import app.a  # again"})
    assert first["a"] != second["a"]
    assert first["b"] != second["b"]


def test_how_names_are_exported_is_part_of_it() -> None:
    assert hashes({"app.a": ""}) != hashes({"app.a": ""}, case="camel")


def test_a_module_that_was_not_compiled_is_read(tmp_path: Path) -> None:
    module = ModuleType("app.a")
    module.__file__ = str(tmp_path / "a.py")
    Path(module.__file__).write_text("x = 1")
    assert module_hashes({"a": module}, {"app.a": module}, {}, case="snake") == hashes({"app.a": "x = 1"})

"""Generated files of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.failure import CommandFailed
from rewake.cli.generating import python_of, write_generated
from rewake.codegen import function_spec_of
from rewake.execution import load_project, read_settings


def test_files_are_written_where_they_changed(project: Path) -> None:
    settings = read_settings(project)
    analysis = load_project(settings).analysis()
    written = write_generated(settings, analysis)
    assert [file.name for file in written] == ["api.d.ts", "api.js", "dataModel.d.ts"]
    assert "list_recent" in (settings.generated_path / "api.d.ts").read_text()
    assert not write_generated(settings, analysis)


def test_a_function_carries_its_shape_and_docstring(project: Path) -> None:
    functions = load_project(read_settings(project)).analysis().functions
    send = next(function_spec_of(facts) for facts in functions if facts.path.public == "messages:send")
    assert (send.path, send.kind, send.visibility, send.documentation) == (
        "messages:send",
        "mutation",
        "public",
        "Write a message.",
    )
    assert send.args["value"]["body"] == {"fieldType": {"type": "string"}, "optional": False}
    assert send.returns == {"type": "id", "tableName": "messages"}


def test_a_folder_in_the_way_is_an_error_with_a_way_out(project: Path) -> None:
    settings = read_settings(project)
    settings.generated_path.write_text("a file")
    with pytest.raises(CommandFailed, match="cannot be written") as caught:
        write_generated(settings, load_project(settings).analysis())
    assert "generated" in caught.value.hint


def test_typed_functions_for_python_are_written_on_request(project: Path, tmp_path: Path) -> None:
    analysis = load_project(read_settings(project)).analysis()
    file = tmp_path / "deep" / "chat_api.py"
    assert python_of(file, analysis).write() == [file]
    assert "@mutation('messages:send')" in file.read_text()
    assert not python_of(file, analysis).write()
    with pytest.raises(CommandFailed, match="cannot be written"):
        python_of(file / "below.py", analysis).write()

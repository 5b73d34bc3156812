"""What is wrong with a table or a signature is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.starter_project import write_starter
from rewake.execution import ProjectInvalid, load_project, read_settings
from rewake.execution.declaration_places import handler_place, schema_place


def refused(tmp_path: Path, name: str, old: str, new: str) -> tuple[ProjectInvalid, Path, int]:
    """The error for a starter project with a mistake in it; the file, and the line of the mistake."""
    project = tmp_path / "chat"
    write_starter(project, keep=False)
    file = project / "backend" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ProjectInvalid) as caught:
        load_project(read_settings(project))
    marked = new.strip().splitlines()[-1].strip()
    line = next(number for number, one in enumerate(file.read_text().splitlines(), 1) if marked in one)
    return caught.value, file, line


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("schema.py", 'Index("author")', 'Index("autor")'),
        (
            "schema.py",
            'by_author = Index("author")',
            'by_author = Index("author")\n    also = Index("author")',
        ),
        ("messages.py", "limit: int = 20", "limit: complex = 20"),
        ("messages.py", "-> list[Message]", "-> range"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, name: str, old: str, new: str) -> None:
    error, file, line = refused(tmp_path, name, old, new)
    assert error.traceback is not None
    assert error.traceback.startswith(f'File "{file}", line {line}\n'), error.traceback
    assert new.strip().splitlines()[-1].strip() in error.traceback


def test_where_nothing_can_be_found_nothing_is_told() -> None:
    class Note:
        __table__ = "notes"

    assert schema_place([], 'Table "notes" has two') is None
    assert schema_place([Note], "something else") is None
    Note.__module__ = "no.such.module"
    assert schema_place([Note], 'In table "notes" the index "x"') is None
    made: dict[str, object] = {}
    exec(compile("def f(): ...", "<made>", "exec"), made)
    assert handler_place(made["f"]) == 'File "<made>", line 1'  # type: ignore[arg-type]

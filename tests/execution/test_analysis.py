"""The analysis says of a project what its registry says, and crosses a pipe."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rewake.execution import Analysis, FunctionNotFound, Registry, Visibility, load_project, read_settings

SOURCE = '''
from rewake import Document, QueryCtx, internal_mutation, query

class Note(Document, table="notes"):
    text: str

@query
def find(ctx: QueryCtx, text: str, limit: int = 1) -> list[Note]:
    """Find notes.

    By their text."""
    return []

@internal_mutation
def clean(ctx):
    ...
'''


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "notes.py").write_text(SOURCE)
    return load_project(read_settings(tmp_path))


def test_it_says_what_the_registry_says_without_its_code(registry: Registry) -> None:
    analysis = registry.analysis()
    clean, find = analysis.functions
    assert (clean.path.public, clean.kind, clean.is_internal) == ("notes:clean", "mutation", True)
    assert (find.path.public, find.kind, find.is_internal) == ("notes:find", "query", False)
    assert find.documentation == "Find notes.\n\nBy their text."
    assert find.arguments["value"]["limit"]["optional"]
    assert clean.returns == {"type": "any"}
    assert analysis.table_names == ["notes"]
    assert analysis.code_hash("notes:find") == registry.code_hash("notes:find") is not None
    assert analysis.code_hash("other:find") is None
    assert analysis.code_hash("no path!") is None


def test_it_finds_what_the_registry_finds_and_fails_alike(registry: Registry) -> None:
    analysis = registry.analysis()
    assert analysis.find("notes.js:find", Visibility.PUBLIC).path.public == "notes:find"
    assert analysis.find("notes:clean", Visibility.INTERNAL).is_internal
    for path in ("notes:clean", "notes:missing", "no path!"):
        texts = []
        for known in (analysis, registry):
            with pytest.raises(FunctionNotFound) as caught:
                known.find(path, Visibility.PUBLIC)
            texts.append(caught.value.message)
        assert texts[0] == texts[1]


def test_it_survives_a_pipe(registry: Registry) -> None:
    packed = msgspec.msgpack.encode(registry.analysis())
    assert msgspec.msgpack.decode(packed, type=Analysis) == registry.analysis()

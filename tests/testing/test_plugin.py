"""The pytest plugin, run by pytest in a project of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

SCHEMA = """
from rewake import Document

class Note(Document, table="notes"):
    text: str
"""
NOTES = """
from rewake import Id, MutationCtx, QueryCtx, mutation, query
from .schema import Note

@mutation
def write(ctx: MutationCtx, text: str) -> Id[Note]:
    return ctx.db.insert(Note(text=text))

@query
def list_all(ctx: QueryCtx) -> list[Note]:
    return ctx.db.query(Note).collect()

@query
def dice(ctx: QueryCtx) -> int:
    return ctx.random.randrange(10**9)
"""
TESTS = """
import pytest
from memo_app import notes
from memo_app.schema import Note
from rewake.errors import LimitExceeded
from rewake.limits import Limits

def test_one(rewake_backend):
    rewake_backend.mutation(notes.write, text="x")
    [note] = rewake_backend.query(notes.list_all)
    assert isinstance(note, Note) and note.text == "x"

def test_another_begins_without_data(rewake_backend):
    assert rewake_backend.query(notes.list_all) == []

@pytest.mark.rewake(seed=1)
def test_seeded(rewake_backend):
    with open("dice.txt", "a") as file:
        print(rewake_backend.query(notes.dice), file=file)

@pytest.mark.rewake(seed=1)
def test_seeded_alike(rewake_backend):
    test_seeded(rewake_backend)

@pytest.mark.rewake(limits=Limits(documents_written_max=1))
def test_limits(rewake_backend):
    rewake_backend.mutation(notes.write, text="x")
    with pytest.raises(LimitExceeded):
        rewake_backend.run(lambda ctx: [ctx.db.insert(Note(text="y")) for _ in range(2)])

async def inside(backend):
    return backend.query(notes.list_all)

def test_in_a_running_loop(rewake_backend):
    import asyncio
    assert asyncio.run(inside(rewake_backend)) == []
"""


def run_pytest(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # The entry point is there once this checkout is installed; naming the plugin twice would be an error.
    installed = any(point.name == "rewake" for point in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "rewake.testing.plugin"]
    return pytester.runpytest_subprocess("--strict-markers", "-q", *named, *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml('[tool.rewake]\nfunctions = "memo_app"\n')
    pytester.makepyfile(**{"memo_app/schema": SCHEMA, "memo_app/notes": NOTES, "tests/test_notes": TESTS})
    return pytester


def test_each_test_gets_a_backend_of_the_project_around_it(project: pytest.Pytester) -> None:
    run_pytest(project).assert_outcomes(passed=6)
    first, second = (project.path / "dice.txt").read_text().split()
    assert first == second


def test_a_setting_names_the_project(project: pytest.Pytester) -> None:
    (project.path / "inner").mkdir()
    for name in ("memo_app", "pyproject.toml"):
        (project.path / name).rename(project.path / "inner" / name)
    project.makeini("[pytest]\nrewake_project = inner\n")
    run_pytest(project, "tests/test_notes.py::test_one").assert_outcomes(passed=1)


def test_a_test_without_a_project_is_told_how_to_have_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(rewake_backend): ...")
    result = run_pytest(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*has [[]tool.rewake[]] in its pyproject.toml*"])


def test_the_plugin_is_registered_and_light() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"rewake": "rewake.testing.plugin"}
    program = (
        "import sys, rewake.testing.plugin\n"
        "print([name for name in ('apsw', 'starlette', 'uvicorn', 'asyncio', 'rewake.deployment')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("example", "least"), [("chat", 20), ("saas", 40)])
def test_an_example_passes_its_own_tests(pytester: pytest.Pytester, example: str, least: int) -> None:
    tests = ROOT / "examples" / example / "tests"
    outcomes = run_pytest(pytester, "-p", "no:cacheprovider", "-o", "addopts=", str(tests)).parseoutcomes()
    assert outcomes.keys() <= {"passed", "warnings"}, outcomes
    assert outcomes["passed"] > least

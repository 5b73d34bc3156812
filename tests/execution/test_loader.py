"""From a folder to a registry: what is found, what is refused in which words, and what a reload leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rewake.execution import ProjectInvalid, Visibility, load_project, read_settings
from rewake.execution.loader import ProjectSettings
from rewake.limits import MIB, Limits
from tests.deployment.stage import NOTES, SCHEMA, load, write_project

ANSWER = """
    from rewake import QueryCtx, query

    @query
    def answer(ctx: QueryCtx) -> int:
        return 41
"""


def paths(registry) -> list[str]:
    return [path.public for path in sorted(registry.functions)]


def handler(registry, path: str):
    return registry.find(path, Visibility.INTERNAL).function.handler


def refusal(root: Path, **modules: str) -> ProjectInvalid:
    with pytest.raises(ProjectInvalid) as caught:
        load(root, **modules)
    return caught.value


# Settings.


def test_settings_have_defaults(tmp_path):
    (tmp_path / "backend").mkdir()
    settings = read_settings(tmp_path)
    assert settings == ProjectSettings(tmp_path)
    assert settings.functions_path == tmp_path / "backend"
    assert settings.generated_path == tmp_path / "backend" / "_generated"


def test_settings_are_read_from_pyproject(tmp_path):
    (tmp_path / "src" / "app").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.rewake]\nfunctions = "src/app"\ncase = "camel"\ngenerated = "web/gen"\nname = "My App!"\n'
    )
    settings = read_settings(tmp_path)
    assert settings.functions_path == tmp_path / "src" / "app"
    assert settings.generated_path == tmp_path / "web" / "gen"
    assert (settings.case, settings.deployment_name) == ("camel", "my-app")
    assert ProjectSettings(tmp_path, name="日本").deployment_name == "rewake"


def test_limits_are_read_from_pyproject(tmp_path):
    (tmp_path / "backend").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.rewake.limits]\nbytes_read_max = "32 MiB"\n')
    assert read_settings(tmp_path).limits == Limits(bytes_read_max=32 * MIB)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.rewake", "cannot be read"),
        ('[tool.rewake]\nfoo = "x"', "Unknown setting `foo`"),
        ("[tool.rewake]\ncase = 1", "`case` under [tool.rewake]"),
        ('[tool.rewake]\ncase = "kebab"', '`case` under [tool.rewake] is "snake" or "camel"; got "kebab".'),
        ('[tool.rewake]\nfunctions = "my-app"', "names a Python package folder"),
        ('[tool.rewake]\nfunctions = "../up"', "names a Python package folder"),
        ('[tool.rewake]\nfunctions = "nowhere"', "has no folder `nowhere` with functions"),
        ("[tool.rewake]\nlimits = 1", "must be a table of limits"),
        ("[tool.rewake.limits]\ndocument_read_max = 1", "Did you mean `documents_read_max`?"),
        ('[tool]\nrewake = "x"', "[tool.rewake]"),
        ('tool = "x"', "[tool.rewake]"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, expected):
    (tmp_path / "backend").mkdir()
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectInvalid) as caught:
        read_settings(tmp_path)
    assert expected in caught.value.message


def test_a_missing_folder_is_told_how_to_make_one(tmp_path):
    with pytest.raises(ProjectInvalid, match=r"There is no folder .*`rewake init x` makes a project"):
        read_settings(tmp_path / "x")


# What is found.


def test_functions_are_found_in_every_module_below_the_folder(tmp_path):
    registry = load(
        tmp_path,
        m=ANSWER,
        admin__users=ANSWER,
        _generated__skipped=ANSWER,
        a__b__c=ANSWER,
    )
    assert paths(registry) == ["a/b/c:answer", "admin/users:answer", "m:answer"]
    assert not list(tmp_path.rglob("__pycache__")), "nothing is left in the author's folder"


def test_a_function_imported_elsewhere_is_exported_once(tmp_path):
    registry = load(
        tmp_path,
        a=ANSWER,
        b="from .a import answer\nfrom backend.a import answer as again",
        sub__c="from ..a import answer",
    )
    assert paths(registry) == ["a:answer"]


def test_an_alias_in_the_same_module_is_a_second_name(tmp_path):
    registry = load(tmp_path, a=ANSWER + "\n    other = answer\n")
    assert paths(registry) == ["a:answer", "a:other"]


def test_names_can_be_given_and_turned_to_camel_case(tmp_path):
    write_project(
        tmp_path,
        m="""
            from rewake import MutationCtx, QueryCtx, internal_mutation, mutation, query

            @query
            def list_recent(ctx: QueryCtx, channel_name: str, how_many: int = 3) -> list[str]:
                return [channel_name] * how_many

            @query(name="as_told")
            def something_else(ctx: QueryCtx) -> None: ...

            @internal_mutation
            def _clean_up(ctx: MutationCtx) -> None: ...
        """,
    )
    (tmp_path / "pyproject.toml").write_text('[tool.rewake]\ncase = "camel"\n')
    registry = load_project(read_settings(tmp_path))
    assert paths(registry) == ["m:_cleanUp", "m:as_told", "m:listRecent"]
    record = registry.find("m:listRecent", Visibility.PUBLIC)
    assert sorted(record.to_spec()["args"]["value"]) == ["channelName", "howMany"]
    assert record.arguments.bind({"channelName": "x"}) == {"channel_name": "x"}


def test_hashes_follow_imports_and_nothing_else(tmp_path):
    modules = {
        "a": "from .lib import X",
        "b": "import backend.lib",
        "c": "from . import lib",
        "d": "def f():\n    from .lib import X",
        "e": "",
        "lib": "from .base import Y\nX = 1",
        "base": "Y = 1",
    }
    before = load(tmp_path, **modules).module_hashes
    again = load(tmp_path).module_hashes
    after = load(tmp_path, base="Y = 2").module_hashes
    assert before == again
    assert {path for path in before if before[path] != after[path]} == {"a", "b", "c", "d", "lib", "base"}


# Reloading.


def test_a_reload_sees_an_edit_that_kept_size_and_second(tmp_path):
    for number in range(41, 49):
        registry = load(tmp_path, m=ANSWER.replace("41", str(number)))
        assert handler(registry, "m:answer")(None) == number


def test_a_helper_beside_the_functions_is_reloaded_too(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / "helper_beside.py").write_text(f"N = {number}")
        registry = load(tmp_path, m="\n    import helper_beside" + ANSWER.replace("41", "helper_beside.N"))
        assert handler(registry, "m:answer")(None) == number


def test_a_failed_reload_puts_the_old_modules_back(tmp_path):
    registry = load(tmp_path, m=ANSWER, other="X = 1")
    before = {name: module for name, module in sys.modules.items() if name.startswith("backend")}
    refusal(tmp_path, m=ANSWER.replace("41", "42"), other="1 / 0")
    assert {name: module for name, module in sys.modules.items() if name.startswith("backend")} == before
    assert handler(registry, "m:answer")(None) == 41


def test_two_projects_of_one_name_do_not_mix(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for root, number in ((one, 1), (two, 2)):
        (root).mkdir()
        (root / "helper_of_both.py").write_text(f"N = {number}")
        write_project(root, m="\n    from helper_of_both import N" + ANSWER.replace("41", "N"))
    for root, number in ((one, 1), (two, 2), (one, 1)):
        registry = load_project(read_settings(root))
        assert handler(registry, "m:answer")(None) == number
        assert registry.root == root


def test_modules_of_others_are_left_alone(tmp_path):
    import json

    load(tmp_path, m=ANSWER)
    load(tmp_path, m=ANSWER)
    assert sys.modules["json"] is json


# What is refused.


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(:\n  pass", ["backend/m.py", "SyntaxError", "line 1"]),
        ("import nothing_like_this", ["backend/m.py", "pip install nothing_like_this"]),
        ("from .nowhere import x", ["backend/m.py", "No module named 'backend.nowhere'"]),
        ("from .m2 import x", ["backend/m.py", "cannot import name 'x'"]),
        ("raise ValueError('at import')", ["backend/m.py", "ValueError: at import"]),
        ("import sys\nsys.exit(3)", ["backend/m.py", "ends the process when it is imported (SystemExit: 3)"]),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(tmp_path, source, expected):
    error = refusal(tmp_path, m2="", m=source)
    for part in expected:
        assert part in error.message
    assert ("pip install" in error.message) == ("pip" in str(expected))


def test_the_traceback_is_the_authors(tmp_path):
    error = refusal(tmp_path, m="from .lib import X", lib="\n\n1 / 0")
    assert error.traceback is not None
    assert 'backend/lib.py", line 3' in error.traceback
    assert "loader.py" not in error.traceback
    assert "importlib" not in error.traceback


def test_the_traceback_of_what_the_house_refuses_ends_in_the_authors_code(tmp_path):
    error = refusal(
        tmp_path, m="from .lib import f", lib="from rewake import query\n@query\nasync def f(ctx): ..."
    )
    assert "is `async def`" in error.message
    assert error.traceback is not None
    assert 'backend/lib.py", line 2' in error.traceback
    assert "registration.py" not in error.traceback
    assert "async def`" not in error.traceback


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@query\nasync def f(ctx): ...", "is `async def`, and a query is plain `def`"),
        ("@query\ndef f(ctx): yield 1", "yields"),
        ("@query\ndef f(): ...", "needs the context as its first parameter"),
        ("@query\ndef f(ctx, *names): ...", "clients pass every argument by name"),
        ("@query\ndef f(ctx, x: Missing): ...", "Missing"),
        ("@query\ndef f(ctx) -> Missing: ...", "Missing"),
        ("@query\ndef f(ctx, x: set[int]): ...", "set"),
        ('@query(name="a b")\ndef f(ctx): ...', "a b"),
        (
            '@query\ndef f(ctx): ...\n@query(name="f")\ndef g(ctx): ...',
            "`f` and `g` are both exported as m:f",
        ),
        ("@query\nclass F: ...", "@query decorates a function"),
    ],
)
def test_a_function_that_cannot_be_registered_names_its_file(tmp_path, source, expected):
    error = refusal(
        tmp_path, m=f"from __future__ import annotations\nfrom rewake import Id, query\n{source}\n"
    )
    assert "backend/m.py" in error.message
    assert expected in error.message


def test_a_file_whose_name_is_no_module_is_named(tmp_path):
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "my-file.py").write_text("")
    with pytest.raises(ProjectInvalid, match=r"backend/my-file.py: `my-file` cannot be a module name"):
        load_project(read_settings(tmp_path))


def test_a_schema_that_is_not_well_formed_is_told_as_such(tmp_path):
    twice = SCHEMA + '\n    class Other(Document, table="notes"):\n        x: int\n'
    assert "notes" in refusal(tmp_path, schema=twice).message
    explicit = "from rewake import define_schema\nschema = define_schema({})\n"
    message = refusal(tmp_path, schema=explicit, other=explicit).message
    assert "a project has one schema object" in message


def test_an_unchanged_project_loads_to_the_same_hashes_and_functions(tmp_path):
    first, second = load(tmp_path, schema=SCHEMA, notes=NOTES), load(tmp_path)
    assert paths(first) == paths(second)
    assert first.module_hashes == second.module_hashes
    assert first.schema.tables["notes"].document_class is not second.schema.tables["notes"].document_class

"""The module of typed references: what it says, that it runs, and that type checkers believe it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewake.client import ActionReference, MutationReference, QueryReference
from rewake.codegen import FunctionSpec, render_python_api
from tests.codegen.rich_application import ANY, FUNCTIONS, NULL, SCHEMA, STRING, fields
from tests.typing.test_type_checkers import CHECKERS, errors_of

USAGE = """

from typing import assert_type
from rewake.client import Client, SyncClient, SyncWatch, Watch

async def use(client: Client, sync: SyncClient) -> None:
    found = await client.query(api.messages.list_recent, author="x", limit=3)
    assert_type(found, list[MessagesDocument])
    body: str = found[0]["body"]
    assert_type(await client.mutation(api.messages.send, body=body, kind="text"), str)
    assert_type(client.watch(api.messages.first), Watch[MessagesDocument | None])
    assert_type(sync.watch(api.messages.first), SyncWatch[MessagesDocument | None])
    assert_type(sync.query(api.messages.first), MessagesDocument | None)
    await client.mutation(internal.admin.tools.wipe)
    await client.query(api.messages.list_recent)  # error
    await client.query(api.messages.list_recent, author=1)  # error
    await client.query(api.messages.list_recent, author="x", more=1)  # error
    await client.query(api.messages.send, body="x", kind="text")  # error
    await client.mutation(api.messages.send, body="x", kind="loud")  # error
    sync.action(api.messages.send, body="x", kind="text")  # error
    print(found[0]["nothing"])  # error
"""


def loaded(functions: list[FunctionSpec], schema: Any = None) -> dict[str, Any]:
    """The module, run."""
    names: dict[str, Any] = {}
    exec(render_python_api(schema, functions), names)
    return names


def test_functions_stand_under_their_modules() -> None:
    names = loaded(FUNCTIONS, SCHEMA)
    api, internal = names["api"], names["internal"]
    assert api.messages.list_recent == QueryReference("messages:list_recent")
    assert api.messages.send == MutationReference("messages:send")
    assert api.admin.tools == ActionReference("admin:tools")
    assert internal.admin.tools.wipe == MutationReference("admin/tools:wipe")
    assert not hasattr(api.messages, "wipe")


def test_a_name_that_is_a_function_and_a_module_has_both() -> None:
    api = loaded(FUNCTIONS, SCHEMA)["api"]
    assert api.admin.tools_.rename == MutationReference("admin/tools:rename")


def test_names_that_python_does_not_take() -> None:
    functions = [
        FunctionSpec(path, "query") for path in ("a.b/2c:class", "a_b/x:y", "a/b_x:y", "__m:__f", "m")
    ]
    api = loaded(functions)["api"]
    # `a.b` comes before `a_b`, and both are `a_b` in Python.
    assert api.a_b.m2c.class_ == QueryReference("a.b/2c:class")
    assert api.m__m.m__f == QueryReference("__m:__f")
    assert api.m.default == QueryReference("m")
    assert (api.a_b_.x.y, api.a.b_x.y) == (QueryReference("a_b/x:y"), QueryReference("a/b_x:y"))


def test_nothing_at_all_is_a_module_too() -> None:
    names = loaded([])
    assert names["__all__"] == ["api", "internal"]


def test_the_authors_docstring_stands_under_the_name_where_editors_look_for_it() -> None:
    text = render_python_api(SCHEMA, FUNCTIONS)
    assert '_messages_list_recent\n        """The latest messages.\n\n        Oldest first."""\n' in text


@pytest.mark.parametrize(
    "text", ['"""', 'a "quote"', "back\\slash\\", "nul \0", "a\u2028b\x0cc", '\\"""\\', "  "]
)
def test_no_docstring_breaks_the_module(text: str) -> None:
    source = render_python_api(None, [FunctionSpec("a:b", "query", documentation=text)])
    names: dict[str, Any] = {}
    exec(source, names)
    assert names["api"].a.b == QueryReference("a:b")


@pytest.mark.clients
@pytest.mark.parametrize("checker", CHECKERS)
def test_type_checkers_know_what_calls_take_and_give(checker: str, tmp_path: Path) -> None:
    odd = FunctionSpec("odd:list", "action", args=fields({"from": STRING, "list": ANY}), returns=NULL)
    text = render_python_api(SCHEMA, [*FUNCTIONS, odd]) + USAGE
    file = tmp_path / "source" / "generated.py"
    file.parent.mkdir()
    file.write_text(text)
    lines = text.splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# error")}
    found = errors_of(checker, file, tmp_path)
    assert {number: lines[number - 1] for number in marked - set(found)} == {}, "not found"
    assert {number: found[number] for number in set(found) - marked} == {}, "not marked"

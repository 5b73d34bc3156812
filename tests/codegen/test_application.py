"""An author's project and the Python that is generated from it, as type checkers in strict mode see them.

`application` has every kind of type in it. What is generated from it is the same wherever and whenever it is
generated.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rewake.codegen import FunctionSpec, render_all, render_python_api
from tests.codegen.rich_application import STRING, array, fields
from tests.codegen.test_projects import APPLICATION, generate
from tests.typing.test_type_checkers import CHECKERS, errors_below, errors_of

USAGE = """from typing import Any, assert_type

from rewake.client import Client, Int64, SyncClient

from zoo_api import MessagesDocument, UsersDocument, ZooTreeResult, api, internal


async def use(client: Client, sync: SyncClient, user: str) -> None:
    recent = await client.query(api.messages.list_recent, limit=3)
    assert_type(recent, list[MessagesDocument])
    assert_type(recent[0]["serial"], Int64)
    assert_type(recent[0]["preview"], bytes | None)
    assert_type(recent[0].get("answers"), str | None)
    assert_type(sync.query(api.admin.users.find, name="ann"), UsersDocument | None)
    assert_type(await client.mutation(api.messages.send, author=user, body="x"), str)
    assert_type(await client.action(api.messages.translate, message_id="x", language="de"), str | None)
    assert_type(await client.query(api.zoo.delete), str)
    assert_type(await client.query(api.zoo.tree, tree={"label": "x"}), ZooTreeResult)
    assert_type(await client.query(api.zoo.untyped, anything=1), Any)
    assert_type((await client.query(api.zoo.latest))["by"], UsersDocument | None)
    await client.query(api.zoo.odd, odd={"class": "x", "delete": user}, ids={user: Int64(1)})
    await client.mutation(internal.messages.purge, author=user)
    await client.query(api.messages.list_recent, writer=user)  # error
    await client.query(api.messages.list_recent, limit="3")  # error
    await client.query(api.messages.get)  # error
    await client.mutation(api.messages.send, author=user, body="x", kind="shout")  # error
    await client.query(api.messages.send, author=user, body="x")  # error
    await client.query(api.messages.raw, message_id="x")  # error
    await client.query(api.zoo.odd, odd={"class": "x"})  # error
    await client.query(api.zoo.either, value=object())  # error
    number: int = await client.query(api.zoo.delete)  # error
    print(recent[0]["title"], number)  # error
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(APPLICATION / "backend", tmp_path / "backend")
    return tmp_path


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_an_authors_project_is_accepted(checker: str, project: Path) -> None:
    assert errors_below(checker, project) == []


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_typed_calls_from_python_find_each_marked_mistake_and_no_other(checker: str, project: Path) -> None:
    source = project / "source"
    source.mkdir()
    place = project / "checked"
    place.mkdir()
    generate(project, "--python", str(place / "zoo_api.py"))
    assert errors_of(checker, place / "zoo_api.py", project) == {}
    file = (place if checker == "mypy" else source) / "usage.py"
    file.write_text(USAGE)
    lines = USAGE.splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# error")}
    found = errors_of(checker, file, place)
    assert {number: lines[number - 1] for number in marked - set(found)} == {}, "not found"
    assert {number: found[number] for number in set(found) - marked} == {}, "not marked"


def test_what_is_generated_depends_on_nothing_but_the_project(project: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        files = [project / f"{seed}.py", project / f"{seed}.json"]
        generate(project, PYTHONHASHSEED=seed, LC_ALL="C", TZ="Asia/Tokyo")
        generate(project, "--python", str(files[0]), "--openapi", str(files[1]), PYTHONHASHSEED=seed)
        files += sorted((project / "backend" / "_generated").iterdir())
        texts.append([file.read_bytes() for file in files])
        shutil.rmtree(project / "backend" / "_generated")
    assert texts[0] == texts[1]
    assert all(b"\r" not in text and str(project).encode() not in text for text in texts[0])


def test_ten_thousand_functions_are_generated_one_line_after_another() -> None:
    functions = [
        FunctionSpec(
            f"folder{m % 20}/module{m}:function{n}",
            "query",
            args=fields({"author": STRING}, limit={"type": "number"}),
            returns=array(fields({"text": STRING, "n": {"type": "number"}})),
        )
        for m in range(500)
        for n in range(20)
    ]
    api = render_all(None, functions)["api.d.ts"]
    # Flat: nothing but references, spelled out, one for each function.
    assert api.count('FunctionReference<"query"') + api.count("FunctionReference<\n") == 10_000
    assert "typeof" not in api
    assert "infer" not in api
    assert render_python_api(None, functions).count("@query(") == 10_000

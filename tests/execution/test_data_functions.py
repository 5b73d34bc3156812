"""Tables, rows and code as administrators ask for them, through the queries that the command lines call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewake.auth import Admin, Grant, Scope
from rewake.execution.data_functions import PAGE_ITEMS_MAX
from rewake.values import Int64
from tests.deployment.stage import NOTES, SCHEMA, CallFailed, Stage, play

READER = Admin(grant=Grant("k", frozenset((Scope.READ,))))
DEPLOYER = Admin(grant=Grant("k", frozenset((Scope.DEPLOY,))))

CODE = """
    from typing import Annotated, Literal
    from rewake import Int64, MutationCtx, QueryCtx, internal_mutation, query, v

    @query
    def plain(ctx: QueryCtx, name: str, kind: Literal["a", "b"] = "a") -> float: ...

    @query
    def exact(ctx: QueryCtx, n: Annotated[Int64, v.literal(Int64(7))]) -> None: ...

    @internal_mutation
    def hidden(ctx: MutationCtx): ...
"""
WITHOUT_ROUTES = {"schema": SCHEMA, "notes": NOTES}


async def page(stage: Stage, path: str, *, items: float = 100, cursor: str | None = None, **args: Any) -> Any:
    options = {"numItems": items, "cursor": cursor}
    return await stage.query(f"_system/cli/{path}", READER, paginationOpts=options, **args)


def test_tables_are_listed_by_name_in_pages(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        first = await page(stage, "tables", items=1)
        assert (first["page"], first["isDone"]) == ([{"name": "a"}], False)
        rest = await page(stage, "tables", cursor=first["continueCursor"])
        assert (rest["page"], rest["isDone"]) == ([{"name": "b"}], True)

    source = """
        from rewake import Document
        class B(Document, table="b"): ...
        class A(Document, table="a"): ...
    """
    play(tmp_path, story, schema=source)


def test_documents_come_in_pages_in_both_orders(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for n in range(5):
            await stage.mutate("notes:add", room="r", n=n)
        for order, wanted in (("asc", [0, 1, 2, 3, 4]), ("desc", [4, 3, 2, 1, 0])):
            seen, cursor, is_done = [], None, False
            while not is_done:
                got = await page(stage, "tableData", items=2, cursor=cursor, table="notes", order=order)
                seen += [document["n"] for document in got["page"]]
                cursor, is_done = got["continueCursor"], got["isDone"]
                assert set(got) == {"page", "isDone", "continueCursor"}
            assert seen == wanted
        nothing = await page(stage, "tableData", table="none")
        assert (nothing["page"], nothing["isDone"]) == ([], True)

    play(tmp_path, story)


def test_a_page_never_outgrows_an_array(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("notes:fill", room="", kilobytes=PAGE_ITEMS_MAX + 3)
        got = await page(stage, "tableData", items=30_000, table="notes", order="asc")
        assert (len(got["page"]), got["isDone"]) == (PAGE_ITEMS_MAX, False)

    play(tmp_path, story)


def test_tables_of_the_system_are_shown_and_secrets_are_not(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        got = await page(stage, "tableData", table="_scheduled_functions")
        assert got["page"] == []
        for table in ("_environment_variables", "_admin_keys"):
            with pytest.raises(CallFailed, match="cannot be read"):
                await page(stage, "tableData", table=table)

    play(tmp_path, story)


def test_only_keys_that_may_read_are_answered(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for caller in ({}, {"identity": DEPLOYER}):
            with pytest.raises(CallFailed, match="permi"):
                await stage.query("_system/cli/tableSize:default", **caller, tableName="notes")

    play(tmp_path, story)


def test_sizes_and_changes_follow_the_table(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        async def both() -> tuple[float, str]:
            size = await stage.query("_system/cli/tableSize:default", READER, tableName="notes")
            return size, await stage.query("_system/cli/queryTable", READER, tableName="notes")

        id = await stage.mutate("notes:add", room="r", n=1)
        size, before = await both()
        assert size == 1.0
        await stage.mutate("notes:change", id=id, n=2)
        size, after = await both()
        assert size == 1.0
        assert before != after
        await stage.mutate("notes:remove", id=id)
        assert (await both())[0] == 0.0
        assert await stage.query("_system/cli/tableSize:default", READER, tableName="none") == 0.0

    play(tmp_path, story)


def test_the_address_is_the_one_that_clients_are_told(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.deployment.variables.announce(cloud_url="http://c", site_url="http://s")
        assert await stage.query("_system/cli/convexUrl:cloudUrl", READER) == "http://c"

    play(tmp_path, story)


def test_the_function_spec_is_that_of_the_code_which_serves(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        spec = await stage.query("_system/cli/modules:apiSpec", READER)
        by_name = {each["identifier"]: each for each in spec}
        assert list(by_name) == ["m.js:exact", "m.js:hidden", "m.js:plain"]
        assert by_name["m.js:hidden"] == {
            "identifier": "m.js:hidden",
            "functionType": "Mutation",
            "visibility": {"kind": "internal"},
            "args": {"type": "object", "value": {}},
            "returns": {"type": "any"},
        }
        literal = by_name["m.js:exact"]["args"]["value"]["n"]["fieldType"]
        assert literal == {"type": "literal", "value": Int64(7)}
        assert by_name["m.js:plain"]["args"]["value"]["kind"]["optional"] is True
        await stage.push(m=CODE.replace("hidden", "renamed"))
        again = await stage.query("_system/cli/modules:apiSpec", READER)
        assert "m.js:renamed" in {each["identifier"] for each in again}

    play(tmp_path, story, m=CODE)

"""What strangers try with names, headers and answers that are not theirs.

Each class of `docs/security.md` that has no better place. Sockets and requests bent out of shape:
`test_frame_fuzzer.py`, `test_schemathesis.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake import Document, Index, MutationCtx, QueryCtx, internal_query, mutation, query
from rewake.errors import FunctionFailed
from rewake.testing import Backend
from tests.http_api.site_stage import MESSAGES, site_of

HOSTILE_NAMES = [
    "x'; DROP TABLE documents; --",
    'x"; DROP TABLE documents; --',
    "x]; ATTACH 'y' AS z",
    "sqlite_master",
    "x\x00y",
    "x y",
    "_tables",
    "",
    "é",
    "x" * 1000,
]


class Secret(Document, table="secrets"):
    owner: str
    text: str
    by_owner = Index("owner")


@query
def mine(ctx: QueryCtx) -> list[str]:
    owner = ctx.auth.require_identity().subject
    return [row.text for row in ctx.db.query(Secret).with_index(Secret.by_owner, owner=owner)]


@mutation
def keep(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert(Secret(owner=ctx.auth.require_identity().subject, text=text))


@internal_query
def everything(ctx: QueryCtx) -> list[str]:
    return [row.text for row in ctx.db.query(Secret).collect()]


@mutation
def insert_into(ctx: MutationCtx, table: str, row: dict[str, Any]) -> str:
    return ctx.db.insert(table, row)


@query
def read_from(ctx: QueryCtx, table: str, index: str) -> list[Any]:
    return ctx.db.query(table).with_index(index).collect()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(mine, keep, everything, insert_into, read_from) as made:
        yield made


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_do_not_reach_sql(backend: Backend, name: str) -> None:
    kept = backend.as_user("ann")
    kept.mutation(keep, text="here")
    refusals = [
        refusal_of(lambda: backend.mutation(insert_into, table=name, row={"a": 1})),
        refusal_of(lambda: backend.query(read_from, table=name, index="by_creation_time")),
        refusal_of(lambda: backend.query(read_from, table="secrets", index=name)),
    ]
    # The one that is a name like any other here.
    assert (refusals[0] is None) is (name == "sqlite_master")
    assert refusals[2] is not None
    assert not any("SQL" in said.replace(name, "") for said in refusals if said is not None)
    assert kept.query(mine) == ["here"]


def refusal_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except FunctionFailed as refused:
        return refused.message
    return None


def test_names_of_fields_are_only_text(backend: Backend) -> None:
    row = {name: name for name in ("a'b", 'a"b', "a]b", "a;--", "a b", "a.b", "SELECT")}
    backend.mutation(insert_into, table="rows", row=row)
    (stored,) = backend.query(read_from, table="rows", index="by_creation_time")
    assert {name: stored[name] for name in row} == row


def test_what_one_user_was_answered_is_not_another_users(backend: Backend) -> None:
    ann, ben = backend.as_user("ann"), backend.as_user("ben")
    ann.mutation(keep, text="of ann")
    with ann.watch(mine) as hers:
        assert hers.value == ["of ann"]
        assert ben.query(mine) == []
        with pytest.raises(FunctionFailed):
            backend.as_anonymous().query(mine)
        with ben.watch(mine) as his:
            ben.mutation(keep, text="of ben")
            assert his.value == ["of ben"]
            assert hers.value == ["of ann"]


@pytest.mark.parametrize("path", ["m:hidden", "m.js:hidden", "m:absent", "n:absent", "m:__init__"])
def test_internal_functions_look_like_absent_ones(path: str) -> None:
    with Backend.from_functions(mine, keep, everything) as backend:
        module = next(iter(backend.deployment.analysis.functions)).path.module
        said = refusal(backend, path.replace("m.js", f"{module}.js").replace("m:", f"{module}:"))
        hidden = refusal(backend, f"{module}:everything")
    assert said.partition("'")[0] == hidden.partition("'")[0] == "Could not find public function for "


def refusal(backend: Backend, path: str) -> str:
    said = refusal_of(lambda: backend.query(path))
    assert said is not None
    return said.removeprefix("Uncaught Error: ").partition("\n")[0]


HTTP = """
    from rewake import HttpRouter
    from starlette.responses import PlainTextResponse

    http = HttpRouter()

    @http.route(path_prefix="/echo/")
    async def echo(ctx, request):
        return PlainTextResponse("ok", headers={"x-said": request.query_params["say"]})
"""


def test_a_header_cannot_be_split(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=True, notes=MESSAGES, http=HTTP) as site:
        with suppress(httpx.HTTPError):
            assert "set-cookie" not in site.get("/echo/a", params={"say": "a\r\nset-cookie: b=1"}).headers
        assert site.get("/echo/a", params={"say": "plain"}).headers["x-said"] == "plain"

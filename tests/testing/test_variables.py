"""Environment variables in tests of applications."""

from __future__ import annotations

import pytest

from rewake import QueryCtx, query
from rewake.errors import InvalidInput
from rewake.testing import Backend, RunUnderWay


@query
def greeting(ctx: QueryCtx) -> str:
    return ctx.env.get("GREETING", "nobody said") + ctx.env.get("CONVEX_SITE_URL", "")


def test_a_live_query_has_heard_when_the_assignment_returns() -> None:
    with Backend.from_functions(greeting) as backend, backend.watch(greeting) as live:
        assert live.value == "nobody said"
        backend.env["GREETING"] = "hello"
        assert live.value == "hello"
        assert backend.env["GREETING"] == "hello"
        assert dict(backend.env) == {"GREETING": "hello"}
        del backend.env["GREETING"]
        assert live.value == "nobody said"
        assert len(backend.env) == 0


def test_it_is_a_mapping_that_refuses_what_a_server_would() -> None:
    with Backend.from_functions(greeting) as backend:
        with pytest.raises(KeyError):
            backend.env["GREETING"]
        with pytest.raises(KeyError):
            del backend.env["GREETING"]
        with pytest.raises(InvalidInput, match="is invalid"):
            backend.env["1"] = "x"
        with pytest.raises(TypeError, match="got 5 for GREETING"):
            backend.env["GREETING"] = 5  # type: ignore[assignment]


def test_inside_a_block_they_can_be_read_and_not_changed() -> None:
    with Backend.from_functions(greeting) as backend:
        backend.env["GREETING"] = "hello"
        with backend.run():
            assert backend.env["GREETING"] == "hello"
            with pytest.raises(RunUnderWay, match="setting a variable"):
                backend.env["GREETING"] = "x"
            with pytest.raises(RunUnderWay, match="removing a variable"):
                del backend.env["GREETING"]
        assert backend.env["GREETING"] == "hello"


def test_a_test_says_where_its_deployment_stands() -> None:
    with Backend.from_functions(greeting) as backend:
        backend.env["CONVEX_SITE_URL"] = "https://site.example"
        assert backend.query(greeting) == "nobody saidhttps://site.example"
        assert backend.env["CONVEX_CLOUD_URL"] == "http://testing.invalid"
        assert list(backend.env) == []

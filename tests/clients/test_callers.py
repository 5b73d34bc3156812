"""Followers of the log read who called each function: a socket, a request, an action, the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.deadline import Deadline
from tests.clients.raw_client import RawClient
from tests.clients.server_process import ServerProcess

SECONDS = 60.0
FUNCTIONS = """
from rewake import ActionCtx, MutationCtx, QueryCtx, action, mutation, query


@query
def read(ctx: QueryCtx) -> None: ...


@query
def read_too(ctx: QueryCtx) -> None: ...


@query
def watched(ctx: QueryCtx) -> None: ...


@mutation
def write(ctx: MutationCtx) -> None: ...


@mutation
def write_later(ctx: MutationCtx) -> None: ...


@mutation
def plan(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, write_later)


@action
async def act(ctx: ActionCtx) -> None:
    await ctx.run_query(read_too)
    await ctx.run_mutation(write)
"""
ROUTES = """
from rewake import ActionCtx, HttpRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

http = HttpRouter()


@http.route("/hook")
async def hook(ctx: ActionCtx, request: Request) -> Response:
    return PlainTextResponse("taken")
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_each_run_says_who_called_it(
    tmp_path: Path, make_server: Callable[..., ServerProcess], workers: str
) -> None:
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "backend" / "calls.py").write_text(FUNCTIONS)
    (project / "backend" / "http.py").write_text(ROUTES)
    server = make_server(project, "--workers", workers)
    server.start()
    for kind, name in (("query", "read"), ("mutation", "write"), ("action", "act")):
        body = {"path": f"calls:{name}", "args": {}}
        assert (
            httpx.post(f"{server.url}/api/{kind}", json=body, timeout=SECONDS).json()["status"] == "success"
        )
    assert httpx.get(f"{server.url}/http/hook", timeout=SECONDS).text == "taken"
    with RawClient(server.url) as client:
        client.result(client.add("calls:watched", {}))
        client.settle(client.mutate("calls:plan", {}))
    wanted = [
        ("GET /hook", "HttpEndpoint"),
        ("calls:act", "HttpApi"),
        ("calls:plan", "SyncWorker"),
        ("calls:read", "HttpApi"),
        ("calls:read_too", "Action"),
        ("calls:watched", "SyncWorker"),
        ("calls:write", "Action"),
        ("calls:write", "HttpApi"),
        ("calls:write_later", "Scheduler"),
    ]
    assert sorted(followed(server, len(wanted))) == wanted


def followed(server: ServerProcess, count: int) -> list[tuple[str, str]]:
    """The first so many runs of the log, each with its caller."""
    key = server.data.with_name(server.data.name + ".admin_key").read_text().strip()
    found: list[Any] = []
    cursor, deadline = 0.0, Deadline(SECONDS)
    while len(found) < count:
        answer = httpx.get(
            f"{server.url}/api/stream_udf_execution",
            params={"cursor": cursor},
            headers={"Authorization": f"Convex {key}"},
            timeout=deadline.left,
        ).json()
        found += answer["entries"]
        cursor = answer["newCursor"]
    return [(entry["identifier"], entry["caller"]) for entry in found]

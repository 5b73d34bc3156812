"""Somebody who deploys over HTTP, as the command line does, and who packs the files without the house."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from tests.clients.deadline import Deadline
from tests.clients.server_process import ServerProcess

FINISH_SECONDS = 120.0

SCHEMA = """
    from rewake import Document, Index

    class Slot(Document, table="slots"):
        name: str
        value: float
        by_name = Index("name")
"""
LOAD = """
    from rewake import ActionCtx, MutationCtx, QueryCtx, action, mutation, query
    from .schema import Slot

    VERSION = {version}

    def _slot(ctx, name):
        return ctx.db.query(Slot).with_index(Slot.by_name, name=name).unique()

    @query
    def get(ctx: QueryCtx, slot: str) -> float:
        found = _slot(ctx, slot)
        return 0.0 if found is None else found.value

    @query
    def version(ctx: QueryCtx) -> float:
        return VERSION

    @mutation
    def bump(ctx: MutationCtx, slot: str) -> float:
        found = _slot(ctx, slot)
        if found is None:
            ctx.db.insert(Slot(name=slot, value=1.0))
            return 1.0
        ctx.db.patch(found.id, value=found.value + 1)
        return found.value + 1

    @action
    async def act(ctx: ActionCtx, slot: str) -> float:
        return await ctx.run_mutation(bump, slot=slot)
"""


def sources(version: int, **files: str) -> dict[str, str]:
    """The files of a project that says which version it is; others are added by module name."""
    named = {"schema": SCHEMA, "load": LOAD.replace("{version}", str(version)), **files}
    return {f"backend/{name}.py": dedent(text) for name, text in named.items()}


def packed(files: Mapping[str, str]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            archive.writestr(name, text)
    return output.getvalue()


class Deployer:
    """Deploys to one server with its own key."""

    def __init__(self, server: ServerProcess, key: str | None = None) -> None:
        key = key or key_file(server.data).read_text().strip()
        self._http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Convex {key}"}, timeout=FINISH_SECONDS
        )

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._http.request(method, path, **options)

    def plan(self, files: Mapping[str, str], message: str = "") -> dict[str, Any]:
        answer = self.ask("POST", "/api/deploys/start", params={"message": message}, content=packed(files))
        assert answer.status_code == httpx.codes.OK, answer.text
        plan: dict[str, Any] = answer.json()
        return plan

    def finish(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Have a plan carried out; returns it when it is over."""
        done: dict[str, Any] = self.ask("POST", "/api/deploys/finish", json={"plan": plan["plan"]}).json()
        deadline = Deadline(FINISH_SECONDS)
        while done["state"] == "working":
            assert not deadline.is_over, done
            done = self.ask("GET", "/api/deploys/progress", params={"plan": plan["plan"]}).json()
        return done

    def deploy(self, files: Mapping[str, str], message: str = "") -> dict[str, Any]:
        done = self.finish(self.plan(files, message))
        assert done["state"] == "done", done
        return done

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/api/deploys").json()["deploys"]
        return found

    def call(self, kind: str, path: str, **args: Any) -> Any:
        answer = self.ask("POST", f"/api/{kind}", json={"path": path, "args": args}).json()
        assert answer["status"] == "success", answer
        return answer["value"]

    def close(self) -> None:
        self._http.close()


def key_file(data: Path) -> Path:
    return data / "admin_key" if data.is_dir() else data.with_name(data.name + ".admin_key")

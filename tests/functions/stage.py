"""One mutation's worth of `ctx.db` on a real database, driven by the test as an author would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rewake.execution import Visibility
from tests.deployment.stage import Stage, play

SCHEMA = """
    from rewake import UNSET, Document, Id, Index, Unset, field

    class Person(Document, table="people"):
        name: str
        nickname: str | Unset = UNSET
        external: str = field(name="externalId", default="x")
        by_name = Index("name")

    class Note(Document, table="notes"):
        room: str
        n: int
        author: Id[Person] | None = None
        by_room = Index("room", "n")
        by_author = Index("author")
"""
BODY = """
    from typing import Any
    from rewake import MutationCtx, QueryCtx, mutation, query
    from . import schema

    steps: list[Any] = []

    @mutation
    def act(ctx: MutationCtx) -> None:
        steps.pop()(ctx, schema)
"""


def act(root: Path, *bodies: Callable[[Any, Any], None], schema: str = SCHEMA) -> None:
    """Run each body as a mutation `body(ctx, schema_module)`; what it raises is raised here."""

    async def story(stage: Stage) -> None:
        record = stage.deployment.registry.find("m:act", Visibility.INTERNAL)
        for body in bodies:
            raised: list[BaseException] = []

            def step(
                ctx: Any,
                schema: Any,
                body: Callable[[Any, Any], None] = body,
                raised: list[BaseException] = raised,
            ) -> None:
                assert threading.current_thread() is not threading.main_thread()
                try:
                    body(ctx, schema)
                except BaseException as error:
                    raised.append(error)
                    raise

            record.function.handler.__globals__["steps"].append(step)
            outcome = await stage.outcome("m:act")
            if raised:
                raise raised[0]
            assert hasattr(outcome.result, "value"), outcome.result

    play(root, story, schema=schema, m=BODY)

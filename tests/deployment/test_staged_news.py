"""Operators hear of staged validators: each thing once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.database import StagedVerdict
from rewake.deployment.staged_news import StagedNews
from tests.deployment.stage import Stage, play

MODULE = """
    from rewake import Document, Id, MutationCtx, UNSET, Unset, mutation

    class NoteNext(Document):
        text: str

    class Note(Document, table="notes", staged=NoteNext):
        text: str | Unset = UNSET

    @mutation
    def add(ctx: MutationCtx) -> Id[Note]:
        return ctx.db.insert(Note())

    @mutation
    def mend(ctx: MutationCtx, id: Id[Note]) -> None:
        ctx.db.patch(id, text="a")
"""


def test_each_thing_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    news = StagedNews()
    checking = StagedVerdict("m")
    bad = checking.found("j57", "no", after=b"")
    for verdict in (checking, bad, bad, checking, checking.all_fit(), checking.all_fit()):
        news.hear({"notes": verdict})
    assert caplog.messages == [
        'Document with ID "j57" in table "notes" does not fit the staged validator: no',
        'All documents in table "notes" fit its staged validator: it can be made the table\'s own.',
    ]


def test_a_deployment_checks_and_tells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async def told() -> str:
            await stage.deployment.tend_schema()
            return caplog.messages[-1]

        assert "can be made the table's own" in await told()
        note = await stage.mutate("m:add")
        assert (await told()).startswith(f'Document with ID "{note}" in table "notes" does not fit')
        await stage.mutate("m:mend", id=note)
        assert "can be made the table's own" in await told()
        assert len([line for line in caplog.messages if "staged validator" in line]) == 3

    play(tmp_path, story, schema="", m=MODULE, keeps_house=False)

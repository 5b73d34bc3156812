"""A registry of what a test hands over."""

from __future__ import annotations

from types import ModuleType

from rewake import Document, MutationCtx, mutation
from rewake.schema import define_schema, define_table, v
from rewake.testing.collected import collected, documents_seen_by
from tests.testing import chat


class Other(Document, table="others"):
    n: int


@mutation
def add(ctx: MutationCtx) -> None:
    ctx.db.insert(Other(n=1))


def test_modules_keep_their_names_below_the_first_package() -> None:
    registry = collected([chat], schema=None, documents=())
    assert "testing/chat:send" in {path.public for path in registry.functions}
    alone = ModuleType("alone")
    source = "from rewake import mutation\n@mutation\ndef add(ctx) -> None: ..."
    exec(source, alone.__dict__)
    registry = collected([alone], schema=None, documents=())
    assert {path.public for path in registry.functions} == {"alone:add"}


def test_tables_come_from_modules_documents_and_a_schema() -> None:
    assert set(collected([chat], schema=None, documents=()).schema.tables) == {"channels", "messages"}
    assert "others" in collected([chat], schema=None, documents=[Other]).schema.tables
    explicit = define_schema({"extras": define_table({"n": v.float64()})})
    assert set(collected([], schema=explicit, documents=()).schema.tables) == {"extras"}


def test_a_function_sees_the_document_classes_that_it_can_name() -> None:
    assert list(documents_seen_by(add)) == [Other]

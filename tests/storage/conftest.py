"""One engine in memory for a module, and its writer in a transaction that is taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rewake.environment import Environment
from rewake.storage import Engine, WriterStore, open_database


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_database(":memory:", environment=Environment())
    yield engine
    engine.close()


@pytest.fixture
def writer(engine: Engine) -> Iterator[WriterStore]:
    writer = engine.writer()
    writer.begin()
    yield writer
    writer.rollback()
    writer.close()

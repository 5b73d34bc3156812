"""Files of a backend under test."""

from __future__ import annotations

import pytest

from rewake import MutationCtx, mutation
from rewake.testing import Backend, RunUnderWay
from rewake.testing.stored_files import sweep_files


@mutation
def remove(ctx: MutationCtx, id: str) -> None:
    ctx.storage.delete(id)


def test_a_test_stores_and_reads_files_and_sweeps() -> None:
    with Backend.from_functions(remove) as backend:
        id = backend.store(b"12345", content_type="text/plain")
        assert backend.read_file(id) == b"12345"
        with backend.run() as ctx:
            metadata = ctx.storage.get_metadata(id)
            assert metadata is not None
            assert metadata["contentType"] == "text/plain"
        backend.mutation(remove, id=id)
        assert backend.read_file(id) is None
        assert backend.loop.run(sweep_files(backend.deployment)) == 1
        assert backend.loop.run(sweep_files(backend.deployment)) == 0


def test_inside_a_block_nothing_is_stored() -> None:
    with Backend.from_functions(remove) as backend:
        with backend.run(), pytest.raises(RunUnderWay, match="storing a file"):
            backend.store(b"12345")
        assert backend.read_file(backend.store(memoryview(b"12345"))) == b"12345"


def test_a_file_is_made_of_bytes() -> None:
    with Backend.from_functions(remove) as backend, pytest.raises(TypeError, match="got str"):
        backend.store("text")  # type: ignore[arg-type]

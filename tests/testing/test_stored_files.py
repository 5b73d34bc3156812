"""Files of a backend under test."""

from __future__ import annotations

from rewake import MutationCtx, mutation
from rewake.testing import Backend
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

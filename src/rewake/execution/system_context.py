"""The contexts of system functions: those of authors, with the transaction itself.

Floor 3, `execution`. Not here: the functions (`system_functions.py`, `file_functions.py`).
"""

from __future__ import annotations

from rewake.database import ReadTransaction, WriteTransaction
from rewake.execution.registry import Registry
from rewake.functions import MutationCtx, QueryCtx


class SystemCtx(MutationCtx):
    """What a system function is given besides: the transaction itself."""

    @property
    def transaction(self) -> WriteTransaction:
        """The transaction, in which tables of the system can be written."""
        transaction = self._host.enter().transaction
        assert isinstance(transaction, WriteTransaction)
        return transaction


class SystemQueryCtx(QueryCtx):
    """The same for queries."""

    @property
    def transaction(self) -> ReadTransaction:
        """The transaction, in which tables of the system can be read."""
        transaction = self._host.enter().transaction
        assert isinstance(transaction, ReadTransaction)
        return transaction

    @property
    def project(self) -> Registry:
        """The code of the application, as this run's snapshot has it."""
        # The run has it; `functions` has no word for it.
        project: Registry | None = self._host.enter().registry.project  # type: ignore[attr-defined]
        assert project is not None, "the run was given the project's registry"
        return project

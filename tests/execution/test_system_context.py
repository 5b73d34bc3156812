"""The context of system functions."""

from __future__ import annotations

from rewake.database import WriteTransaction
from rewake.execution.calls import SYSTEM_PREFIX
from rewake.execution.system_context import SystemCtx
from rewake.testing import Backend


def test_it_gives_out_the_transaction_itself() -> None:
    with Backend.from_functions() as backend, backend.run() as ctx:
        transaction = SystemCtx(ctx._host).transaction
        assert isinstance(transaction, WriteTransaction)
        assert SYSTEM_PREFIX == "_system/"

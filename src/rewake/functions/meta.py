"""`ctx.meta`: what a run can find out about itself.

Floor 2, `functions`. Like the context, a thin face of the host.

Not here: what the answers are made of (`metadata.py`).
Source: semantics 5.9.
"""

from __future__ import annotations

from rewake.functions.metadata import (
    DeploymentMetadata,
    FunctionMetadata,
    RequestMetadata,
    TransactionMetrics,
)
from rewake.functions.ports import Host
from rewake.values import Int64


class Meta:
    """What queries can ask."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def get_function_metadata(self) -> FunctionMetadata:
        """The function that asks; in a nested call, the one that was called."""
        return self._host.function_metadata()

    def get_transaction_metrics(self) -> TransactionMetrics:
        """How far the transaction is from its limits."""
        return self._host.transaction_metrics()

    def get_deployment_metadata(self) -> DeploymentMetadata:
        """The deployment in which the function runs."""
        return self._host.deployment_metadata()

    def get_snapshot_ts(self) -> Int64:
        """The timestamp of the snapshot, in nanoseconds. It ages like `ctx.now`, and counts as a look at the
        clock.
        """
        return Int64(self._host.snapshot_ts())


class MutationMeta(Meta):
    """What mutations can ask."""

    def get_request_metadata(self) -> RequestMetadata:
        """The request behind the call."""
        return self._host.request_metadata()

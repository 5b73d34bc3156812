"""Metadata: the answers of `ctx.meta`.

Floor 2, `functions`, under `ports.py`. Structs with Python names, which reach clients under the official
ones when a function returns them.

Not here: who asks (`meta.py`).
Source: semantics 5.9.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FunctionKind = Literal["query", "mutation", "action"]


class FunctionMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which function runs."""

    name: str
    """As clients call it: `messages:send`."""
    component_path: str
    """Empty: the application itself."""
    type: FunctionKind
    visibility: Literal["public", "internal"]


class TransactionMetric(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One limit of a transaction."""

    used: int
    remaining: int


class TransactionMetrics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the transaction has used, nested calls included, and what is left of each limit."""

    bytes_read: TransactionMetric
    bytes_written: TransactionMetric
    database_queries: TransactionMetric
    documents_read: TransactionMetric
    documents_written: TransactionMetric
    functions_scheduled: TransactionMetric
    scheduled_function_args_bytes: TransactionMetric
    files_read: TransactionMetric
    file_read_bytes: TransactionMetric
    files_written: TransactionMetric
    file_write_bytes: TransactionMetric


class DeploymentMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the function runs."""

    name: str
    """The deployment's name: `name` under `[tool.rewake]`, or that of the project's folder."""
    region: str | None = None
    """None: the deployment is on a machine of yours, and does not know where that stands."""
    deployment_class: str = msgspec.field(default="self-hosted", name="class")
    """`self-hosted`; the official service names the size of what is rented here."""


class RequestMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the call came from, as far as it is known."""

    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    scheduled_function_id: str | None = None
    auth_token: str | None = None

"""Scheduled functions: jobs as documents of `_scheduled_functions`, and how they change state.

Floor 2, `database`. Authors see them through `ctx.db.system`; only the functions here write them. A cron is a
job of another table that never ends: it is found, claimed and put back by the same functions, and what its
end is says `crons.py`.

    schedule -> pending --claim--> inProgress --finish--> success | failed
                   |   <-put back-     |
                   `------------- cancel ---------------> canceled

A mutation's job is claimed and finished in the transaction of the mutation itself: its writes and its success
are one commit, so it runs exactly once. An action's are commits of their own around the run: at most once.

Not here: when a job is due and who runs it (`scheduling`, `execution`).
Source: semantics 3.7, 6.5.
"""

from __future__ import annotations

from math import inf
from typing import Any

import msgspec

from rewake.database.catalog import CRONS, SCHEDULED_FUNCTIONS
from rewake.database.document_writes import Fields
from rewake.database.errors import InvalidArgument
from rewake.database.table import Table
from rewake.database.writes import WriteTransaction
from rewake.errors import FunctionError
from rewake.limits import MIB
from rewake.storage import Reads
from rewake.values import (
    InvalidId,
    Value,
    decode_id,
    decode_stored_document,
    encode,
    encode_key,
    key_successor,
    plain_text,
)

_BY_COMPLETED = SCHEDULED_FUNCTIONS.indexes["by_completed"].id

_TRIM_BYTES = 1 * MIB
"""About how much one step of trimming deletes: it holds the writer for that long."""

_FINISHED = frozenset({"success", "failed", "canceled"})


class InvalidScheduledId(InvalidArgument):
    """The id is not one of a scheduled function."""

    code = "InvalidScheduledFunctionId"
    template = "Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table."


class CannotCancelItself(FunctionError):
    """A scheduled mutation tried to cancel its own job. Raise an error instead to take its writes back."""

    code = "CannotCancelItself"
    template = "A mutation cannot cancel itself"


class ScheduledJob(msgspec.Struct, frozen=True):
    """A job as whoever runs it needs it."""

    id: str
    name: str
    """The canonical path of the function: `messages.js:destruct`."""
    args: str
    """Encoded text of the one arguments object."""
    due_ms: float


def schedule(
    transaction: WriteTransaction, name: str, args: Value, *, at_ms: float, is_canceled: bool = False
) -> str:
    """Store a job; returns its id."""
    fields: Fields = {"name": name, "args": [args], "scheduledTime": at_ms}
    if is_canceled:
        fields |= {"state": {"kind": "canceled"}, "completedTime": transaction.now_ms}
    else:
        fields |= {"state": {"kind": "pending"}}
    return transaction.insert_into(SCHEDULED_FUNCTIONS, fields)


def state_of(transaction: WriteTransaction, id: str) -> str | None:
    """The state of a job, or None where there is none."""
    found = transaction.target(SCHEDULED_FUNCTIONS, id)
    return None if found is None else _kind(found[2])


def is_cron(id: str) -> bool:
    """Whether the id of a job is that of a cron; what is no id is none."""
    try:
        return bool(id) and decode_id(id).table_number == CRONS.number
    except InvalidId:
        return False


def claim(transaction: WriteTransaction, id: str) -> bool:
    """Begin a pending job, or a run of a cron. False where it is not pending any more: it must not run."""
    return _move(transaction, id, {"pending"}, "inProgress")


def put_back(transaction: WriteTransaction, id: str) -> None:
    """Make a job pending again that was begun and whose function was not."""
    _move(transaction, id, {"inProgress"}, "pending")


def finish(transaction: WriteTransaction, id: str, *, error: str | None) -> None:
    """End a job. One that is over stays as it is: cancelled meanwhile, for example.

    A pending one fails where its mutation left nothing behind, its claim included.
    """
    if error is None:
        _move(transaction, id, {"inProgress"}, "success")
    else:
        _move(transaction, id, {"pending", "inProgress"}, "failed", error=error)


def cancel(transaction: WriteTransaction, id: str, *, own: str | None) -> None:
    """Cancel a job: one that is over stays as it is.

    Raises:
        InvalidScheduledId: the id is of another table, or none.
        CannotCancelItself: it is the job that runs this very mutation.
    """
    try:
        id = plain_text(id) if isinstance(id, str) else ""
        number = decode_id(id).table_number
    except InvalidId:
        raise InvalidScheduledId() from None
    if number != SCHEDULED_FUNCTIONS.number:
        raise InvalidScheduledId()
    if id == own:
        raise CannotCancelItself()
    _move(transaction, id, {"pending", "inProgress"}, "canceled")


def due_jobs(
    reads: Reads, *, until_ms: float, limit: int, backlog: Table = SCHEDULED_FUNCTIONS
) -> list[ScheduledJob]:
    """Up to `limit` pending jobs that are due at `until_ms`, the one that is due longest first."""
    prefix = encode_key(["pending"])
    upper = key_successor(encode_key(["pending", until_ms]))
    page = reads.page(_by_due(backlog), prefix, upper, descending=False, limit=limit)
    return [_job(text) for _, text in page]


def next_due_ms(
    reads: Reads, *, after_ms: float = -inf, backlog: Table = SCHEDULED_FUNCTIONS
) -> float | None:
    """When the first pending job is due that is due after `after_ms`; None where there is none."""
    prefix = encode_key(["pending"])
    lower = key_successor(encode_key(["pending", after_ms]))
    assert lower is not None, "a key of text has a successor"
    page = reads.page(_by_due(backlog), lower, key_successor(prefix), descending=False, limit=1)
    return _job(page[0][1]).due_ms if page else None


def pending_jobs(reads: Reads, *, limit: int) -> list[ScheduledJob]:
    """Up to `limit` pending jobs, the one that is due first first."""
    return due_jobs(reads, until_ms=inf, limit=limit)


def begun_jobs(reads: Reads, *, limit: int, backlog: Table = SCHEDULED_FUNCTIONS) -> list[ScheduledJob]:
    """Up to `limit` jobs that are in progress: at the start of a server, actions that it lost."""
    prefix = encode_key(["inProgress"])
    page = reads.page(_by_due(backlog), prefix, key_successor(prefix), descending=False, limit=limit)
    return [_job(text) for _, text in page]


def has_finished(reads: Reads, *, before_ms: float) -> bool:
    """Whether any job was over before `before_ms`."""
    lower, upper = encode_key([0.0]), encode_key([before_ms])
    return bool(reads.page(_BY_COMPLETED, lower, upper, descending=False, limit=1))


def trim_finished(transaction: WriteTransaction, *, before_ms: float, limit: int) -> int:
    """Forget up to `limit` jobs that were over before `before_ms`, fewer where they are large; returns how
    many.
    """
    lower, upper = encode_key([0.0]), encode_key([before_ms])
    count, size = 0, 0
    for _, text in transaction.reads.page(_BY_COMPLETED, lower, upper, descending=False, limit=limit):
        id = str(decode_stored_document(text)["_id"])
        found = transaction.target(SCHEDULED_FUNCTIONS, id)
        assert found is not None, "the index has just shown it"
        old, row, document = found
        transaction.delete_from(SCHEDULED_FUNCTIONS, id, row, old=old, document=document)
        count, size = count + 1, size + len(text)
        if size >= _TRIM_BYTES:
            break
    return count


def _move(
    transaction: WriteTransaction, id: str, allowed: set[str], kind: str, *, error: str | None = None
) -> bool:
    table = CRONS if is_cron(id) else SCHEDULED_FUNCTIONS
    found = transaction.target(table, id)
    if found is None or _kind(found[2]) not in allowed:
        return False
    old, row, document = found
    state: Fields = {"kind": kind}
    if error is not None:
        state["error"] = error
    changed: Fields = {**document, "state": state}
    if kind in _FINISHED:
        changed["completedTime"] = transaction.now_ms
    elif table is CRONS and kind == "inProgress":
        changed["startedTime"] = transaction.now_ms
    transaction.update_in(table, id, row, old=old, document=document, changed=changed)
    return True


def _by_due(backlog: Table) -> int:
    return backlog.indexes["by_due"].id


def _job(text: str) -> ScheduledJob:
    fields = decode_stored_document(text)
    return ScheduledJob(fields["_id"], fields["name"], encode(fields["args"][0]), fields["scheduledTime"])


def _kind(document: Fields) -> str:
    state: Any = document["state"]
    return str(state["kind"])

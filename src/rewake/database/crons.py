"""Crons: functions that run again and again, as documents of `_crons`, and what came of their runs.

Floor 2, `database`. A cron is one document, and its next run is its state: so there is at most one run of it
at a time, and a run and the plan for the next are one commit.

    push -> pending at scheduledTime --claim--> inProgress --end--> pending at the next time in the future
                                                              `--> one document of `_cron_runs`, or two

Runs that were missed are skipped: the second document says how many. The last few are kept for each cron.

Not here: finding, claiming and putting back, which are those of any job (`scheduled.py`), when the next time
is (`cron_times.py`).
Source: semantics 6.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rewake.database.catalog import CRON_RUNS, CRONS
from rewake.database.cron_times import first_ms, next_ms, offset_of
from rewake.database.document_writes import Fields
from rewake.database.scheduled import claim, finish, is_cron
from rewake.database.writes import WriteTransaction
from rewake.limits import KIB
from rewake.storage import Reads
from rewake.values import decode, decode_stored_document, encode, encode_key, key_successor, normalize

_BY_IDENTIFIER = CRONS.indexes["by_identifier"].id
_BY_CRON = CRON_RUNS.indexes["by_cron"].id

_RESULT_LENGTH_MAX = 1_000
_LOG_LENGTH_MAX = 64 * KIB
"""Characters of log lines kept with one run."""


class CronFacts(msgspec.Struct, frozen=True):
    """One cron as a project lists it, without its code."""

    identifier: str
    name: str
    """The canonical path of its function: `presence.js:clear`."""
    args: str
    """Encoded text of the one arguments object."""
    schedule: dict[str, Any]
    """As it is exported: `{"type": "daily", "hourUTC": 4}`."""


class CronChange(msgspec.Struct, frozen=True):
    """What a push changed, by identifiers in order."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


class JobEnd(msgspec.Struct, frozen=True):
    """How a run of a job ended."""

    error: str | None
    """None for a success."""
    result: str = "null"
    """Encoded text of what it returned; its beginning is enough."""
    log_lines: tuple[str, ...] = ()


def job_end(*, error: str | None, result: str, log_lines: Sequence[str]) -> JobEnd:
    """The part of an end that is kept."""
    kept, length = [], 0
    for line in log_lines:
        length += len(line) + 1
        if length > _LOG_LENGTH_MAX:
            kept.append("[WARN] Further log lines of this run are not kept.")
            break
        kept.append(line)
    return JobEnd(error, result[: _RESULT_LENGTH_MAX + 1], tuple(kept))


def store_crons(transaction: WriteTransaction, crons: Sequence[CronFacts], *, chance: str) -> CronChange:
    """Make `_crons` say `crons`. Those that stay as they are keep the time of their next run; others run next
    when their schedule says so for the first time. `chance` decides on offsets that nobody has chosen.
    """
    stored = {str(fields["identifier"]): fields for fields in list_crons(transaction.reads)}
    added, updated = [], []
    for cron in sorted(crons, key=lambda cron: cron.identifier):
        known = stored.pop(cron.identifier, None)
        wanted: Fields = {
            "identifier": cron.identifier,
            "name": cron.name,
            "args": [decode(cron.args)],
            "schedule": normalize(cron.schedule),
        }
        if known is None:
            wanted |= _plan(transaction, wanted, offset=None, chance=chance)
            transaction.insert_into(CRONS, {**wanted, "state": {"kind": "pending"}})
            added.append(cron.identifier)
        elif any(encode(known[name]) != encode(wanted[name]) for name in wanted):
            has_schedule = encode(known["schedule"]) == encode(wanted["schedule"])
            offset = int(known["offset"]) if has_schedule else None
            _update(transaction, known, wanted, _plan(transaction, wanted, offset=offset, chance=chance))
            updated.append(cron.identifier)
    for fields in stored.values():
        _delete(transaction, str(fields["_id"]))
    return CronChange(tuple(added), tuple(updated), tuple(sorted(stored)))


def _plan(transaction: WriteTransaction, wanted: Fields, *, offset: int | None, chance: str) -> Fields:
    """The first run of a new or changed cron."""
    schedule: Any = wanted["schedule"]
    if offset is None:
        splay = transaction.limits.cron_splay_seconds
        offset = offset_of(schedule, chance=chance + encode(wanted["identifier"]), splay_seconds=splay)
    return {
        "offset": float(offset),
        "scheduledTime": first_ms(schedule, offset=offset, now_ms=transaction.now_ms),
    }


def _update(transaction: WriteTransaction, known: Fields, wanted: Fields, plan: Fields) -> None:
    old, row, document = _target(transaction, str(known["_id"]))
    changed = {**document, **wanted, **plan}
    if _kind(document) == "inProgress":
        # The run under way goes on, and its end brings the new plan.
        changed |= {"scheduledTime": document["scheduledTime"], "nextTime": plan["scheduledTime"]}
    id = str(document["_id"])
    transaction.update_in(CRONS, id, row, old=old, document=document, changed=changed)


def _delete(transaction: WriteTransaction, id: str) -> None:
    old, row, document = _target(transaction, id)
    transaction.delete_from(CRONS, id, row, old=old, document=document)
    _trim_runs(transaction, id, kept=0)


def claim_job(transaction: WriteTransaction, id: str, *, name: str, args: str) -> bool:
    """Begin a job, or the run of a cron that is due. False where it must not run: it is not pending any more,
    or a push has changed the cron since it was looked up.
    """
    if is_cron(id):
        found = transaction.target(CRONS, id)
        if found is None:
            return False
        fields: Any = found[2]
        is_same = fields["name"] == name and encode(fields["args"][0]) == args
        if not is_same or fields["scheduledTime"] > transaction.now_ms:
            return False
    return claim(transaction, id)


def finish_job(transaction: WriteTransaction, id: str, end: JobEnd, *, due_ms: float | None = None) -> None:
    """End a job, or a run of a cron: that is written down, and the next run planned. Nothing happens where
    the run that was due at `due_ms` is over already.
    """
    if not is_cron(id):
        finish(transaction, id, error=end.error)
        return
    found = transaction.target(CRONS, id)
    if found is None:
        return  # A push took it away meanwhile.
    old, row, document = found
    if due_ms is not None and document["scheduledTime"] != due_ms:
        return
    plan, skipped, first_skipped = _following(transaction, document)
    status: Fields = {"kind": "failed", "error": end.error}
    if end.error is None:
        is_cut = len(end.result) > _RESULT_LENGTH_MAX
        status = {"kind": "success", "result": end.result[:_RESULT_LENGTH_MAX], "isTruncated": is_cut}
    _note_run(transaction, document, status=status, log_lines=end.log_lines)
    if skipped:
        line = skip_line(id, skipped)
        run = {**document, "scheduledTime": first_skipped, "startedTime": transaction.now_ms}
        _note_run(transaction, run, status={"kind": "canceled", "count": float(skipped)}, log_lines=(line,))
    _trim_runs(transaction, id, kept=transaction.limits.cron_runs_kept)
    changed: Fields = {**document, **plan, "state": {"kind": "pending"}}
    changed.pop("startedTime", None)
    changed.pop("nextTime", None)
    transaction.update_in(CRONS, id, row, old=old, document=document, changed=changed)


def skip_line(id: str, count: int) -> str:
    """What is logged about runs that were missed."""
    return f"Skipping {count} run(s) of job {id} because multiple scheduled runs are in the past"


def _following(transaction: WriteTransaction, document: Fields) -> tuple[Fields, int, float | None]:
    """The plan for the next run, how many are skipped by it, and when the first of those was due."""
    fields: Any = document
    if "nextTime" in fields:
        return {"scheduledTime": fields["nextTime"]}, 0, None
    next_time, skipped, first_skipped = next_ms(
        fields["schedule"],
        offset=int(fields["offset"]),
        previous_ms=fields["scheduledTime"],
        now_ms=transaction.now_ms,
    )
    return {"scheduledTime": next_time}, skipped, first_skipped


def _note_run(
    transaction: WriteTransaction, document: Fields, *, status: Fields, log_lines: Sequence[str]
) -> None:
    run: Fields = {
        "cron": document["_id"],
        "identifier": document["identifier"],
        "name": document["name"],
        "scheduledTime": document["scheduledTime"],
        # Where a mutation was cut off with its process, its start went with it.
        "startedTime": document.get("startedTime", transaction.now_ms),
        "completedTime": transaction.now_ms,
        "status": status,
        "logLines": list(log_lines),
    }
    transaction.insert_into(CRON_RUNS, run)


def _trim_runs(transaction: WriteTransaction, cron: str, *, kept: int) -> None:
    runs = _run_texts(transaction.reads, cron)
    for text in runs[: max(0, len(runs) - kept)]:
        id = str(decode_stored_document(text)["_id"])
        found = transaction.target(CRON_RUNS, id)
        assert found is not None, "the index has just shown it"
        old, row, document = found
        transaction.delete_from(CRON_RUNS, id, row, old=old, document=document)


def list_crons(reads: Reads) -> list[dict[str, Any]]:
    """The documents of all crons, in the order of their identifiers."""
    found: list[dict[str, Any]] = []
    lower = b""
    while page := reads.page(_BY_IDENTIFIER, lower, None, descending=False, limit=512):
        found += [decode_stored_document(text) for _, text in page]
        lower = page[-1][0] + b"\0"
    return found


def runs_of_cron(reads: Reads, id: str) -> list[dict[str, Any]]:
    """The documents of the runs that are kept of a cron, the oldest first."""
    return [decode_stored_document(text) for text in _run_texts(reads, id)]


def last_skip(reads: Reads, id: str, *, after_ms: float) -> str | None:
    """What was logged of runs that were skipped after the one that was due at `after_ms`, as the last thing
    that happened to a cron.
    """
    runs = runs_of_cron(reads, id)
    if not runs or runs[-1]["status"]["kind"] != "canceled" or runs[-1]["scheduledTime"] <= after_ms:
        return None
    return str(runs[-1]["logLines"][0])


def _run_texts(reads: Reads, cron: str) -> list[str]:
    lower = encode_key([cron])
    upper = key_successor(lower)
    found: list[str] = []
    while page := reads.page(_BY_CRON, lower, upper, descending=False, limit=512):
        found += [text for _, text in page]
        lower = page[-1][0] + b"\0"
    return found


def _target(transaction: WriteTransaction, id: str) -> tuple[str, int, Fields]:
    found = transaction.target(CRONS, id)
    assert found is not None, "the index has just shown it"
    return found


def _kind(document: Fields) -> str:
    state: Any = document["state"]
    return str(state["kind"])

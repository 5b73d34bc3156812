"""Deploys: the sources that serve, and those that did, as documents.

Floor 2, `database`. The record of a deploy is written by the very transaction that switches to its code, so
the active one is what serves, whatever dies in between. Its sources, an archive, were stored before, in parts
of a size that holds nobody up; a crash leaves parts that no record names, and a sweep takes them away.

    keep_part (head, 1, 2, ... n)      one small transaction each, durable before the next
    note_deploy                        in the switch: the record becomes active, the one before replaced
    trim_deploys                       records over the number to keep, then parts that nobody needs

    _deploys        {number, sources, files, bytes, at, key, label, message, version, summary, state,
                    rollbackOf}
    _deploy_parts   {sources, part, parts, bytes} for part 0, the head; {sources, part, data} for others

`sources` is a hash of the files, so what is deployed twice is stored once. A switch to code that was not
deployed (`rewake dev`, `rewake serve DIR`) leaves no deploy active.

Not here: what is in an archive (`execution/project_archive.py`), who may (`http_api`), plans (`deployment`).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

import msgspec

from rewake.database.catalog import DEPLOY_PARTS, DEPLOYS
from rewake.database.document_writes import Fields
from rewake.database.table import Table
from rewake.database.writes import WriteTransaction
from rewake.errors import Conflict
from rewake.storage import Reads
from rewake.values import Value, decode_stored_document, encode_key, key_successor

DEPLOYS_TABLET = DEPLOYS.tablet
DEPLOY_PART_BYTES = 192 * 1024
"""Bytes of one part: as text a quarter of a megabyte, which the writer stores in a millisecond or two."""

_BY_NUMBER = DEPLOYS.indexes["by_number"].id
_BY_PART = DEPLOY_PARTS.indexes["by_part"].id
_BY_SOURCES = DEPLOY_PARTS.indexes["by_sources"].id
_RECORDS_MAX = 10_000
"""More records than may ever be kept."""


class DeployState(StrEnum):
    """What became of a deploy."""

    ACTIVE = "active"
    REPLACED = "replaced"


class DeploySourcesMissing(Conflict):
    """The sources of this deploy are not stored (any more). Deploy them again."""

    code = "DeploySourcesMissing"
    template = "The sources of this deploy are not stored any more."


class DeployNote(msgspec.Struct, frozen=True, array_like=True):
    """What a switch writes down of the deploy that it is."""

    sources: str
    files: int
    size: int
    message: str
    key: str
    """The id of the key that did it; empty for the deployment's own."""
    label: str
    """What that key is for."""
    version: str
    """Of Rewake."""
    summary: str
    """What it changed, as JSON."""
    rollback_of: int = 0
    """The deploy whose sources these were; 0 where they came from outside."""


class DeployRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A deploy that was switched to."""

    number: float
    sources: str
    files: float
    bytes: float
    at: float
    key: str
    label: str
    message: str
    version: str
    summary: str
    state: DeployState
    rollback_of: float = 0.0

    @property
    def note(self) -> DeployNote:
        """What a switch to the same sources would write down, were they not active."""
        return DeployNote(
            self.sources,
            int(self.files),
            int(self.bytes),
            self.message,
            self.key,
            self.label,
            self.version,
            self.summary,
            int(self.rollback_of),
        )


_record = msgspec.json.Decoder(DeployRecord)


def stored_deploys(reads: Reads) -> list[DeployRecord]:
    """All that are kept, the oldest first."""
    page = reads.page(_BY_NUMBER, b"", None, descending=False, limit=_RECORDS_MAX)
    return [_record.decode(text) for _, text in page]


def active_deploy(reads: Reads) -> DeployRecord | None:
    """The one that serves; None where code serves that was not deployed, or none at all."""
    page = reads.page(_BY_NUMBER, b"", None, descending=True, limit=1)
    newest = _record.decode(page[0][1]) if page else None
    # Only the newest can be: each switch makes a new record, or leaves none active.
    return newest if newest is not None and newest.state is DeployState.ACTIVE else None


def sources_stored(reads: Reads, sources: str) -> bool:
    """Whether every part of an archive is there: they are written in order."""
    head = _part(reads, sources, 0)
    return head is not None and _part(reads, sources, int(head["parts"])) is not None


def read_sources(reads: Reads, sources: str) -> bytes:
    """The archive with this hash.

    Raises:
        DeploySourcesMissing: it is not there.
    """
    head = _part(reads, sources, 0)
    parts = []
    for number in range(1, int(head["parts"]) + 1 if head is not None else 1):
        part = _part(reads, sources, number)
        if part is None:
            raise DeploySourcesMissing()
        parts.append(part["data"])
    if head is None:
        raise DeploySourcesMissing()
    return b"".join(parts)


def keep_part(transaction: WriteTransaction, sources: str, part: int, *, parts: int, data: bytes) -> None:
    """Store one part of an archive, the head (0) first and the others in order. Harmless when done before."""
    if _part(transaction.reads, sources, part) is not None:
        return
    fields: Fields = {"sources": sources, "part": float(part)}
    if part == 0:
        transaction.insert_into(DEPLOY_PARTS, {**fields, "parts": float(parts)})
    else:
        transaction.insert_into(DEPLOY_PARTS, {**fields, "data": data})


def note_deploy(transaction: WriteTransaction, note: DeployNote | None) -> None:
    """Write down, in the transaction of a switch, which deploy it is; None: code that was not deployed.
    Nothing is written where that is as before.

    Raises:
        DeploySourcesMissing: the sources were not stored before.
    """
    page = transaction.reads.page(_BY_NUMBER, b"", None, descending=True, limit=1)
    newest = _record.decode(page[0][1]) if page else None
    is_active = newest is not None and newest.state is DeployState.ACTIVE
    if note is not None and is_active and newest is not None and newest.sources == note.sources:
        return
    if is_active:
        document = decode_stored_document(page[0][1])
        found = transaction.target(DEPLOYS, str(document["_id"]))
        assert found is not None, "the index has just shown it"
        old, row, fields = found
        changed = {**fields, "state": DeployState.REPLACED.value}
        transaction.update_in(DEPLOYS, str(document["_id"]), row, old=old, document=fields, changed=changed)
    if note is None:
        return
    if not sources_stored(transaction.reads, note.sources):
        raise DeploySourcesMissing()
    transaction.insert_into(
        DEPLOYS,
        {
            "number": 1.0 if newest is None else newest.number + 1,
            "sources": note.sources,
            "files": float(note.files),
            "bytes": float(note.size),
            "at": float(transaction.now_ms),
            "key": note.key,
            "label": note.label,
            "message": note.message,
            "version": note.version,
            "summary": note.summary,
            "state": DeployState.ACTIVE.value,
            "rollbackOf": float(note.rollback_of),
        },
    )


def trim_deploys(transaction: WriteTransaction, *, keep: int, using: Collection[str]) -> bool:
    """Remove a record that is over the number to `keep`, or else a part that no record needs and that is not
    of an archive in `using`; whether there was anything to do.
    """
    deploys = stored_deploys(transaction.reads)
    if len(deploys) > keep and deploys[0].state is not DeployState.ACTIVE:
        _remove(transaction, DEPLOYS, _BY_NUMBER, [deploys[0].number])
        return True
    needed = {deploy.sources for deploy in deploys}.union(using)
    prefix = encode_key([0.0])
    heads = transaction.reads.page(
        _BY_PART, prefix, key_successor(prefix), descending=False, limit=_RECORDS_MAX
    )
    for _, text in heads:
        head = decode_stored_document(text)
        sources = str(head["sources"])
        if sources not in needed:
            # From the end: what lacks its last part is taken for what it is, something unfinished.
            within = encode_key([sources])
            page = transaction.reads.page(
                _BY_SOURCES, within, key_successor(within), descending=True, limit=1
            )
            last = decode_stored_document(page[0][1])["part"]
            _remove(transaction, DEPLOY_PARTS, _BY_SOURCES, [sources, last])
            return True
    return False


def _part(reads: Reads, sources: str, part: int) -> dict[str, Any] | None:
    key = encode_key([sources, float(part)])
    page = reads.page(_BY_SOURCES, key, key_successor(key), descending=False, limit=1)
    return decode_stored_document(page[0][1]) if page else None


def _remove(transaction: WriteTransaction, table: Table, index: int, key: list[Value]) -> None:
    prefix = encode_key(key)
    page = transaction.reads.page(index, prefix, key_successor(prefix), descending=False, limit=1)
    assert page, "it was just read"
    id = str(decode_stored_document(page[0][1])["_id"])
    found = transaction.target(table, id)
    assert found is not None, "the index has just shown it"
    old, row, document = found
    transaction.delete_from(table, id, row, old=old, document=document)

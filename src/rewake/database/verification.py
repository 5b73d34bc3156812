"""Verification: does everything that a data file says of itself agree?

Floor 2, `database`. `rewake verify` and the tests of crashes and failing disks ask it. One snapshot of the
file is read from end to end, in pages, changing nothing:

    engine     SQLite's own pages and trees
    head       one row, counters above everything that they gave out
    catalog    tables and indexes can be read, and share no tablet and no number
    documents  known tablet, canonical text within limits, right id, an entry in every index of the table
    entries    none beside those
    log        in order, well-formed, each row begins where the one before ended, the last is what is stored
    replays    well-formed, each of a commit that happened
    files      their bytes are there, and are those that were stored

Keys are computed anew from the documents, so the check does not believe what it checks. That no index holds
more than it should is counted first, and looked through only where the count is wrong.

Not here: reading the file (`storage/inspection.py`), telling a person (`cli/verifying.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Container, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from rewake.blobs import BlobMissing, BlobStore, BlobStoreFailed
from rewake.database.catalog import EMPTY_CATALOG, STORAGE, Catalog, load_catalog
from rewake.database.files import all_files
from rewake.database.table import Table
from rewake.environment import Environment
from rewake.storage import Head, Inspection, LogRow, LogWrite, Notes, StorageFailed, unpack_writes
from rewake.values import check_document_limits, decode, decode_id, decode_stored, encode, encode_key

PROBLEMS_MAX = 1_000
"""Problems that are told one by one; beyond it they are counted."""

Progress = Callable[[str, int, int], None]
"""Called now and then with what is looked at, how much of it is done, and how much there is."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that does not agree with another. Names are None where they do not apply or are not known."""

    kind: str
    """engine, head, catalog, document, index, log, replay or file."""
    detail: str
    table: str | None = None
    index: str | None = None
    document: str | None = None


class Verdict(msgspec.Struct):
    """What a verification found."""

    last_ts: int = 0
    tables: int = 0
    documents: int = 0
    index_entries: int = 0
    log_rows: int = 0
    replays: int = 0
    files: int = 0
    problems_found: int = 0
    problems: list[Problem] = msgspec.field(default_factory=list)
    """The first `PROBLEMS_MAX` of them."""

    @property
    def is_clean(self) -> bool:
        """Whether everything agrees."""
        return self.problems_found == 0

    def add(self, problem: Problem) -> None:
        """Take a problem down."""
        self.problems_found += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def to_json(self) -> dict[str, Any]:
        """As a program reads it. The timestamp is text, since it is no safe integer."""
        facts = msgspec.to_builtins(self)
        found = facts.pop("problems_found")
        problems = facts.pop("problems")
        facts["last_ts"] = str(self.last_ts)
        return {"is_clean": self.is_clean, **facts, "problems_found": found, "problems": problems}


def _silent(what: str, done: int, total: int) -> None:
    """For those who do not want to know."""


def verify(
    path: Path | str,
    *,
    environment: Environment,
    progress: Progress = _silent,
    blobs: BlobStore | None = None,
) -> Verdict:
    """Check the data file at `path`, which may be served at the same time; it is not changed. With `blobs`,
    the bytes of its files as well; some may be deleted meanwhile where it is served.

    Raises:
        DataFileMissing, DataFileForeign, DataFileFromFuture: it cannot be checked at all.
        StorageFailed: the disk failed before anything could be looked at.
    """
    inspection = Inspection(Path(path), environment=environment)
    try:
        inspection.hold()
        return _Verification(inspection, progress, blobs).run()
    finally:
        inspection.end()
        inspection.close()


class _Verification:
    """One look at one file."""

    def __init__(self, inspection: Inspection, progress: Progress, blobs: BlobStore | None) -> None:
        self._blobs = blobs
        self._file = inspection
        self._progress = progress
        self._verdict = Verdict()
        self._catalog: Catalog = EMPTY_CATALOG
        self._tablets: dict[int, Table] = {}
        # How many entries each index must have, by its documents.
        self._wanted: Counter[int] = Counter()

    def run(self) -> Verdict:
        """Look at everything; a part that cannot be read is a problem and ends only itself."""
        for kind, step in (
            ("engine", self._check_engine),
            ("catalog", self._check_catalog),
            ("head", self._check_head),
            ("document", self._check_documents),
            ("index", self._check_entries),
            ("log", self._check_log),
            ("replay", self._check_replays),
            ("file", self._check_files),
        ):
            try:
                step()
            except StorageFailed as error:
                self._add(kind, f"cannot be read any further: {error.message}")
        return self._verdict

    def _add(self, kind: str, detail: str, *, table: Table | None = None, **names: str | None) -> None:
        self._verdict.add(Problem(kind, detail, table.name if table is not None else None, **names))

    # What holds the rest.

    def _check_engine(self) -> None:
        self._progress("SQLite's pages", 0, 1)
        for text in self._file.engine_problems():
            self._add("engine", text)

    def _check_catalog(self) -> None:
        self._progress("the catalog", 0, 1)
        try:
            self._catalog = load_catalog(self._file)
        except StorageFailed:
            raise
        except Exception as error:
            self._add("catalog", f"tables and indexes cannot be read: {_said(error)}")
        numbers: Counter[str] = Counter()
        for table in self._catalog.tables.values():
            numbers[f"table number {table.number}"] += 1
        for table in self._all_tables():
            self._tablets[table.tablet] = table
            numbers[f"tablet {table.tablet}"] += 1
            for index_id in _index_ids(table):
                numbers[f"index id {index_id}"] += 1
        for number in self._catalog.storage_numbers:
            numbers[f"table number {number}"] += 1
        for name, times in numbers.items():
            if times > 1:
                self._add("catalog", f"{name} is given {times} times")
        self._verdict.tables = len(self._catalog.user_tables())

    def _check_head(self) -> None:
        heads = self._file.heads()
        if len(heads) != 1:
            self._add("head", f"there are {len(heads)} head rows instead of one")
            return
        head = heads[0]
        self._verdict.last_ts = head.last_ts
        if not 0 <= head.log_floor_ts <= head.last_ts:
            self._add("head", f"log_floor_ts {head.log_floor_ts} is not within 0 and {head.last_ts}")
        if not 0 <= head.catalog_ts <= head.last_ts:
            self._add("head", f"catalog_ts {head.catalog_ts} is not within 0 and {head.last_ts}")
        size = self._file.log_size()[1]
        if size != head.log_bytes:
            self._add("head", f"log_bytes is {head.log_bytes}, and the log has {size}")
        self._check_counters(head)

    def _all_tables(self) -> list[Table]:
        """Those with a name, and those that an import builds or has replaced."""
        return [*self._catalog.tables.values(), *(hidden.table for hidden in self._catalog.hidden)]

    def _check_counters(self, head: Head) -> None:
        tables = self._all_tables()
        for name, next_one, given in (
            ("next_tablet", head.next_tablet, (table.tablet for table in tables)),
            (
                "next_number",
                head.next_number,
                (*self._catalog.storage_numbers, *(table.number for table in tables)),
            ),
            ("next_index", head.next_index, (id for table in tables for id in _index_ids(table))),
        ):
            highest = max(given)
            if next_one <= highest:
                self._add("head", f"{name} is {next_one}, and {highest} is given already")

    # Documents and index entries.

    def _check_documents(self) -> None:
        last_row = self._file.last_row()
        for page in self._file.documents():
            for row, tablet, text in page:
                self._verdict.documents += 1
                self._check_document(row, tablet, text)
            self._progress("documents", page[-1][0], last_row)

    def _check_document(self, row: int, tablet: int, text: Any) -> None:
        table = self._tablets.get(tablet)
        if table is None:
            self._add("document", f"row {row} belongs to tablet {tablet}, which no table has")
            return
        try:
            document, keys = _keys_of(table, text)
        except Exception as error:
            self._add("document", f"row {row} cannot be decoded: {_said(error)}", table=table)
            return
        id = str(document["_id"])
        for detail in _faults_of(table, document, text, others=self._catalog.storage_numbers):
            self._add("document", detail, table=table, document=id)
        for index_id, key in keys:
            self._wanted[index_id] += 1
            found = self._file.entry_row(index_id, key)
            if found != row:
                detail = "the entry of this document is missing"
                if found is not None:
                    detail = f"the entry of this document points to row {found} instead of {row}"
                self._add("index", detail, table=table, index=_index_name(table, index_id), document=id)

    def _check_entries(self) -> None:
        ids = list(self._file.index_ids())
        owners = {index_id: table for table in self._all_tables() for index_id in _index_ids(table)}
        for done, index_id in enumerate(ids):
            count = self._file.count_entries(index_id)
            self._verdict.index_entries += count
            table = owners.get(index_id)
            if table is None:
                self._add("index", f"{count} entries belong to index {index_id}, which no table has")
            elif count != self._wanted[index_id]:
                self._look_through(table, index_id)
            self._progress("index entries", done + 1, len(ids))

    def _look_through(self, table: Table, index_id: int) -> None:
        """Find the entries of an index that no document wants."""
        index = _index_name(table, index_id)
        for page in self._file.entries(index_id):
            for key, row, tablet, text in page:
                id: str | None = None
                if tablet is None:
                    detail = f"entry {key.hex()} points to row {row}, where no document is"
                elif tablet != table.tablet:
                    detail = f"entry {key.hex()} points to row {row}, a document of tablet {tablet}"
                else:
                    try:
                        document, keys = _keys_of(table, text)
                    except Exception:
                        continue  # Told already, with its document.
                    if (index_id, key) in keys:
                        continue
                    id = str(document["_id"])
                    detail = f"entry {key.hex()} is not the key of the document that it points to"
                self._add("index", detail, table=table, index=index, document=id)

    # Log and replay records.

    def _check_log(self) -> None:
        total = self._file.log_size()[0]
        floor, last_ts = (0, 0)
        for head in self._file.heads():
            floor, last_ts = head.log_floor_ts, head.last_ts
        with Notes() as documents, Notes() as invocations:
            for page in self._file.log():
                for ts, invocation, packed in page:
                    self._verdict.log_rows += 1
                    if not floor < ts <= last_ts:
                        self._add("log", f"row {ts} is not within {floor} and {last_ts}")
                    if not isinstance(invocation, str) or not invocation:
                        self._add("log", f"row {ts} has no invocation")
                    elif invocations.swap(invocation, b"") is not None:
                        self._add("log", f"row {ts} repeats invocation {invocation}")
                    try:
                        row = LogRow(ts, str(invocation), unpack_writes(packed))
                    except Exception as error:
                        self._add("log", f"row {ts} cannot be decoded: {_said(error)}")
                        continue
                    for write in row.writes:
                        self._check_write(row, write, documents)
                self._progress("the commit log", self._verdict.log_rows, total)
            self._check_last(documents)

    def _check_write(self, row: LogRow, write: LogWrite, documents: Notes) -> None:
        table = self._tablets.get(write.tablet)

        def add(detail: str) -> None:
            self._add("log", f"row {row.ts}: {detail}", table=table, document=write.id)

        if write.old == write.new:
            add("a write that changes nothing")
        before = documents.swap(f"{write.tablet}:{write.id}", _digest(write.new))
        if before is not None and before != _digest(write.old):
            add("the document before is not what the last row left")
        if table is None:
            return  # A table that is gone.
        logged = {index_id: (old, new) for index_id, old, new in write.keys}
        for text, side in ((write.old, 0), (write.new, 1)):
            wanted: Mapping[int, bytes] = {}
            if text is not None:
                try:
                    document, keys = _keys_of(table, text)
                except Exception as error:
                    add(f"the document {('before', 'after')[side]} cannot be decoded: {_said(error)}")
                    continue
                if document["_id"] != write.id:
                    add("the document has another id")
                wanted = dict(keys)
            for index_id in _index_ids(table):
                # An index that is younger than the row has no key in it.
                if index_id in logged and logged[index_id][side] != wanted.get(index_id):
                    add(f"the key {('before', 'after')[side]} in {_index_name(table, index_id)} is wrong")
                elif index_id in (table.by_id, table.by_creation_time) and index_id not in logged:
                    add(f"the key in {_index_name(table, index_id)} is missing")

    def _check_last(self, documents: Notes) -> None:
        """The last that the log says of a document must be what is stored."""
        for page in documents.pages():
            for place, digest in page:
                tablet, _, id = place.partition(":")
                table = self._tablets.get(int(tablet))
                if table is None:
                    continue
                if _digest(self._file.find(table.by_id, encode_key([id]))) != digest:
                    self._add("log", "the newest row is not what is stored", table=table, document=id)

    def _check_replays(self) -> None:
        total = self._file.count_replays()
        floor, last_ts = (0, 0)
        for head in self._file.heads():
            floor, last_ts = head.log_floor_ts, head.last_ts
        for page in self._file.replays():
            for number, session, request, ts, result, log_lines, recorded_ms in page:
                self._verdict.replays += 1
                name = f"record {number} (session {session}, request {request})"
                try:
                    decode(result)
                    msgspec.json.decode(log_lines, type=tuple[str, ...])
                except Exception as error:
                    self._add("replay", f"{name} cannot be decoded: {_said(error)}")
                if not session or not isinstance(recorded_ms, int) or recorded_ms < 0:
                    self._add("replay", f"{name} lacks its session or its time")
                if not isinstance(ts, int) or not 0 <= ts <= last_ts:
                    self._add("replay", f"{name} is of {ts}, above the latest commit {last_ts}")
                elif ts > floor and not self._file.is_logged(ts):
                    self._add("replay", f"{name} is of commit {ts}, which the log does not have")
            self._progress("replay records", self._verdict.replays, total)

    # Files.

    def _check_files(self) -> None:
        if self._blobs is None:
            return
        for file in all_files(self._file):
            self._verdict.files += 1
            detail = ""
            try:
                digest = hashlib.sha256()
                for piece in self._blobs.read(file.key, stop=file.size):
                    digest.update(piece)
                if self._blobs.size(file.key) != file.size:
                    detail = f"its content has not the {file.size} bytes that it should have"
                elif base64.b64encode(digest.digest()).decode() != file.sha256:
                    detail = "its content is not what was stored"
            except (BlobMissing, BlobStoreFailed) as error:
                detail = error.message
            if detail:
                self._add("file", detail, table=STORAGE, document=file.id)
            self._progress("files", self._verdict.files, self._verdict.files)


def _keys_of(table: Table, text: Any) -> tuple[dict[str, Any], tuple[tuple[int, bytes], ...]]:
    """A document and its keys in every index of its table. Raises whatever its text brings about."""
    if not isinstance(text, str):
        raise TypeError(f"its text is of type {type(text).__name__}")
    document = decode_stored(text)
    if not isinstance(document, dict):
        raise TypeError("it is not an object")
    return document, table.keys_of(document)


def _faults_of(table: Table, document: dict[str, Any], text: str, *, others: Container[int]) -> list[str]:
    """What is wrong with a document in itself. Ids of files may have one of the numbers `others`."""
    faults = []
    try:
        number = decode_id(document["_id"]).table_number
        if number != table.number and not (table.tablet == STORAGE.tablet and number in others):
            faults.append("its id is of another table")
    except Exception as error:
        faults.append(f"its id is not one: {_said(error)}")
    try:
        if encode(document) != text:
            faults.append("its text is not in canonical form")
        if not table.is_system:
            check_document_limits(document)
    except Exception as error:
        faults.append(_said(error))
    return faults


def _index_ids(table: Table) -> list[int]:
    return [table.by_id, table.by_creation_time, *(index.id for index in table.declared)]


def _index_name(table: Table, index_id: int) -> str:
    names = {table.by_id: "by_id", table.by_creation_time: "by_creation_time"}
    return (names | {index.id: index.name for index in table.declared}).get(index_id, str(index_id))


def _digest(text: object) -> bytes:
    # What is no text can lie in a damaged file; it is the digest of nothing.
    return blake2b(text.encode(), digest_size=16).digest() if isinstance(text, str) else b""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

"""Imports of a deployment: from an uploaded file to tables that serve.

Floor 5, `deployment`. The front process reads the file, in a thread and in small pieces; the writer stores
rows in hidden tables, in steps between other mutations, and switches to them in one transaction.

    upload -> survey -> (confirmed) -> declare -> files, copies, rows -> switch -> over
                                           '----------- anything wrong: give up, all as it was

What becomes of an import lies in its record, which live queries follow; whoever started it may go away. One
import writes at a time, others wait. What a crash interrupts is given up at the next start.

Not here: uploads (`import_spool.py`), reading the file (`import_survey.py`, `archive`), steps
(`database/importing.py`). Source: DESIGN 7; semantics 10.5; wire 7.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from rewake.database import Database, ImportNotFound, has_unfinished_imports, stored_import
from rewake.deployment.import_spool import ImportSpool, TooManyImports
from rewake.deployment.import_words import Change, describe_changes
from rewake.environment import Environment, pause
from rewake.errors import INTERNAL_MESSAGE, Conflict, Internal, InvalidInput, RewakeError, Unavailable
from rewake.execution import Failure, Success
from rewake.files import Files
from rewake.limits import MIB, Limits
from rewake.observability import logger
from rewake.storage import Reads
from rewake.values import decode_stored, encode, normalize

if TYPE_CHECKING:
    from rewake.archive.snapshot import Format
    from rewake.deployment.import_survey import Survey

T = TypeVar("T")

_log = logger(__name__)

_PIECE_BYTES = 1 * MIB
_TELL_SECONDS = 1.0
"""How often the record says how far an import is."""
_CHECKPOINT_BATCHES = 64
_ATTEMPTS = 5
_MODES = ("requireEmpty", "append", "replace", "replaceAll")
_FORMATS = ("csv", "jsonLines", "jsonArray", "zip")


class ImportInvalid(InvalidInput):
    """The import cannot be asked for like this."""

    code = "ImportInvalid"


class ImportNotWaiting(Conflict):
    """Only an import that waits to be confirmed can be confirmed."""

    code = "ImportNotWaiting"
    template = "This import does not wait to be confirmed (any more)."


class ImportFailed(InvalidInput):
    """The import came to nothing; the text says why. Nothing was changed."""

    code = "ImportFailed"


class House(Protocol):
    """What imports need of a deployment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def files(self) -> Files: ...

    async def read(self, work: Callable[[Reads], T]) -> T: ...

    async def run_system(self, path: str, args: str) -> Success | Failure: ...


class ImportOrder(msgspec.Struct, frozen=True):
    """What somebody wants imported, and how."""

    mode: str
    format: str
    table: str | None = None

    @property
    def source_format(self) -> Format:
        """The format, which was checked."""
        return self.format  # type: ignore[return-value]


class _Import(msgspec.Struct, eq=False):
    """One import that is not over."""

    id: str
    order: ImportOrder
    path: Path
    task: asyncio.Task[None] | None = None
    survey: Survey | None = None
    """There once the file was read."""
    is_confirmed: bool = False
    waiting_since: float | None = None
    messages: list[str] = msgspec.field(default_factory=list)
    told: float = 0.0
    batches: int = 0
    held: list[str] = msgspec.field(default_factory=list)
    """Keys of bytes that are to become files."""


class _Refused(RewakeError):
    """A step was refused; `fields` have the code, and the row's position where it was a row."""

    code = "ImportRefused"


class Imports:
    """The imports of one deployment. Used in its event loop."""

    def __init__(self, house: House, database: Database) -> None:
        self._house = house
        self._database = database
        folder = database.imports_folder
        self._spool = ImportSpool(folder, environment=database.environment, limits=database.limits)
        self._under_way: dict[str, _Import] = {}
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Give up what a server from before left."""
        await asyncio.to_thread(self._spool.clear)
        found = await self._house.read(has_unfinished_imports)
        if found:
            lost = await self._run("recover")
            if lost:
                _log.warning("%d imports were cut off when the server stopped; nothing is kept of them", lost)

    async def close(self) -> None:
        """End what is under way; at the next start it is given up."""
        tasks = [each.task for each in self._under_way.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._spool.clear)

    async def sweep(self) -> None:
        """Give up uploads that nobody goes on with, and imports that nobody confirms."""
        self._spool.sweep()
        now = self._house.environment.clock.monotonic()
        for each in list(self._under_way.values()):
            since = each.waiting_since
            if since is not None and now - since > self._house.limits.import_wait_seconds:
                each.waiting_since = None
                await self._give_up(each, "Nobody confirmed the import in time.")

    # What the doors ask.

    async def start_upload(self) -> str:
        """Begin an upload; returns its token.

        Raises:
            TooManyImports: there are enough under way.
        """
        most = self._house.limits.imports_waiting_max
        if len(self._spool) + len(self._under_way) >= most:
            raise TooManyImports(limit=most)
        return await asyncio.to_thread(self._spool.begin)

    async def upload_part(self, token: str, number: int, pieces: AsyncIterator[bytes]) -> str:
        """Store a part of an upload; returns its token. See `ImportSpool.take_part`."""
        return await self._spool.take_part(token, number, pieces)

    async def begin(
        self, token: str, part_tokens: list[str], *, mode: str, format: str, table: str | None
    ) -> str:
        """Begin the import of what was uploaded; returns its id.

        Raises:
            ImportInvalid, UploadNotFound, UploadPartInvalid: nothing was begun.
        """
        order = _order(mode, format, table)
        path = await asyncio.to_thread(self._spool.join, token, part_tokens)
        return (await self._begin(path, order)).id

    async def perform(self, id: str) -> None:
        """Confirm an import.

        Raises:
            ImportNotFound, ImportNotWaiting.
        """
        self._confirm(self._find(id))

    async def cancel(self, id: str) -> None:
        """Take an import back that is not over; or an upload that was not finished, by its token.

        Raises:
            ImportNotFound: there is neither.
        """
        if await asyncio.to_thread(self._spool.drop, id):
            return
        each = self._find(id)
        if each.task is not None:
            each.task.cancel()
            await asyncio.gather(each.task, return_exceptions=True)
        if id in self._under_way:
            await self._give_up(each, "The import was cancelled.")

    async def all_at_once(
        self, pieces: AsyncIterator[bytes], *, mode: str, format: str, table: str | None
    ) -> int:
        """Import without asking; returns how many documents were written.

        Raises:
            ImportFailed: it came to nothing. And see `start_upload`, `upload_part`, `begin`.
        """
        order = _order(mode, format, table)
        token = await self.start_upload()
        try:
            part = await self._spool.take_part(token, 1, pieces)
            path = await asyncio.to_thread(self._spool.join, token, [part])
        except BaseException:
            self._spool.drop(token)
            raise
        each = await self._begin(path, order)
        task = each.task
        assert task is not None, "it was just begun"
        await asyncio.shield(task)
        if each.waiting_since is not None:
            self._confirm(each)
            await asyncio.shield(each.task or task)
        state = await self._house.read(lambda reads: _state_of(reads, each.id))
        if state["state"] != "completed":
            raise ImportFailed(str(state.get("error_message", "The import was interrupted.")))
        return int(state["num_rows_written"])

    # One import.

    async def _begin(self, path: Path, order: ImportOrder) -> _Import:
        fields = {"mode": order.mode, "format": order.format}
        if order.table is not None:
            fields["tableName"] = order.table
        each = _Import(str(await self._run("create", fields=fields)), order, path)
        self._under_way[each.id] = each
        each.task = asyncio.create_task(self._guard(each, self._survey(each)))
        return each

    def _find(self, id: str) -> _Import:
        each = self._under_way.get(id)
        if each is None:
            raise ImportNotFound(id=id)
        return each

    def _confirm(self, each: _Import) -> None:
        if each.waiting_since is None:
            raise ImportNotWaiting()
        each.waiting_since = None
        each.task = asyncio.create_task(self._guard(each, self._perform(each)))

    async def _guard(self, each: _Import, work: Any) -> None:
        """Do a part of an import; whatever goes wrong is its end."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except RewakeError as error:
            if isinstance(error, Internal):
                _log.error("an import failed inside the house: %s", error)
            await self._give_up(each, error.message)
        except Exception:
            _log.exception("an import failed")
            await self._give_up(each, INTERNAL_MESSAGE)

    async def _give_up(self, each: _Import, message: str) -> None:
        try:
            await self._run("give_up", id=each.id, message=message)
            if each.held:
                await self._house.files.let_go(each.held)
        except RewakeError as error:
            # What it leaves is given up at the next start.
            _log.error("an import could not be given up: %s", error)
        await self._end(each)

    async def _end(self, each: _Import) -> None:
        self._under_way.pop(each.id, None)
        if each.survey is not None:
            each.survey.source.close()
        await asyncio.to_thread(self._spool.remove, each.path)

    async def _survey(self, each: _Import) -> None:
        """Read the file, and ask."""
        each.survey = await asyncio.to_thread(self._opened, each)
        while await asyncio.to_thread(each.survey.step):
            pass
        await self._step("check", request=self._request(each))
        changes = await asyncio.to_thread(self._changes, each)
        each.waiting_since = self._house.environment.clock.monotonic()
        await self._note(
            each,
            {
                "state": "waiting_for_confirmation",
                "message_to_confirm": describe_changes(changes, each.survey.source.notes),
                "require_manual_confirmation": any(change.deleted for change in changes),
            },
        )

    def _opened(self, each: _Import) -> Survey:
        """The file, of which nothing is known yet. Called in a thread; what reads archives is loaded here,
        since no server needs it before.
        """
        from rewake.archive import open_source
        from rewake.deployment.import_survey import Survey

        order, bytes_max = each.order, self._house.limits.import_unpacked_bytes_max
        return Survey(
            open_source(each.path, format=order.source_format, table=order.table, bytes_max=bytes_max)
        )

    def _changes(self, each: _Import) -> list[Change]:
        """What the import would do, table by table. Called in a thread."""
        assert each.survey is not None, "the file was read"
        added = {table.name: table.rows for table in each.survey.tables}
        if each.survey.files:
            added["_storage"] = len(each.survey.files)
        mode, reader = each.order.mode, self._database.reader()
        try:
            with reader.begin() as snapshot:
                tables = snapshot.catalog.user_tables()
                kept = {table.name: snapshot.count(table) for table in tables}
        finally:
            reader.close()
        names = sorted(added.keys() | (kept.keys() if mode == "replaceAll" else set()))
        goes = mode in ("replace", "replaceAll")
        changes = [
            Change(name, added.get(name, 0), kept.get(name, 0) if goes else 0, kept.get(name, 0))
            for name in names
        ]
        return [change for change in changes if change.name in added or change.deleted]

    def _request(self, each: _Import) -> dict[str, Any]:
        assert each.survey is not None, "the file was read"
        number = each.survey.storage_number
        return {
            "id": each.id,
            "mode": each.order.mode,
            "tables": [
                {"name": table.name, "number": None if table.number is None else float(table.number)}
                for table in each.survey.tables
            ],
            "storage_number": None if number is None else float(number),
        }

    async def _perform(self, each: _Import) -> None:
        """Build the hidden tables, and switch."""
        assert each.survey is not None, "the file was read"
        await self._tell(each, "Waiting for another import" if self._writing.locked() else "Importing")
        reach = self._house.environment.reach
        async with self._writing:
            request = self._request(each)
            declared = await self._step("declare", request=request)
            reach("imports.after_declare")
            files = await self._hold_files(each)
            for table in declared:
                await self._fill(each, table)
            for table in declared:
                while table["copies"] and not await self._step("copy", document=table["document"]):
                    pass
            reach("imports.before_switch")
            await self._step("switch", request=request, files=files, rows=float(each.survey.rows))
            reach("imports.after_switch")
        each.held = []
        await self._end(each)

    async def _hold_files(self, each: _Import) -> list[dict[str, Any]]:
        """Make the bytes of files durable; they become files with the switch."""
        assert each.survey is not None, "the file was read"
        files: list[dict[str, Any]] = []
        for file in each.survey.files:
            known = await self._house.files.find_id(file.id)
            if known is not None:
                if (known.sha256, known.size) != (file.sha256, file.size):
                    raise file.row.refused("there is another file with this id here")
                continue
            opened = each.survey.source.bytes_of(file.id)
            assert opened is not None, "the survey has found it"
            try:
                taken = await self._house.files.hold(
                    opened.pieces(_PIECE_BYTES), wanted_key=file.key, expected=file.sha256
                )
            except RewakeError as error:
                raise file.row.refused(error.message) from None
            each.held.append(taken.key)
            files.append({"key": taken.key, "document": file.document})
            await self._tell(each, f"Storing files ({len(files)} of {len(each.survey.files)})", soon=False)
        if files:
            each.messages.append(f"Stored {len(files)} files.")
        return files

    async def _fill(self, each: _Import, table: dict[str, Any]) -> None:
        assert each.survey is not None, "the file was read"
        name, document = table["name"], table["document"]
        while table["copies"] and not await self._step("copy", document=document):
            await self._tell(each, f'Copying documents of "{name}" that stay', soon=False)
        total = next(found.rows for found in each.survey.tables if found.name == name)
        rows = each.survey.batches(name, int(table["number"]), self._house.environment)
        position = 0
        while batch := await asyncio.to_thread(rows.next_batch):
            while batch:
                try:
                    done = await self._step(
                        "load", document=document, position=float(position), texts=[text for text, _ in batch]
                    )
                except _Refused as refusal:
                    at = refusal.fields.get("position")
                    if at is None:
                        raise
                    raise batch[int(at) - position][1].refused(refusal.message) from None
                batch = batch[int(done) - position :]
                position = int(done)
            await self._tell(each, f'Importing "{name}" ({position} of {total} documents)', soon=False)
            each.batches += 1
            if each.batches % _CHECKPOINT_BATCHES == 0:
                await asyncio.to_thread(self._database.checkpoint)
                if table["copies"]:
                    # What is written meanwhile must not pile up until the switch.
                    await self._step("copy", document=document)
        each.messages.append(f'Imported {position} documents into "{name}".')
        await self._tell(each, "Importing")

    # Records and steps.

    async def _tell(self, each: _Import, message: str, *, soon: bool = True) -> None:
        now = self._house.environment.clock.monotonic()
        if not soon and now - each.told < _TELL_SECONDS:
            return
        each.told = now
        state = {"state": "in_progress", "progress_message": message, "checkpoint_messages": each.messages}
        await self._note(each, state)

    async def _note(self, each: _Import, state: dict[str, Any]) -> None:
        await self._step("note", id=each.id, state=state)

    async def _step(self, name: str, **args: Any) -> Any:
        """A step, asked for again where the writer was lost in the middle of it.

        Raises:
            _Refused: something speaks against it.
        """
        for attempt in range(_ATTEMPTS):
            try:
                answer = await self._run(name, **args)
            except Unavailable:
                if attempt == _ATTEMPTS - 1:
                    raise
                await pause(0.1 * 2**attempt)
                continue
            refused = answer.get("refused")
            if refused is None:
                return answer["done"]
            raise _Refused(refused["message"], **refused)
        raise AssertionError("the last attempt raises")

    async def _run(self, name: str, **args: Any) -> Any:
        result = await self._house.run_system(f"_system/imports:{name}", encode(normalize(args)))
        if isinstance(result, Failure):
            _log.error("the system function imports:%s failed: %s", name, result.message)
            raise Internal(INTERNAL_MESSAGE)
        return decode_stored(result.value)


def _order(mode: str, format: str, table: str | None) -> ImportOrder:
    order = ImportOrder(mode, format, table)
    if order.mode not in _MODES:
        raise ImportInvalid(f"The mode of an import is one of {', '.join(_MODES)}, and not {order.mode!r}.")
    if order.format not in _FORMATS:
        raise ImportInvalid(f"The format of an import is one of {', '.join(_FORMATS)}, not {order.format!r}.")
    if (order.table is None) != (order.format == "zip"):
        raise ImportInvalid("An archive names its tables itself; for any other format name the table.")
    return order


def _state_of(reads: Reads, id: str) -> dict[str, Any]:
    record = stored_import(reads, id)
    return {"state": "failed"} if record is None else record["state"]

"""The catalog: which tables, indexes and schema there are, as documents and as what they mean.

Floor 2, `database`. Tables and indexes are documents of system tables, read and written through the same door
as any other, so "this table does not exist yet" is a key that was read and found absent, and making the table
wakes who looked (DESIGN D5). Only the system tables themselves are fixed, below.

    _tables   {name, number, tablet, byId, byCreationTime}      by_name, by_number
    _indexes  {tablet, name | becomes | was, fields, index, state, staged}    by_tablet_and_name
    _schemas  {state, schema, marks, error?, table?, staged?}   by_state
    _modules  {path, hash}                                      by_path
    _backfills  {work, tablet, index, document, cursor, until, done, total}
    _environment_variables  {name, value, isBuiltIn?}           by_name
    _blobs    {key, state, since, file?}                        by_key, by_file, by_state
    _settings {name, value}                                     by_name
    _crons    {identifier, name, args, schedule, offset, scheduledTime, state, startedTime?, nextTime?}
                                                                by_due, by_identifier
    _cron_runs  {cron, identifier, name, scheduledTime, startedTime, completedTime, status, logLines}
                                                                by_cron
    _admin_keys  {key, label, scopes, digest, createdAt, ...}   by_key
    _imports  {state, mode, format, table?, createdAt, ...}
    _tablets  {role, name, number, tablet, ...}                 by_tablet        `hidden_tables.py`
    _exports  {state, includeStorage, start_ts?, complete_ts?, ...}                       by_state
    _deploys, _deploy_parts    see `deploys.py`                 by_number; by_sources, by_part

A tablet is one instance of a table. Documents, keys, read sets and log rows name tablets and index ids, never
names: an import may build a second copy of a table and switch to it. Tablets and index ids are never used
twice.

A `Catalog` is the decoded form, kept as long as `catalog_ts` of a snapshot stays the same, and never changed:
a transaction that makes a table goes on with a new one, so taking a mutation back is taking its catalog back.

Not here: what a single table is (`table.py`), making tables (`writes.py`), changing indexes and schema
(`schema_change.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rewake.database.active_schema import StoredSchema
from rewake.database.staged_verdict import StagedVerdict
from rewake.database.table import HiddenTable, IndexState, Table, TableIndex, TabletRole
from rewake.schema import NOTHING_READ
from rewake.storage import Reads
from rewake.values import decode_stored_document


def _system_table(name: str, *, tablet: int, **indexes: tuple[str, ...]) -> Table:
    """A table fixed in code. Its numbers follow from its tablet and stay for ever."""
    base = 10 * tablet
    return Table(
        name=name,
        number=512 + tablet,
        tablet=tablet,
        by_id=base,
        by_creation_time=base + 1,
        indexes={
            index_name: TableIndex(base + 2 + position, index_name, fields)
            for position, (index_name, fields) in enumerate(indexes.items())
        },
    )


TABLES = _system_table("_tables", tablet=1, by_name=("name",), by_number=("number",))
INDEXES = _system_table("_indexes", tablet=2, by_tablet_and_name=("tablet", "name"))
SCHEMAS = _system_table("_schemas", tablet=3, by_state=("state",))
MODULES = _system_table("_modules", tablet=4, by_path=("path",))
STORAGE = _system_table("_storage", tablet=5)
SCHEDULED_FUNCTIONS = _system_table(
    "_scheduled_functions", tablet=6, by_due=("state.kind", "scheduledTime"), by_completed=("completedTime",)
)
BACKFILLS = _system_table("_backfills", tablet=7)
ENVIRONMENT_VARIABLES = _system_table("_environment_variables", tablet=9, by_name=("name",))
BLOBS = _system_table("_blobs", tablet=20, by_key=("key",), by_file=("file",), by_state=("state", "since"))
SETTINGS = _system_table("_settings", tablet=21, by_name=("name",))
CRONS = _system_table(
    "_crons", tablet=22, by_due=("state.kind", "scheduledTime"), by_identifier=("identifier",)
)
CRON_RUNS = _system_table("_cron_runs", tablet=23, by_cron=("cron",))
AUTHOR_VISIBLE = frozenset({STORAGE.tablet, SCHEDULED_FUNCTIONS.tablet, CRON_RUNS.tablet})
"""Tables of the system that authors read, and those that are read in the order in which they were written:
their documents are told apart by creation time, too."""
ADMIN_KEYS = _system_table("_admin_keys", tablet=31, by_key=("key",))
# Tablet 28 stays free: its number, 540, is that of files in the official product, whose ids an import keeps.
IMPORTS = _system_table("_imports", tablet=50)
TABLETS = _system_table("_tablets", tablet=51, by_tablet=("tablet",))
EXPORTS = _system_table("_exports", tablet=45, by_state=("state",))
DEPLOYS = _system_table("_deploys", tablet=40, by_number=("number",))
DEPLOY_PARTS = _system_table(
    "_deploy_parts", tablet=41, by_sources=("sources", "part"), by_part=("part", "sources")
)
SYSTEM_TABLES = (
    TABLES,
    INDEXES,
    SCHEMAS,
    MODULES,
    STORAGE,
    SCHEDULED_FUNCTIONS,
    BACKFILLS,
    ENVIRONMENT_VARIABLES,
    BLOBS,
    SETTINGS,
    CRONS,
    CRON_RUNS,
    ADMIN_KEYS,
    IMPORTS,
    TABLETS,
    EXPORTS,
    DEPLOYS,
    DEPLOY_PARTS,
)
HIDDEN_TABLES = frozenset({ENVIRONMENT_VARIABLES.name, ADMIN_KEYS.name, DEPLOYS.name, DEPLOY_PARTS.name})
"""Tables of the system that `ctx.db.system` does not know: they hold secrets, and sources."""

TABLES_BY_NAME = TABLES.indexes["by_name"].id
TABLES_BY_NUMBER = TABLES.indexes["by_number"].id
INDEXES_BY_NAME = INDEXES.indexes["by_tablet_and_name"].id


class Catalog:
    """Tables by name and by number, and the active schema. Never changed once made."""

    __slots__ = ("hidden", "numbers", "schema", "storage_numbers", "tables")

    read_ids = NOTHING_READ
    """See `TableNames`: it is transactions that read."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        *,
        schema: StoredSchema | None = None,
        hidden: tuple[HiddenTable, ...] = (),
        storage_numbers: frozenset[int] = frozenset(),
    ) -> None:
        self.tables = tables
        self.numbers = {table.number: table for table in tables.values()}
        self.schema = schema
        self.hidden = hidden
        self.storage_numbers = storage_numbers
        """Numbers in ids of files that came from elsewhere, beside our own."""
        for number in storage_numbers:
            self.numbers[number] = STORAGE

    def table_name(self, number: int) -> str | None:
        """The name of the table with this number, as validators of ids ask for it."""
        table = self.numbers.get(number)
        return None if table is None else table.name

    def user_tables(self) -> list[Table]:
        """The tables of the application, by name."""
        return [table for name, table in sorted(self.tables.items()) if not table.is_system]

    def table_of(self, tablet: int) -> Table | None:
        """The table that a log row or a document of the house means by its tablet."""
        return next((table for table in self.tables.values() if table.tablet == tablet), None)

    def index_ids(self) -> set[int]:
        """The ids of all indexes that are maintained."""
        ids: set[int] = set()
        for table in self.tables.values():
            ids |= {table.by_id, table.by_creation_time}
            ids |= {index.id for index in table.declared}
        return ids

    def retired_index_ids(self) -> set[int]:
        """The ids of indexes that only reads at an older timestamp find."""
        return {id for each in self.hidden if each.role is TabletRole.RETIRED for id in each.index_ids}

    def with_table(self, table: Table) -> Catalog:
        """The catalog with one table more, or another in its place."""
        return self.with_tables({**self.tables, table.name: table})

    def with_tables(self, tables: Mapping[str, Table]) -> Catalog:
        """The catalog with these tables and no other."""
        return self._copy(tables=tables)

    def with_schema(self, schema: StoredSchema | None) -> Catalog:
        """The catalog under another schema."""
        return self._copy(schema=schema)

    def with_hidden(self, hidden: tuple[HiddenTable, ...]) -> Catalog:
        """The catalog with these tablets that no name leads to."""
        return self._copy(hidden=hidden)

    def with_storage_numbers(self, numbers: frozenset[int]) -> Catalog:
        """The catalog with these numbers in ids of files."""
        return self._copy(storage_numbers=numbers)

    def _copy(self, **changes: Any) -> Catalog:
        parts = {"schema": self.schema, "hidden": self.hidden, "storage_numbers": self.storage_numbers}
        return Catalog(**{"tables": self.tables, **parts, **changes})


EMPTY_CATALOG = Catalog({table.name: table for table in SYSTEM_TABLES})
"""What a new deployment has."""

_PAGE = 512


def load_catalog(reads: Reads) -> Catalog:
    """Decode the catalog from its documents, as a snapshot has them."""
    indexes: dict[int, list[TableIndex]] = {}
    for document in _documents(reads, INDEXES):
        if document["state"] != IndexState.DROPPED:
            indexes.setdefault(int(document["tablet"]), []).append(index_of(document))
    tables = dict(EMPTY_CATALOG.tables)
    for document in _documents(reads, TABLES):
        tablet = int(document["tablet"])
        declared = indexes.get(tablet, [])
        tables[document["name"]] = Table(
            name=document["name"],
            number=int(document["number"]),
            tablet=tablet,
            by_id=int(document["byId"]),
            by_creation_time=int(document["byCreationTime"]),
            indexes={index.name: index for index in declared if not index.is_beside},
            beside=tuple(index for index in declared if index.is_beside),
            is_imported=document.get("imported", False),
        )
    schema: StoredSchema | None = None
    for document in _documents(reads, SCHEMAS):
        if document["state"] == "active":
            staged = document.get("staged", {})
            verdicts = {name: StagedVerdict.from_document(verdict) for name, verdict in staged.items()}
            schema = StoredSchema(document["schema"], document["marks"], document["_id"], verdicts)
    hidden, numbers = [], set()
    for document in _documents(reads, TABLETS):
        if document["role"] == TabletRole.ALIAS:
            numbers.add(int(document["number"]))
        else:
            hidden.append(hidden_of(document))
    return Catalog(tables, schema=schema, hidden=tuple(hidden), storage_numbers=frozenset(numbers))


def hidden_of(document: Mapping[str, Any]) -> HiddenTable:
    """What a document of `_tablets` that is no alias means."""
    declared = [
        TableIndex(
            int(each["index"]),
            each["name"],
            tuple(each["fields"]),
            IndexState(each["state"]),
            staged=each["staged"],
            is_beside=each["beside"],
        )
        for each in document["indexes"]
    ]
    table = Table(
        name=document["name"],
        number=int(document["number"]),
        tablet=int(document["tablet"]),
        by_id=int(document["byId"]),
        by_creation_time=int(document["byCreationTime"]),
        indexes={index.name: index for index in declared if not index.is_beside},
        beside=tuple(index for index in declared if index.is_beside),
    )
    role = TabletRole(document["role"])
    return HiddenTable(table, role, document["_id"], document["owner"], int(document["since"]))


def index_of(document: Mapping[str, Any]) -> TableIndex:
    """What a document of `_indexes` that is not dropped means."""
    # Data files from before schema changes went on in the background say `staged` for ready and staged.
    is_old = document["state"] == "staged"
    return TableIndex(
        id=int(document["index"]),
        name=document.get("name") or document["becomes"],
        fields=tuple(document["fields"]),
        state=IndexState.READY if is_old else IndexState(document["state"]),
        document=document["_id"],
        staged=is_old or document.get("staged", False),
        is_beside="name" not in document,
    )


def _documents(reads: Reads, table: Table) -> Iterator[dict[str, Any]]:
    lower = b""
    while True:
        page = reads.page(table.by_creation_time, lower, None, descending=False, limit=_PAGE)
        for _, text in page:
            document = decode_stored_document(text)
            yield document
        if len(page) < _PAGE:
            return
        lower = page[-1][0] + b"\0"


class CatalogCache:
    """The latest catalogs that were decoded, shared by the connections of one deployment in one process.

    Two are kept, because readers may still stand before a deploy that the writer has behind it.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Catalog] = {0: EMPTY_CATALOG}

    def at(self, catalog_ts: int, reads: Reads) -> Catalog:
        """The catalog that was last changed at `catalog_ts`; decoded from `reads` if nobody did yet."""
        catalog = self._kept.get(catalog_ts)
        if catalog is None:
            catalog = load_catalog(reads)
            self.keep(catalog_ts, catalog)
        return catalog

    def keep(self, catalog_ts: int, catalog: Catalog) -> None:
        """Remember a catalog, and forget all but the latest two."""
        kept = {**self._kept, catalog_ts: catalog}
        self._kept = {ts: kept[ts] for ts in sorted(kept)[-2:]}

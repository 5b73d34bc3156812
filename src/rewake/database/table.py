"""A table: what it is made of as one snapshot knows it, and where its documents lie.

Floor 2, `database`, under `catalog`, which has the tables of a deployment. Plain records without a life of
their own: what changes a table makes another one.

    Table
      |-- by_id, by_creation_time      implicit
      |-- indexes, beside              declared; the latter are built to take the place of one of the former
      `-- keys_of(document)            where a document lies in each of them

Not here: the documents that tables and indexes are read from (`catalog.py`), writing keys (`index_keys.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from rewake.database.index_keys import WriteKeys, keys_writer
from rewake.values import UNSET, encode_id, encode_key, get_path, key_of_id, parse_field_path

SYSTEM_FIELDS = ("_creationTime", "_id")
"""What every declared index ends with."""

BY_ID = "by_id"
BY_CREATION_TIME = "by_creation_time"


class IndexState(StrEnum):
    """How far an index is. It is maintained from the moment it is declared until it is dropped.

        backfilling -> ready -> enabled -> dropped -> (its document is removed with its last entry)

    Only an enabled one may be queried. A ready one has all entries and waits: for the switch to the schema
    that declares it, or, staged, for somebody to take the mark away.
    """

    BACKFILLING = "backfilling"
    READY = "ready"
    ENABLED = "enabled"
    DROPPED = "dropped"


class TableIndex(msgspec.Struct, frozen=True, dict=True):
    """A declared index of a table."""

    id: int
    name: str
    fields: tuple[str, ...]
    state: IndexState = IndexState.ENABLED
    document: str = ""
    """Id of its document in `_indexes`; empty for those fixed in code."""
    staged: bool = False
    """The schema that declares it does not want it to be queried yet."""
    is_beside: bool = False
    """It is built beside another of the same name, which serves until the switch. Its document says `becomes`
    where others say `name`: nobody who queries by that name is to be woken by it."""

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The declared fields, split at their dots."""
        return tuple(parse_field_path(name) for name in self.fields)

    @cached_property
    def all_fields(self) -> tuple[str, ...]:
        """The fields that make up a key: the declared ones and the two that follow implicitly."""
        return ("_id",) if self.name == BY_ID else self.fields + SYSTEM_FIELDS

    def prefix_of(self, document: Mapping[str, Any]) -> bytes:
        """The part of the key that comes from declared fields."""
        return encode_key(
            [
                document.get(path[0], UNSET) if len(path) == 1 else get_path(document, path)
                for path in self.paths
            ]
        )


class Table(msgspec.Struct, frozen=True, dict=True):
    """A table as one snapshot knows it."""

    name: str
    number: int
    tablet: int
    by_id: int
    by_creation_time: int
    indexes: Mapping[str, TableIndex] = msgspec.field(default_factory=dict)
    """By name; those that may not be queried yet, too."""
    beside: tuple[TableIndex, ...] = ()
    """Those that are built to take the place of one above; only maintained."""
    is_imported: bool = False
    """Its tablet was built by an import: its first documents are not in the commit log."""

    def index_by_name(self, name: str | None) -> TableIndex | None:
        """A declared or implicit index. None as a name means creation order."""
        if name is None or name == BY_CREATION_TIME:
            return self._implicit[0]
        if name == BY_ID:
            return self._implicit[1]
        return self.indexes.get(name)

    @cached_property
    def _implicit(self) -> tuple[TableIndex, TableIndex]:
        return TableIndex(self.by_creation_time, BY_CREATION_TIME, ()), TableIndex(self.by_id, BY_ID, ())

    @cached_property
    def declared(self) -> tuple[TableIndex, ...]:
        """Every index that is maintained, apart from the implicit ones."""
        return (*self.indexes.values(), *self.beside)

    @cached_property
    def keys_of(self) -> WriteKeys:
        """`keys_of(document)`: (index id, key) in every index of the table. Generated on first use."""
        declared = [(index.id, index.paths) for index in self.declared]
        return keys_writer(self.by_id, self.by_creation_time, declared)

    @cached_property
    def _indexed_fields(self) -> tuple[str, ...]:
        """The author's top-level fields that keys depend on. The system's two never change."""
        return tuple({path[0] for index in self.declared for path in index.paths})

    def has_same_keys(self, document: Mapping[str, Any], changed: Mapping[str, Any]) -> bool:
        """Whether two states of a document have the same indexed fields: the very same objects."""
        is_same = True
        for name in self._indexed_fields:
            is_same = is_same and document.get(name, UNSET) is changed.get(name, UNSET)
        return is_same

    @cached_property
    def id_key_bytes(self) -> int:
        """The length of every key in by_id, with which every other key ends."""
        return len(key_of_id(encode_id(self.number, bytes(16))))

    @cached_property
    def is_system(self) -> bool:
        """Whether the table is the system's."""
        return self.name[0] == "_"

    def with_index(self, index: TableIndex) -> Table:
        """The table with one index more, or with what became of it."""
        others = self.without_index(index)
        if index.is_beside:
            return replace(others, beside=(*others.beside, index))
        return replace(others, indexes={**others.indexes, index.name: index})

    def without_index(self, index: TableIndex) -> Table:
        """The table without an index, which is told by its id."""
        return replace(
            self,
            indexes={name: each for name, each in self.indexes.items() if each.id != index.id},
            beside=tuple(each for each in self.beside if each.id != index.id),
        )


class TabletRole(StrEnum):
    """What a tablet is that no name leads to.

        building -> (serves)     serves -> retired -> clearing -> gone
                 '-> clearing

    A number of `_storage` in an archive, which its ids keep, is written down as an alias.
    """

    BUILDING = "building"
    """An import fills it."""
    RETIRED = "retired"
    """It served, and reads at an older timestamp find it still."""
    CLEARING = "clearing"
    """Nobody reads it any more; its documents go in steps."""
    ALIAS = "alias"


class HiddenTable(msgspec.Struct, frozen=True):
    """A tablet that no name leads to."""

    table: Table
    """Under the name that it is to have, or had."""
    role: TabletRole
    document: str
    """Id of its document in `_tablets`."""
    owner: str
    """Id of the import that fills it; empty where none does."""
    since: int = 0
    """The timestamp up to which it may be read, once it is retired."""

    @property
    def index_ids(self) -> set[int]:
        """The ids of its indexes."""
        table = self.table
        return {table.by_id, table.by_creation_time, *(index.id for index in table.declared)}

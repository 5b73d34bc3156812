"""Storage: durable documents, index entries and the commit log, on SQLite.

Floor 1. Knows tablets, index ids, keys and texts; knows no table names, schemas or functions. Start reading
at `engine.py` (what is promised), then `store.py` and `writer_store.py` (every statement).
"""

from rewake.storage.commit_log import (
    Keys,
    LogRow,
    LogWrite,
    PackedRow,
    joined_keys,
    pack_row,
    pack_writes,
    unpack_row,
    unpack_writes,
    without_documents,
)
from rewake.storage.copying import CopyOutrun, FilesHold, copy_data_file
from rewake.storage.data_file import (
    DataDirectoryMissing,
    DataDirectoryUnwritable,
    DataFileForeign,
    DataFileFromFuture,
    DataFileLocked,
    DataFileMissing,
    DataFileRefused,
)
from rewake.storage.engine import CheckpointResult, Durability, Engine, Role, open_database
from rewake.storage.failures import GroupDoomed, OutcomeUnknown, StorageFailed, StorageFull
from rewake.storage.images import Images
from rewake.storage.inspection import Inspection, Notes
from rewake.storage.store import KEY_END, Head, ReaderStore, Reads
from rewake.storage.writer_store import Replay, WriterStore

__all__ = [
    "KEY_END",
    "CheckpointResult",
    "CopyOutrun",
    "DataDirectoryMissing",
    "DataDirectoryUnwritable",
    "DataFileForeign",
    "DataFileFromFuture",
    "DataFileLocked",
    "DataFileMissing",
    "DataFileRefused",
    "Durability",
    "Engine",
    "FilesHold",
    "GroupDoomed",
    "Head",
    "Images",
    "Inspection",
    "Keys",
    "LogRow",
    "LogWrite",
    "Notes",
    "OutcomeUnknown",
    "PackedRow",
    "ReaderStore",
    "Reads",
    "Replay",
    "Role",
    "StorageFailed",
    "StorageFull",
    "WriterStore",
    "copy_data_file",
    "joined_keys",
    "open_database",
    "pack_row",
    "pack_writes",
    "unpack_row",
    "unpack_writes",
    "without_documents",
]

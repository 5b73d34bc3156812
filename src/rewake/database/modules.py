"""Modules: the hashes of the code that serves, as documents.

Floor 2, `database`. A query depends on its own code like on any row: its read set holds the point of its
module in `_modules`. A push writes the hashes that changed, in the same mutation as the schema, and the
commit log wakes the queries of just those modules.

Not here: what goes into a hash (`execution/loader.py`).
Source: spec/semantics 7.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from rewake.database.catalog import MODULES
from rewake.database.catalog_places import name_interval
from rewake.database.read_set import ReadSet
from rewake.database.reads import ReadTransaction
from rewake.database.writes import WriteTransaction
from rewake.schema import QuerySpec
from rewake.values import decode_stored_document

_BY_PATH = MODULES.indexes["by_path"].id


def record_module_read(transaction: ReadTransaction, module: str) -> None:
    """Take down that the result depends on the code of `module`, which need not exist."""
    transaction.recorder.interval(_BY_PATH, name_interval(module))


def module_read_set(module: str) -> ReadSet:
    """The read set of a result that depends on the code of `module` and on nothing else."""
    return ReadSet({_BY_PATH: [name_interval(module)]})


def stored_modules(transaction: ReadTransaction) -> dict[str, str]:
    """The hashes in `_modules`, by path: which code belongs to the snapshot of `transaction`."""
    hashes = {}
    for text in transaction.system.scan(QuerySpec("_modules")):
        document = decode_stored_document(text)
        hashes[str(document["path"])] = str(document["hash"])
    return hashes


def store_modules(transaction: WriteTransaction, hashes: Mapping[str, str]) -> list[str]:
    """Make `_modules` say `hashes`; returns the paths that were added, changed or removed, in order."""
    known = {}
    for text in list(transaction.system.scan(QuerySpec("_modules"))):
        stored = decode_stored_document(text)
        known[str(stored["path"])] = stored
    changed = []
    for path in sorted(known.keys() | hashes.keys()):
        document, code_hash = known.get(path), hashes.get(path)
        if document is None:
            assert code_hash is not None
            transaction.insert_into(MODULES, {"path": path, "hash": code_hash})
        elif document["hash"] != code_hash:
            found = transaction.target(MODULES, str(document["_id"]))
            assert found is not None, "the scan has just seen it"
            old, row, fields = found
            if code_hash is None:
                transaction.delete_from(MODULES, str(document["_id"]), row, old=old, document=fields)
            else:
                transaction.update_in(
                    MODULES,
                    str(document["_id"]),
                    row,
                    old=old,
                    document=fields,
                    changed={**fields, "hash": code_hash},
                )
        else:
            continue
        changed.append(path)
    return changed

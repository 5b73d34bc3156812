"""What a plan says: two analyses compared, and what somebody may miss."""

from __future__ import annotations

import json
from typing import Any

from rewake.database import Survey
from rewake.deployment.deploy_plan import Changed, IndexChange, PlannedChanges, TableChange, planned_changes
from rewake.execution import Analysis, FunctionFacts
from rewake.protocol import FunctionPath


def analysis(functions: dict[str, str], schema: dict[str, Any], variables: str = "{}") -> Analysis:
    """`functions` by path with the hash of their module; `schema` is indexes by table."""
    facts = tuple(
        FunctionFacts(FunctionPath.parse(path), "query", False, {}, {}) for path in sorted(functions)
    )
    tables = [
        {
            "tableName": table,
            "indexes": [{"indexDescriptor": name, "fields": [field]} for name, field in indexes.items()],
        }
        for table, indexes in schema.items()
    ]
    hashes = {path.partition(":")[0]: code_hash for path, code_hash in functions.items()}
    return Analysis(facts, {"tables": tables, "schemaValidation": True}, hashes, variables=variables)


def compared(before: Analysis, after: Analysis, **counts: int) -> PlannedChanges:
    survey = Survey(dict(counts), ("notes",) if "notes" in counts else (), "", {})
    return planned_changes(before, after, survey=survey, counts=counts, variables={"MODE": "live"})


def test_functions_by_their_modules_and_tables_by_name() -> None:
    before = analysis({"a:x": "1", "b:y": "1", "c:z": "1"}, {"notes": {}, "old": {}})
    after = analysis({"a:x": "1", "b:y": "2", "d:w": "1"}, {"notes": {}, "new": {}})
    changes = compared(before, after, notes=3, old=7)
    assert changes.functions == Changed(("d:w",), ("b:y",), ("c:z",))
    assert changes.tables_added == ("new",)
    assert changes.tables_removed == (TableChange("old", 7),)
    assert changes.tables_checked == (TableChange("notes", 3),)
    assert changes.destructive == (
        "The function c:z is removed: clients and scheduled calls that name it will fail.",
    )


def test_indexes_of_tables_with_documents_are_missed_and_of_empty_ones_not() -> None:
    before = analysis({}, {"notes": {"by_a": "a", "by_b": "b"}, "empty": {"by_c": "c"}})
    after = analysis({}, {"notes": {"by_b": "other"}, "empty": {}})
    changes = compared(before, after, notes=1_200, empty=0)
    assert changes.indexes_added == (IndexChange("notes.by_b", 1_200),)
    assert [index.name for index in changes.indexes_removed] == ["empty.by_c", "notes.by_a", "notes.by_b"]
    assert changes.destructive == (
        "The index notes.by_a, which 1,200 documents are in, is dropped.",
        "The index notes.by_b, which 1,200 documents are in, is built anew with other fields.",
    )


def test_variables_that_are_missing_or_refused() -> None:
    declared = json.dumps(
        {
            "KEY": {"validator": {"type": "string"}, "isRequired": True},
            "MODE": {"validator": {"type": "literal", "value": "test"}, "isRequired": False},
        }
    )
    changes = compared(analysis({}, {}), analysis({}, {}, declared))
    assert (changes.variables_missing, changes.variables_refused) == (("KEY",), ("MODE",))


def test_the_summary_of_very_many_names_is_short() -> None:
    after = analysis({f"m:f{number}": "1" for number in range(100)}, {})
    summary = json.loads(compared(analysis({}, {}), after).summary)
    assert len(summary["functions"]["added"]) == 41
    assert summary["functions"]["added"][-1] == "and 60 more"

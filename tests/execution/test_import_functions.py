"""System functions of imports: what they are called, and what the command line reads."""

from __future__ import annotations

from rewake.execution.import_functions import IMPORT_FUNCTIONS, IMPORT_QUERIES
from rewake.execution.system_functions import system_registry


def test_they_are_internal_and_steps_are_mutations() -> None:
    assert all(path.startswith("_system/imports:") for path in IMPORT_FUNCTIONS)
    records = system_registry().functions
    steps = [record for path, record in records.items() if path.module == "_system/imports"]
    asked = [record for path, record in records.items() if path.module == "_system/cli/queryImport"]
    assert [record.kind for record in steps] == ["mutation"] * len(IMPORT_FUNCTIONS)
    assert [record.kind for record in asked] == ["query"] * len(IMPORT_QUERIES)
    assert all(record.is_internal for record in (*steps, *asked))

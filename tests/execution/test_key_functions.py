"""System functions of issued keys: what they are called, and that no secret is among their arguments."""

from __future__ import annotations

import inspect

from rewake.execution.key_functions import KEY_FUNCTIONS
from rewake.execution.system_functions import system_registry


def test_they_are_internal_mutations_that_know_hashes_only() -> None:
    for path, handler in KEY_FUNCTIONS.items():
        assert path.startswith("_system/keys:")
        assert not {"secret", "text"} & set(inspect.signature(handler).parameters)
    records = system_registry().functions
    found = [record for path, record in records.items() if path.module == "_system/keys"]
    assert [(record.kind, record.is_internal) for record in found] == [("mutation", True)] * len(
        KEY_FUNCTIONS
    )

"""What an import would do, in words: the table that a person is asked to confirm.

Floor 5, `deployment`. Not here: finding it out (`importing.py`). Source: wire 7.7.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Change(msgspec.Struct, frozen=True):
    """What would happen to one table."""

    name: str
    added: int
    deleted: int
    present: int
    """Documents that it has now."""


def describe_changes(changes: Sequence[Change], notes: Sequence[str]) -> str:
    """The changes as a table, and what else a person should know."""
    rows = [("table", "add", "delete")]
    rows += [
        (each.name, f"{each.added:,}", f"{each.deleted:,} of {each.present:,}" if each.present else "0")
        for each in changes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}} | {added:>{widths[1]}} | {deleted:>{widths[2]}}".rstrip()
        for name, added, deleted in rows
    ]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    if any(each.deleted for each in changes):
        lines += ["", "What is written to a table that is replaced while the import runs is replaced too."]
    return "\n".join(["The import would change:", "", *lines, *(["", *notes] if notes else [])])

"""What a person is asked to confirm."""

from __future__ import annotations

import pytest

from rewake.deployment.import_words import Change, describe_changes

pytestmark = pytest.mark.threads_only("words")


def test_changes_stand_in_a_table() -> None:
    text = describe_changes([Change("messages", 1200, 3, 3), Change("a", 5, 0, 0)], ["Left out: x."])
    assert text.split("\n") == [
        "The import would change:",
        "",
        "table    |   add | delete",
        "---------+-------+-------",
        "messages | 1,200 | 3 of 3",
        "a        |     5 |      0",
        "",
        "What is written to a table that is replaced while the import runs is replaced too.",
        "",
        "Left out: x.",
    ]


def test_nothing_is_said_of_replacing_where_nothing_is_deleted() -> None:
    assert describe_changes([Change("a", 5, 0, 2)], []).endswith("a     |   5 | 0 of 2")

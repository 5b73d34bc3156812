from __future__ import annotations

import pytest

from rewake.database import (
    TooManyBytesRead,
    TooManyBytesWritten,
    TooManyDocumentsRead,
    TooManyReads,
    TooManyWrites,
    WriteTransaction,
)
from rewake.limits import KIB, MIB, Limits
from tests.database.world import World, query

HELP = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries "
    "with a selective index range expressions."
)


def say(limits: Limits, kind: type[Exception], action: object, *, rows: int = 20) -> str:
    """What a mutation is told that goes over its limits, by a table of `rows` documents."""
    roomy = World()
    try:
        ids = roomy.insert("t", *({"n": n, "s": "ä" * 30} for n in range(rows)))
        roomy.database.limits = limits
        roomy.group.close()
        roomy.group = roomy.database.group_commit()
        with pytest.raises(kind) as caught:
            roomy.mutate(lambda tx: action(tx, ids))  # type: ignore[operator]
        return str(caught.value)
    finally:
        roomy.close()


def test_documents_read_are_limited() -> None:
    text = say(Limits(documents_read_max=7), TooManyDocumentsRead, lambda tx, ids: list(tx.scan(query("t"))))
    assert text == f"Too many documents read in a single function execution (limit: 7). {HELP}"


def test_bytes_read_are_limited_in_bytes_not_characters() -> None:
    def read_twelve(tx: WriteTransaction, ids: list[str]) -> None:
        for id in ids[:12]:
            tx.get(id)

    text = say(Limits(bytes_read_max=1_500), TooManyBytesRead, read_twelve)
    assert text == f"Too many bytes read in a single function execution (limit: 1500 bytes). {HELP}"


def test_separate_ranges_are_limited() -> None:
    text = say(Limits(intervals_read_max=5), TooManyReads, lambda tx, ids: [tx.get(id) for id in ids])
    assert text == f"Too many reads in a single function execution (limit: 5). {HELP}"


def test_ranges_that_lie_side_by_side_count_as_one() -> None:
    world = World(limits=Limits(intervals_read_max=5))
    try:
        (id,) = world.insert("t", {"n": 1})

        def body(tx: WriteTransaction) -> None:
            for _ in range(50):
                tx.get(id)
                list(tx.scan(query("t")))

        world.mutate(body)
    finally:
        world.close()


def test_documents_written_are_limited() -> None:
    text = say(
        Limits(documents_written_max=3), TooManyWrites, lambda tx, ids: [tx.insert("t", {}) for _ in range(4)]
    )
    assert text == "Too many writes in a single function execution (limit: 3)"


def test_each_write_of_one_document_counts_and_unchanged_ones_do_not() -> None:
    def body(tx: WriteTransaction, ids: list[str]) -> None:
        for _ in range(10):
            tx.patch(ids[0], {"n": 0})
        tx.patch(ids[0], {"n": 1})
        tx.patch(ids[0], {"n": 2})
        assert tx.usage.documents_written == 2
        tx.delete(ids[0])

    say(Limits(documents_written_max=2), TooManyWrites, body)


@pytest.mark.parametrize(("limit", "shown"), [(2 * KIB, "2 KiB"), (1_500, "1500 bytes"), (MIB, "1 MiB")])
def test_bytes_written_are_limited(limit: int, shown: str) -> None:
    def write_too_much(tx: WriteTransaction, ids: list[str]) -> None:
        for _ in range(5):
            tx.insert("t", {"s": "x" * (limit // 4)})

    text = say(Limits(bytes_written_max=limit), TooManyBytesWritten, write_too_much)
    assert text == f"Too many bytes written in a single function execution (limit: {shown})"


def test_a_caught_overflow_refunds_nothing() -> None:
    def body(tx: WriteTransaction, ids: list[str]) -> None:
        with pytest.raises(TooManyDocumentsRead):
            list(tx.scan(query("t")))
        tx.get(ids[0])

    say(Limits(documents_read_max=7), TooManyDocumentsRead, body)


def test_what_is_written_for_the_system_is_free() -> None:
    world = World(limits=Limits(documents_written_max=1))
    try:
        world.insert("fresh", {"n": 1})
    finally:
        world.close()

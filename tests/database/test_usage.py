from __future__ import annotations

import pytest

from rewake.database import (
    ScheduledFunctionsArgumentsTooLarge,
    TooManyBytesRead,
    TooManyBytesWritten,
    TooManyDocumentsRead,
    TooManyFunctionsScheduled,
    TooManyReads,
    TooManyWrites,
    WriteTransaction,
)
from rewake.database.usage import Usage
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


def test_an_error_says_which_setting_it_was_and_by_how_much() -> None:
    usage = Usage(Limits(documents_read_max=2))
    usage.count_read("x")
    usage.count_read("x")
    with pytest.raises(TooManyDocumentsRead) as caught:
        usage.count_read("x")
    assert (caught.value.setting, caught.value.observed, caught.value.limit) == ("documents_read_max", 3, 2)
    assert caught.value.detail == "[setting documents_read_max, observed 3, limit 2]"
    assert caught.value.__notes__ == [caught.value.detail]


def test_scheduled_functions_are_limited() -> None:
    usage = Usage(Limits(functions_scheduled_max=2, scheduled_arguments_bytes_max=100))
    usage.count_scheduled("x" * 40)
    usage.count_scheduled("x" * 40)
    with pytest.raises(TooManyFunctionsScheduled) as many:
        usage.count_scheduled("{}")
    assert many.value.message == "Too many functions scheduled by this mutation (limit: 2)"
    usage = Usage(Limits(scheduled_arguments_bytes_max=100))
    with pytest.raises(ScheduledFunctionsArgumentsTooLarge) as large:
        usage.count_scheduled("x" * 101)
    assert large.value.message == (
        "Too large total size of the arguments of scheduled functions from this mutation (limit: 100 bytes)"
    )


def test_a_cap_lowers_ceilings_and_lifting_it_keeps_what_was_used() -> None:
    usage = Usage(Limits(documents_read_max=5, documents_written_max=5))
    usage.count_read("x")
    before = usage.lower({"documents_read": 2, "documents_written": 9}, intervals=0)
    assert (usage.documents_left, usage.most.documents_written_max) == (2, 5), "never more than is left"
    usage.count_read("x")
    usage.count_read("x")
    with pytest.raises(TooManyDocumentsRead) as caught:
        usage.count_read("x")
    assert caught.value.detail == "[with_limits(documents_read), observed 3, limit 2]"
    usage.lift(before)
    assert (usage.documents_read, usage.documents_left) == (4, 1)
    usage.count_read("x")
    with pytest.raises(TooManyDocumentsRead) as caught:
        usage.count_read("x")
    assert caught.value.detail == "[setting documents_read_max, observed 6, limit 5]"


def test_a_cap_within_a_cap_counts_where_it_is_lower() -> None:
    usage = Usage(Limits())
    outer = usage.lower({"bytes_read": 10}, intervals=0)
    usage.count_read("x" * 6)
    inner = usage.lower({"bytes_read": 100}, intervals=0)
    with pytest.raises(TooManyBytesRead) as caught:
        usage.count_read("x" * 6)
    assert (caught.value.observed, caught.value.limit) == (12, 10)
    usage.lift(inner)
    usage.lift(outer)
    assert usage.most.bytes_read_max == Limits().bytes_read_max


def test_separate_ranges_can_be_capped() -> None:
    world = World()
    try:
        ids = world.insert("t", *({"n": n} for n in range(20)))

        def body(tx: WriteTransaction) -> None:
            for id in ids[:5]:
                tx.get(id)
            with tx.capped({"database_queries": 3}):
                for id in ids[:8]:
                    tx.get(id)
                with pytest.raises(TooManyReads) as caught:
                    tx.get(ids[8])
            assert caught.value.limit == 3
            for id in ids:
                tx.get(id)

        world.mutate(body)
    finally:
        world.close()


def test_each_limit_has_its_sentence_when_four_fifths_are_used() -> None:
    limits = Limits(
        documents_read_max=10,
        bytes_read_max=100,
        intervals_read_max=5,
        documents_written_max=20,
        bytes_written_max=200,
    )
    usage = Usage(limits)
    assert not usage.is_near_a_limit(parts=3)
    assert not any(measure.is_near for measure in usage.measures(intervals=3))
    for _ in range(8):
        usage.count_read("x" * 10)
    for _ in range(16):
        usage.count_write("x" * 10)
    assert usage.is_near_a_limit(parts=0)
    assert usage.is_near_a_limit(parts=4)
    here = "in a single function execution"
    assert [measure.warning for measure in usage.measures(intervals=4) if measure.is_near] == [
        f"Many documents read {here} (actual: 8, limit: 10). {HELP}",
        f"Many reads {here} (actual: 4, limit: 5). {HELP}",
        f"Many bytes read {here} (actual: 80 bytes, limit: 100 bytes). {HELP}",
        f"Many writes {here} (actual: 16, limit: 20). {HELP}",
        f"Many bytes written {here} (actual: 160 bytes, limit: 200 bytes). {HELP}",
    ]
    assert (usage.documents_left, usage.bytes_left) == (2, 20)

"""The checker: clean for what a serial database could have given, and each anomaly found by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.isolation.checker import check, names, report
from tests.isolation.circles import Why, name_of
from tests.isolation.history import Append, History, Kind, Operation, Outcome, Read, shown
from tests.isolation.serial_histories import has_serial_order, serial_history

seeds = st.integers(0, 2**32)


def mutation(
    name: str, *steps: Append | Read, at: int = 1, ended: int = 900, ts: int | None = None
) -> Operation:
    """A mutation; without times it overlaps with everything."""
    return Operation(name, name, Kind.MUTATION, steps, at, ended, ts=ts)


def seen(
    name: str,
    ts: int | None = None,
    *,
    session: str | None = None,
    begun: int | None = None,
    ended: int = 901,
    **lists: str,
) -> Operation:
    """A transition that shows lists of one letter values."""
    reads = tuple(Read(key, tuple(values)) for key, values in lists.items())
    return Operation(name, session or name, Kind.TRANSITION, reads, begun, ended, ts=ts)


def append(value: str, *, key: str = "x", at: int = 1, ended: int = 900, ts: int | None = None) -> Operation:
    return mutation(f"T{value}", Append(key, value), at=at, ended=ended, ts=ts)


A = append("a", at=1, ended=2, ts=10)
B = append("b", at=3, ended=4, ts=20)


def test_a_sound_history_has_no_anomaly() -> None:
    history = History(
        [A, B, seen("r", 10, x="a"), seen("r", 20, x="ab"), seen("r", 25, begun=8, ended=9, x="ab")]
    )
    assert check(history) == []
    assert report([]) == "no anomalies"


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("lost append", [A, seen("r", begun=5, x="")]),
        ("lost append", [A, seen("r", 10, x="")]),
        ("doubled append", [A, seen("r", x="aa")]),
        ("phantom append", [A, seen("r", x="ac")]),
        ("misdirected read", [A, seen("r", y="a")]),
        ("forked order", [A, B, seen("r", x="ab"), seen("q", x="ba")]),
        ("time went back", [A, B, seen("1", 20, session="r", x="ab"), seen("2", 10, session="r", x="a")]),
        ("time went back", [A, B, seen("1", session="r", x="ab"), seen("2", session="r", x="a")]),
        ("stale read", [A, B, seen("r", 20, x="a"), seen("q", 20, x="ab")]),
        ("stale read", [A, B, seen("r", 20, x="a")]),
        ("read from the future", [A, B, seen("r", 10, x="ab")]),
        ("reused timestamp", [A, append("b", ts=10)]),
        ("timestamps out of order", [append("a", ts=20), append("b", ts=10), seen("r", x="ab")]),
        ("timestamps out of order", [append("a", ended=2, ts=20), append("b", at=3, key="y", ts=10)]),
        ("internal", [mutation("T", Read("x", ()), Append("x", "a"), Read("x", ()))]),
        ("internal", [mutation("T", Append("x", "a"), Read("x", ("b",)))]),
        ("internal", [mutation("T", Read("x", ("a",)), Read("x", ())), A]),
        ("G1a", [replace(A, outcome=Outcome.FAILED), seen("r", x="a")]),
        ("G1a", [replace(B, taken_back=(Append("x", "l"),)), seen("r", x="l")]),
        ("G1b", [mutation("T", Append("x", "a"), Append("x", "b")), seen("r", x="a"), seen("q", x="ab")]),
        (
            "lost update",
            [
                mutation("T", Read("x", ()), Append("x", "a"), Read("x", ("a",))),
                mutation("S", Read("x", ()), Append("x", "b"), Read("x", ("b",))),
            ],
        ),
        # Two mutations stand in one order in one list, and in the other in the other.
        (
            "G0",
            [
                mutation("T", Append("x", "a"), Append("y", "c")),
                mutation("S", Append("x", "b"), Append("y", "d")),
                seen("r", x="ab"),
                seen("q", y="dc"),
            ],
        ),
        # Each was shown what the other wrote.
        (
            "G1c",
            [
                mutation("T", Append("x", "a"), Read("y", ("b",))),
                mutation("S", Append("y", "b"), Read("x", ("a",))),
            ],
        ),
        # Read skew: the half of a mutation.
        (
            "G-single",
            [mutation("T", Append("x", "a"), Append("y", "b")), seen("r", x="a", y=""), seen("q", y="b")],
        ),
        # Write skew: each was shown what the other had not written yet.
        (
            "G2",
            [
                mutation("T", Read("y", ()), Append("x", "a")),
                mutation("S", Read("x", ()), Append("y", "b")),
                seen("q", x="a", y="b"),
            ],
        ),
        # Two readers do not agree on what came first.
        (
            "G2",
            [append("a"), append("b", key="y"), seen("p", x="a", y=""), seen("q", x="", y="b")],
        ),
        ("G-single-realtime", [A, B, seen("r", begun=8, x="a"), seen("q", x="ab")]),
        # The value is in no other list: it is known to have been acknowledged all the same.
        ("G-single-realtime", [A, B, seen("r", begun=8, x="a")]),
        ("G0-realtime", [append("a", at=3, ended=4), append("b", at=1, ended=2), seen("r", x="ab")]),
        ("G1c-realtime", [append("a", at=8, ended=9), seen("r", ended=7, x="a")]),
        # Somebody was shown it, and somebody who asked after that was not.
        ("G-single-realtime", [append("a"), seen("r", ended=5, x="a"), seen("q", begun=6, x="")]),
        (
            "G-single-session",
            [
                append("a"),
                append("b", key="y"),
                mutation("T", Read("x", ("a",)), Append("y", "c")),
                seen("1", session="r", y="bc"),
                seen("2", session="r", x=""),
            ],
        ),
    ],
)
def test_an_anomaly_is_named(name: str, operations: list[Operation]) -> None:
    found = check(History(operations))
    assert name in names(found), report(found)
    assert name in report(found)


def test_a_circle_is_told_with_all_its_steps() -> None:
    found = check(History([A, B, seen("r", begun=8, x="a"), seen("q", x="ab")]))
    (circle,) = [anomaly for anomaly in found if anomaly.name == "G-single-realtime"]
    assert circle.text.splitlines() == [
        "",
        "    r -> Tb: r was shown x without what Tb appended (rw)",
        "    Tb -> r: Tb had ended before r began (rt)",
        "    r (transition, done): x = [a]",
        "    Tb (mutation, done at 20): append x b",
    ]


def test_of_a_long_circle_only_its_shortest_way_is_told() -> None:
    chain = [
        mutation(
            f"T{number}", Append(f"k{number}", f"v{number}"), Read(f"k{number + 1}", (f"v{number + 1}",))
        )
        for number in range(8)
    ]
    last = mutation("T8", Append("k8", "v8"), Read("k0", ("v0",)))
    short = [
        mutation("P", Append("p", "p"), Read("q", ("q",))),
        mutation("Q", Append("q", "q"), Read("p", ("p",))),
    ]
    circles = [each for each in check(History([*chain, last, *short])) if each.name == "G1c"]
    assert sorted(each.text.count("(wr)") for each in circles) == [2, 9]


def test_what_nobody_heard_of_may_have_happened_or_not() -> None:
    unknown = replace(A, outcome=Outcome.UNKNOWN, ended=None, ts=None)
    assert check(History([unknown, seen("r", begun=5, x="")])) == []
    assert check(History([unknown, seen("r", begun=5, x="a")])) == []


def test_a_long_list_is_shortened_where_it_is_printed() -> None:
    assert shown(("a", "b")) == "[a b]"
    assert shown(tuple("abcdefghijkl")) == "[6 more g h i j k l]"


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        ([Why.WW, Why.WW], "G0"),
        ([Why.WW, Why.WR], "G1c"),
        ([Why.WR, Why.RW], "G-single"),
        ([Why.RW, Why.WR, Why.RW], "G2"),
        ([Why.TIME, Why.RW], "G-single-realtime"),
        ([Why.SESSION, Why.RW], "G-single-session"),
    ],
)
def test_a_circle_is_named_by_its_edges(kinds: list[Why], name: str) -> None:
    assert name_of(kinds) == name


# Properties.


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_serial_history_is_clean(seed: int) -> None:
    found = check(serial_history(Random(seed)))
    assert not found, report(found)


def _spoiled(history: History, random: Random) -> History:
    """A small history in which some lists were shown as they were for others."""
    operations = []
    for operation in history.operations:
        steps = list(operation.steps)
        for place, step in enumerate(steps):
            if isinstance(step, Read) and random.random() < 0.3:
                others = [read for each in history.operations for read in each.reads if read.key == step.key]
                steps[place] = random.choice(others)
        operations.append(replace(operation, steps=tuple(steps), ts=None))
    return History(operations)


@given(seeds)
@settings(max_examples=400, deadline=None)
def test_it_says_of_small_histories_what_trying_all_orders_says(seed: int) -> None:
    random = Random(seed)
    history = _spoiled(serial_history(random, operations=random.randint(2, 7), keys=2), random)
    found = check(history)
    assert (not found) == has_serial_order(history), "\n".join(map(str, [*history.operations, report(found)]))


Edit = Callable[[History, Random], tuple[History, set[str]] | None]


def _with_steps(history: History, changed: dict[Operation, tuple[Append | Read, ...]]) -> History:
    return History(
        [replace(each, steps=changed[each]) if each in changed else each for each in history.operations]
    )


def _everywhere(history: History, key: str, edit: Callable[[tuple[str, ...]], tuple[str, ...]]) -> History:
    return _with_steps(
        history,
        {
            each: tuple(
                Read(key, edit(step.values)) if isinstance(step, Read) and step.key == key else step
                for step in each.steps
            )
            for each in history.operations
        },
    )


def _done(history: History) -> list[Operation]:
    return [each for each in history.operations if each.outcome is Outcome.DONE and any(each.appends)]


def lose(history: History, random: Random) -> tuple[History, set[str]] | None:
    key, value = random.choice([append for each in _done(history) for append in each.appends])
    return _everywhere(history, key, lambda values: tuple(each for each in values if each != value)), {
        "lost append"
    }


def double(history: History, random: Random) -> tuple[History, set[str]] | None:
    key, value = random.choice([append for each in _done(history) for append in each.appends])
    return (
        _everywhere(history, key, lambda values: (*values, value) if value in values else values),
        {"doubled append"},
    )


def show_failed(history: History, random: Random) -> tuple[History, set[str]] | None:
    failed = [each for each in history.operations if each.outcome is Outcome.FAILED and any(each.appends)]
    if not failed:
        return None
    key, value = next(random.choice(failed).appends)
    last = history.operations[-1]
    steps = tuple(Read(step.key, (*step.values, value)) if step.key == key else step for step in last.reads)
    return _with_steps(history, {last: steps}), {"G1a"}


def show_stale(history: History, random: Random) -> tuple[History, set[str]] | None:
    """The last query of all is answered without the newest append to a list: from a cache, say."""
    last = history.operations[-1]
    reads = [read for read in last.reads if read.values]
    writers = {append.value: each for each in _done(history) for append in each.appends}
    reads = [read for read in reads if read.values[-1] in writers]
    if not reads:
        return None
    stale = random.choice(reads)
    steps = tuple(Read(read.key, read.values[:-1]) if read is stale else read for read in last.reads)
    # Which of these it is depends on what else the mutation wrote, and on who else saw it.
    names = {"G-single", "G-single-session", "G-single-realtime", "G1b", "lost append"}
    return _with_steps(history, {last: steps}), names


def swap(history: History, random: Random) -> tuple[History, set[str]] | None:
    long = [(each, read) for each in history.operations[:-1] for read in each.reads if len(read.values) > 1]
    if not long:
        return None
    operation, read = random.choice(long)
    spoiled = Read(read.key, (*read.values[:-2], read.values[-1], read.values[-2]))
    steps = tuple(spoiled if step is read else step for step in operation.steps)
    return _with_steps(history, {operation: steps}), {"forked order"}


def reuse_ts(history: History, random: Random) -> tuple[History, set[str]] | None:
    one, other = random.sample(_done(history), 2)
    changed = replace(other, ts=one.ts)
    return History([changed if each is other else each for each in history.operations]), {"reused timestamp"}


def age(history: History, random: Random) -> tuple[History, set[str]] | None:
    """A transition shows one of its lists as it was before the newest append that is known to be older."""
    found = [
        (each, read)
        for each in history.operations
        if each.kind is Kind.TRANSITION
        for read in each.reads
        if read.values
        and any(read.values[-1] in [a.value for a in other.appends] for other in _done(history))
    ]
    if not found:
        return None
    operation, read = random.choice(found)
    steps = tuple(Read(read.key, read.values[:-1]) if step is read else step for step in operation.steps)
    return _with_steps(history, {operation: steps}), {"stale read"}


def go_back(history: History, random: Random) -> tuple[History, set[str]] | None:
    """A session is shown again, at the end, what it was shown when it began."""
    first = next((each for each in history.operations if each.kind is Kind.TRANSITION and each.ts), None)
    later = [
        each
        for each in history.operations
        if first is not None and each.session == first.session and each.kind is Kind.TRANSITION
    ]
    if first is None or later[-1].ts == first.ts:
        return None
    return History([*history.operations, replace(first, begun=None, ended=99_999)]), {"time went back"}


def mix_up(history: History, random: Random) -> tuple[History, set[str]] | None:
    """A list is answered with another: a cache that takes two questions for one."""
    last = history.operations[-1]
    one, other = random.sample(list(last.reads), 2)
    if not other.values:
        return None
    mixed = tuple(Read(one.key, other.values) if read is one else read for read in last.reads)
    changed = _with_steps(history, {last: mixed})
    return changed, {"misdirected read", "forked order", "lost append"}


def base_on_one_version(history: History, random: Random) -> tuple[History, set[str]] | None:
    """Two mutations read a list, then both append to it."""
    both = tuple(
        Operation(name, name, Kind.MUTATION, (Read("z", ()), Append("z", name)), 1, 99_999) for name in "pq"
    )
    return History([*history.operations, *both]), {"lost update"}


EDITS = [lose, double, show_failed, show_stale, swap, reuse_ts, age, go_back, mix_up, base_on_one_version]


@pytest.mark.parametrize("edit", EDITS)
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_an_edit_of_a_sound_history_is_found(edit: Edit, seed: int) -> None:
    random = Random(seed)
    edited = edit(serial_history(random), random)
    if edited is not None:
        history, expected = edited
        found = check(history)
        assert names(found) & expected, report(found)


def test_thousands_of_operations_are_checked_in_the_time_of_a_few_passes() -> None:
    # Not timed: a checker that compared all pairs would take minutes here.
    assert check(serial_history(Random(1), operations=6_000, keys=60)) == []

"""What the house counts of itself."""

from __future__ import annotations

from rewake.tallies import FUNCTIONS_MAX, POOLED, SECONDS, Histogram, Tallies


def known(path: str, kind: str) -> str | None:
    """Every function of the module `m`, in two spellings."""
    return path.replace(".js:", ":") if path.startswith("m") else None


def tallies() -> Tallies:
    made = Tallies()
    made.naming = known
    return made


def test_values_are_counted_below_the_first_bound_that_is_not_less() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert (histogram.count, histogram.total) == (5, 7.5)


def test_runs_are_counted_by_function_in_any_spelling() -> None:
    made = tallies()
    made.ran([("m:f", "query", 0.002, False), ("m.js:f", "query", 0.2, True)])
    made.hit("m:f")
    made.invalidated("m.js:f")
    (tally,) = made.functions()
    assert (tally.name, tally.kind) == ("m:f", "query")
    assert (tally.successes, tally.failures, tally.hits, tally.invalidations) == (1, 1, 1, 1)
    assert tally.seconds.count == 2
    assert tally.seconds.counts[SECONDS.index(0.0025)] == 1


def test_what_strangers_make_up_is_pooled_and_leaves_nothing_behind() -> None:
    made = tallies()
    for number in range(5000):
        made.ran([(f"stranger{number}:f", "mutation", 0.0, True)])
    (tally,) = made.functions()
    assert (tally.name, tally.failures) == (POOLED, 5000)
    assert len(made._by_path) == 0


def test_functions_over_the_bound_are_pooled() -> None:
    made = tallies()
    for number in range(FUNCTIONS_MAX + 10):
        made.ran([(f"m{number}:f", "query", 0.0, False)])
    names = [tally.name for tally in made.functions()]
    assert len(names) == FUNCTIONS_MAX + 1
    assert sum(tally.successes for tally in made.functions()) == FUNCTIONS_MAX + 10

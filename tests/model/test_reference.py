"""The engine against the reference: random schemas, documents, queries, pages, mutations and pushes.

Each step goes to both and must come to the same; then every live query must show what the reference and a
fresh run say, and must have woken if and only if the reference's own reads were touched (`machine.py`).

    REWAKE_MODEL=long                                  many more examples, longer ones, another seed
    REWAKE_MODEL_SEED=5 REWAKE_MODEL_EXAMPLES=1000     look elsewhere, and as long as you like

Hypothesis shortens what goes wrong; the failure ends with it as a script that can be run (`script.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from rewake.database import ReadSet, ReadTransaction, WriteTransaction
from rewake.database.read_set import ReadRecorder
from rewake.errors import RewakeError
from rewake.execution import Host
from rewake.reactivity.wake_index import WakeIndex
from rewake.storage import LogWrite, WriterStore
from rewake.values import UNSET, compare
from tests.model.machine import Machine
from tests.model.order import order_key
from tests.model.strategies import VALUES

IS_LONG = os.environ.get("REWAKE_MODEL") == "long"
SEED = int(os.environ.get("REWAKE_MODEL_SEED", "1" if IS_LONG else "0"))
EXAMPLES = int(os.environ.get("REWAKE_MODEL_EXAMPLES", "1000" if IS_LONG else "60"))
STEPS = 40 if IS_LONG else 20


ROUND = 10
"""Examples in one run of Hypothesis, made independently of each other. Those that would follow are variations
of what it had, which find little here."""

SETTINGS = settings(
    max_examples=ROUND,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    verbosity=Verbosity.quiet,  # What happened is told by the script.
    suppress_health_check=list(HealthCheck),
)


def compare_both(examples: int, *phases: Phase) -> None:
    """Run the machine; `phases` leaves out shrinking where nobody reads the counterexample."""
    for number in range(max(1, examples // ROUND)):
        compare_round(SEED * 10_000 + number, *phases)


def compare_round(number: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(SETTINGS, phases=phases or (Phase.generate, Phase.shrink)),
    )


def counted(what: str, kind: str | None = None) -> int:
    return sum(
        count
        for (each, counted_as), count in Machine.counted.items()
        if counted_as == what and kind in (each, None)
    )


def precision() -> str:
    """What was counted: one line for each kind of query, and all together."""
    lines = [f"{'live queries, by kind':24} {'woken':>7} {'unnecessary':>12} {'spared':>7}"]
    kinds = sorted({kind for kind, _ in Machine.counted})
    for kind in [*kinds, None]:
        woken, unnecessary, spared = (counted(name, kind) for name in ("woken", "unnecessary", "spared"))
        share = f"{unnecessary / woken:.1%}" if woken else "-"
        lines.append(f"{kind or 'all':24} {woken:7} {unnecessary:6} {share:>5} {spared:7}")
    return "\n".join(lines)


@pytest.mark.slow
def test_the_engine_and_the_reference_never_differ(record_property: Callable[[str, object], None]) -> None:
    Machine.counted.clear()
    print(f"REWAKE_MODEL_SEED={SEED} REWAKE_MODEL_EXAMPLES={EXAMPLES}")
    try:
        compare_both(EXAMPLES)
    finally:
        record_property("model summary", f"seed {SEED}, {EXAMPLES} examples\n{precision()}")
    # Lively enough to mean something.
    assert counted("woken") > EXAMPLES
    # Promise 5, without exceptions: nobody is woken who did not read what was written.
    assert counted("unnecessary") == 0


class Planted:
    """Faults that the model must find, each planted into the house with `monkeypatch`."""

    @staticmethod
    def forgotten_wakes(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(WakeIndex, "touched", lambda self, row: set())

    @staticmethod
    def wide_reads(patch: pytest.MonkeyPatch) -> None:
        """What is recorded goes on to the end of the index."""
        exact = ReadRecorder.read_set

        def wide(self: Any) -> ReadSet:
            known = exact(self).intervals
            return ReadSet({index: [(lower, None) for lower, _ in parts] for index, parts in known.items()})

        patch.setattr(ReadRecorder, "read_set", wide)

    @staticmethod
    def short_scans(patch: pytest.MonkeyPatch) -> None:
        scan = ReadTransaction.scan

        def short(self: Any, *args: Any, **options: Any) -> Any:
            found = list(scan(self, *args, **options))
            return iter(found[:-1] if len(found) > 1 else found)

        patch.setattr(ReadTransaction, "scan", short)

    @staticmethod
    def kept_parts(patch: pytest.MonkeyPatch) -> None:
        """A failed part of a mutation is kept."""
        patch.setattr(WriterStore, "drop_part", WriterStore.keep_part)

    @staticmethod
    def lost_old_keys(patch: pytest.MonkeyPatch) -> None:
        """The log does not say where a document was."""
        log_writes = WriteTransaction.log_writes

        def without(self: Any) -> tuple[LogWrite, ...]:
            return tuple(
                LogWrite(
                    each.tablet, each.id, each.old, each.new, tuple((i, None, new) for i, _, new in each.keys)
                )
                for each in log_writes(self)
            )

        patch.setattr(WriteTransaction, "log_writes", without)

    @staticmethod
    def loose_pages(patch: pytest.MonkeyPatch) -> None:
        """Pages do not keep their ends."""
        patch.setattr(Host, "journal", None)

    @staticmethod
    def lost_entries(patch: pytest.MonkeyPatch) -> None:
        """An update leaves the old index entry."""
        patch.setattr(WriterStore, "delete_entry", lambda self, index_id, key: None)


@pytest.mark.parametrize("fault", [name for name in vars(Planted) if not name.startswith("_")])
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    getattr(Planted, fault)(monkeypatch)
    with pytest.raises((AssertionError, RewakeError)) as found:
        compare_both(100, Phase.generate)
    print(found.value)


def test_the_script_of_an_example_runs() -> None:
    """What a failure ends with is a program that says the same."""
    scripts: list[str] = []

    class Told(Machine):
        def teardown(self) -> None:
            super().teardown()
            scripts.append(self.script.text())

    run_state_machine_as_test(
        seed(SEED)(Told), settings=settings(SETTINGS, max_examples=4, phases=[Phase.generate])
    )
    assert any("nest(" in text for text in scripts)
    for text in scripts:
        space: dict[str, Any] = {}
        try:
            exec(compile(text, "script", "exec"), space)
        finally:
            if "backend" in space:
                space["backend"].close()


def test_the_reference_orders_as_the_house_does() -> None:
    everything = [UNSET, *VALUES]
    for one in everything:
        for other in everything:
            expected = (order_key(one) > order_key(other)) - (order_key(one) < order_key(other))
            assert compare(one, other) == expected, (one, other)

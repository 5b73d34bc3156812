"""Which table has which number after an import."""

from __future__ import annotations

import pytest

from rewake.database.catalog import EMPTY_CATALOG, Catalog
from rewake.database.import_numbers import (
    ImportNumberForeign,
    ImportNumberInvalid,
    ImportNumberTaken,
    NumberPlan,
    Wanted,
    plan_numbers,
)
from rewake.database.table import Table


def _catalog(**numbers: int) -> Catalog:
    catalog = EMPTY_CATALOG
    for tablet, (name, number) in enumerate(numbers.items(), 1000):
        catalog = catalog.with_table(Table(name, number, tablet, 10 * tablet, 10 * tablet + 1))
    return catalog


def _plan(
    catalog: Catalog, *wanted: Wanted, full: frozenset[str] = frozenset(), storage: int | None = None
) -> NumberPlan:
    return plan_numbers(
        catalog,
        list(wanted),
        storage_number=storage,
        is_emptied=lambda name: not name.startswith("_") and name not in full,
    )


def test_tables_take_the_numbers_of_the_file_also_crosswise() -> None:
    catalog = _catalog(a=10_001, b=10_002)
    plan = _plan(catalog, Wanted("a", False, 10_002), Wanted("b", False, 10_001), Wanted("c", False, 10_009))
    assert plan == NumberPlan({"a": 10_002, "b": 10_001, "c": 10_009}, ())


def test_without_ids_a_table_keeps_its_number_or_gets_a_fresh_one() -> None:
    catalog = _catalog(a=10_001)
    assert _plan(catalog, Wanted("a", False, None), Wanted("b", False, None)).numbers == {
        "a": 10_001,
        "b": None,
    }
    taken = _plan(catalog, Wanted("a", False, None), Wanted("b", False, 10_001))
    assert taken == NumberPlan({"a": None, "b": 10_001}, ())


def test_an_empty_table_makes_room_and_a_full_one_does_not() -> None:
    catalog = _catalog(a=10_001)
    assert _plan(catalog, Wanted("b", False, 10_001)).renumbered == ("a",)
    with pytest.raises(ImportNumberTaken, match='the number of the table "a" here'):
        _plan(catalog, Wanted("b", False, 10_001), full=frozenset("a"))


def test_a_table_that_keeps_documents_keeps_its_number() -> None:
    catalog = _catalog(a=10_001)
    assert _plan(catalog, Wanted("a", True, None)).numbers == {"a": 10_001}
    with pytest.raises(ImportNumberForeign, match=r"their number is 10001"):
        _plan(catalog, Wanted("a", True, 10_002))


@pytest.mark.parametrize("number", [0, 1, 512, 10_000, 2**31 + 1])
def test_numbers_of_the_system_and_beyond_are_refused(number: int) -> None:
    with pytest.raises(ImportNumberInvalid, match="lie between"):
        _plan(EMPTY_CATALOG, Wanted("a", False, number))


def test_two_tables_of_one_number_are_refused() -> None:
    with pytest.raises(ImportNumberInvalid, match='"a" has it too'):
        _plan(EMPTY_CATALOG, Wanted("a", False, 10_001), Wanted("b", False, 10_001))


def test_files_of_elsewhere_keep_the_number_of_their_ids() -> None:
    assert _plan(EMPTY_CATALOG, storage=540).renumbered == ()
    with pytest.raises(ImportNumberTaken):
        _plan(EMPTY_CATALOG, storage=513)
    with pytest.raises(ImportNumberInvalid, match='"_storage" has it too'):
        _plan(EMPTY_CATALOG.with_storage_numbers(frozenset({10_001})), Wanted("a", False, 10_001))

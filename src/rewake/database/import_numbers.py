"""Table numbers of an import: which number each table has afterwards, so that ids of the archive stay good.

Floor 2, `database`. Decided when the import begins and once more when it ends, by the same function. Pure:
a catalog and what the archive says in, a plan or a refusal out.

    a table that keeps documents   keeps its number; ids of the archive must be of that number
    any other that is imported     gets the archive's number: named there, or that of its ids
    whoever has that number        is imported too, or empty and gets another; else the import is refused

Not here: giving the numbers (`importing.py`). Source: wire 7.7; semantics 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from rewake.database.catalog import STORAGE, Catalog
from rewake.errors import Conflict, InvalidInput
from rewake.limits import USER_TABLE_NUMBER_MIN

NUMBER_MAX = 2**31
"""Numbers of new tables follow the highest; so an archive cannot use them all up."""


class ImportNumberTaken(Conflict):
    """Another table has the number that the ids of the archive have. Import that one too, or replace all."""

    code = "ImportNumberTaken"
    template = (
        'Ids of the table "{table}" in the file have the table number {number}, which is the number of the '
        'table "{holder}" here. Import with `--replace-all`, or import "{holder}" in the same archive.'
    )


class ImportNumberForeign(Conflict):
    """Rows that are added must have ids of the table that they are added to, or none."""

    code = "ImportNumberForeign"
    template = (
        'Ids of the table "{table}" in the file have the table number {number}; here it has documents, and '
        "their number is {kept}. Leave `_id` out of the rows, or replace the table."
    )


class ImportNumberInvalid(InvalidInput):
    """The number cannot be that of a table of an application."""

    code = "ImportNumberInvalid"
    template = 'The table "{table}" of the file has the table number {number}; {detail}.'


class Wanted(msgspec.Struct, frozen=True):
    """A table of an import."""

    name: str
    keeps: bool
    """It has documents, and they stay."""
    number: int | None
    """What the archive says, or the ids in it."""


class NumberPlan(msgspec.Struct, frozen=True):
    """Which numbers there are afterwards."""

    numbers: Mapping[str, int | None]
    """Of the tables of the import; None: a fresh one."""
    renumbered: tuple[str, ...]
    """Empty tables that make room."""


def plan_numbers(
    catalog: Catalog,
    wanted: list[Wanted],
    *,
    storage_number: int | None,
    is_emptied: Callable[[str], bool],
) -> NumberPlan:
    """Decide. `is_emptied` says of a table that is not imported that it has no documents afterwards.

    Raises:
        ImportNumberTaken, ImportNumberForeign, ImportNumberInvalid.
    """
    numbers: dict[str, int | None] = {}
    given: dict[int, str] = dict.fromkeys(catalog.storage_numbers, STORAGE.name)
    if storage_number is not None and storage_number != STORAGE.number:
        _check(STORAGE.name, storage_number, given={})
        given[storage_number] = STORAGE.name
    for table in wanted:
        existing = catalog.tables.get(table.name)
        number = table.number
        if existing is not None and table.keeps:
            if number not in (None, existing.number):
                raise ImportNumberForeign(table=table.name, number=number, kept=existing.number)
            number = existing.number
        elif number is not None:
            _check(table.name, number, given=given)
        if number is not None:
            given[number] = table.name
        numbers[table.name] = number
    for table in wanted:
        # Without ids of its own a table keeps its number, unless another needs it.
        existing = catalog.tables.get(table.name)
        if numbers[table.name] is None and existing is not None and existing.number not in given:
            numbers[table.name] = existing.number
            given[existing.number] = table.name
    renumbered = []
    for number, name in given.items():
        holder = catalog.numbers.get(number)
        if holder is None or holder.name in numbers or holder.name == name:
            continue
        if not is_emptied(holder.name):
            raise ImportNumberTaken(table=name, number=number, holder=holder.name)
        renumbered.append(holder.name)
    return NumberPlan(numbers, tuple(renumbered))


def _check(name: str, number: int, *, given: Mapping[int, str]) -> None:
    least = 1 if name == STORAGE.name else USER_TABLE_NUMBER_MIN
    if not least <= number <= NUMBER_MAX:
        detail = f"those of applications lie between {USER_TABLE_NUMBER_MIN} and {NUMBER_MAX}"
        raise ImportNumberInvalid(table=name, number=number, detail=detail)
    if number in given and given[number] != name:
        raise ImportNumberInvalid(table=name, number=number, detail=f'"{given[number]}" has it too')

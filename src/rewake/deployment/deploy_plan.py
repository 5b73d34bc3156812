"""What a deploy would change: the code that serves compared with the code that was sent.

Floor 5, `deployment`. Made of two analyses and of what is counted in the data, without running or changing
anything. `destructive` are the sentences that a person should have read before the switch.

Not here: making the analysis (`execution`), who asks (`deploys.py`), how it is shown (`cli`).
Source: semantics 2.5, 10.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rewake.database import Survey
from rewake.execution import Analysis
from rewake.schema import variables_from_json

_NAMES_KEPT_MAX = 40
_PLAIN = ("functions", "routes", "crons", "auth")


class TableChange(msgspec.Struct, frozen=True):
    """A table, and how many documents it has."""

    name: str
    documents: int


class IndexChange(msgspec.Struct, frozen=True, rename="camel"):
    """An index, and how many documents its table has."""

    name: str
    documents: int
    is_staged: bool = False


class Changed(msgspec.Struct, frozen=True):
    """Names of one kind of thing, in order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class PlannedChanges(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that a deploy changes."""

    functions: Changed = Changed()
    routes: Changed = Changed()
    crons: Changed = Changed()
    auth: Changed = Changed()
    tables_added: tuple[str, ...] = ()
    tables_removed: tuple[TableChange, ...] = ()
    """The schema names them no more; their documents stay."""
    tables_checked: tuple[TableChange, ...] = ()
    """Their documents are read, to see whether they fit."""
    indexes_added: tuple[IndexChange, ...] = ()
    indexes_removed: tuple[IndexChange, ...] = ()
    variables_declared: tuple[str, ...] = ()
    variables_missing: tuple[str, ...] = ()
    """Required, and not set: the deploy is refused until they are."""
    variables_refused: tuple[str, ...] = ()
    """Set to what they may not be."""
    destructive: tuple[str, ...] = ()
    """What somebody may miss afterwards, as sentences."""

    @property
    def summary(self) -> str:
        """As JSON for the history: names, but not all of very many."""
        kinds: dict[str, Any] = {}
        for kind in _PLAIN:
            names: Changed = getattr(self, kind)
            kinds[kind] = {sign: _few(getattr(names, sign)) for sign in ("added", "changed", "removed")}
        kinds["tables"] = {
            "added": _few(self.tables_added),
            "removed": _few(each.name for each in self.tables_removed),
        }
        kinds["indexes"] = {
            "added": _few(each.name for each in self.indexes_added),
            "removed": _few(each.name for each in self.indexes_removed),
        }
        return msgspec.json.encode(
            {kind: told for kind, signs in kinds.items() if (told := {k: v for k, v in signs.items() if v})}
        ).decode()


def planned_changes(
    before: Analysis,
    after: Analysis,
    *,
    survey: Survey,
    counts: Mapping[str, int],
    variables: Mapping[str, str],
) -> PlannedChanges:
    """Compare two versions of a project. `survey` is of the new schema against the data, `counts` are the
    documents of tables, by name, and `variables` those that are set.
    """
    functions = _changed(
        {each.path.public: before.code_hash(each.path.public) for each in before.functions},
        {each.path.public: after.code_hash(each.path.public) for each in after.functions},
    )
    crons = _changed(_crons(before), _crons(after))
    indexes, wanted = _indexes(before), _indexes(after)
    added = tuple(
        IndexChange(name, counts.get(name.partition(".")[0], 0), staged)
        for name, (_, staged) in sorted(wanted.items())
        if indexes.get(name) != wanted[name]
    )
    removed = tuple(
        IndexChange(name, counts.get(name.partition(".")[0], 0))
        for name in sorted(indexes)
        if name not in wanted or indexes[name][0] != wanted[name][0]
    )
    gone = sorted(set(before.table_names) - set(after.table_names))
    declared = variables_from_json(after.variables)
    return PlannedChanges(
        functions=functions,
        routes=_changed(_routes(before), _routes(after)),
        crons=crons,
        auth=_changed(
            dict.fromkeys(map(str, before.auth_providers)), dict.fromkeys(map(str, after.auth_providers))
        ),
        tables_added=tuple(sorted(set(after.table_names) - set(before.table_names))),
        tables_removed=tuple(TableChange(name, counts.get(name, 0)) for name in gone),
        tables_checked=tuple(TableChange(name, counts.get(name, 0)) for name in survey.to_check),
        indexes_added=added,
        indexes_removed=removed,
        variables_declared=tuple(sorted(declared)),
        variables_missing=tuple(
            sorted(name for name, each in declared.items() if each.is_required and name not in variables)
        ),
        variables_refused=tuple(
            sorted(
                name
                for name, value in variables.items()
                if name in declared and not declared[name].takes(value)
            )
        ),
        destructive=tuple(_destructive(functions, crons, removed, wanted)),
    )


def _destructive(
    functions: Changed, crons: Changed, indexes: tuple[IndexChange, ...], wanted: Mapping[str, Any]
) -> Iterable[str]:
    for index in indexes:
        if index.documents:
            what = "is built anew with other fields" if index.name in wanted else "is dropped"
            yield f"The index {index.name}, which {index.documents:,} documents are in, {what}."
    for name in functions.removed:
        yield f"The function {name} is removed: clients and scheduled calls that name it will fail."
    for name in crons.removed:
        yield f"The cron {name} is removed, with what is known of its runs."


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changed:
    return Changed(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(name for name in after.keys() & before.keys() if before[name] != after[name])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def _routes(analysis: Analysis) -> dict[str, None]:
    specs = [route.to_spec() for route in analysis.routes or ()]
    return {f"{spec['method']} {spec['path']}": None for spec in specs}


def _crons(analysis: Analysis) -> dict[str, Any]:
    return {cron.identifier: cron for cron in analysis.crons}


def _indexes(analysis: Analysis) -> dict[str, tuple[tuple[str, ...], bool]]:
    """Fields, and whether it is staged, of every index by its name."""
    found = {}
    for table in analysis.schema["tables"]:
        for index in table.get("indexes", ()):
            found[f"{table['tableName']}.{index['indexDescriptor']}"] = (tuple(index["fields"]), False)
        for index in table.get("stagedDbIndexes", ()):
            found[f"{table['tableName']}.{index['indexDescriptor']}"] = (tuple(index["fields"]), True)
    return found


def _few(names: Iterable[str]) -> list[str]:
    every = list(names)
    rest = len(every) - _NAMES_KEPT_MAX
    return every[:_NAMES_KEPT_MAX] + ([f"and {rest} more"] if rest > 0 else [])

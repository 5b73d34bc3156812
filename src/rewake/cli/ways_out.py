"""Ways out when a schema change does not fit existing documents.

Floor 8, `cli`. The database refused the new schema and named a document (`SchemaMismatch`); this module says
what the author can do, with lines to paste for this table and this field:

    missing field   make it optional, or fill it in with a mutation first
    extra field     declare it as optional for as long as documents have it, or take it away with a mutation
    wrong type      accept both types for as long as documents have the old one

Not here: finding the mismatch (`database`), moving the data aside (`project_home.py`).
"""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from rewake.cli.call_lines import Part
from rewake.cli.failure import CommandFailed
from rewake.database import SchemaMismatch
from rewake.execution import DocumentSource

_MISSING = re.compile(r"missing the required field `([^`]+)`")
_EXTRA = re.compile(r"extra field `([^`]+)`")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class WayOut(msgspec.Struct, frozen=True):
    """One thing to do: a sentence, and code for it where there is some."""

    advice: str
    code: str = ""
    afterwards: str = ""


class MismatchReport(msgspec.Struct, frozen=True):
    """A mismatch for people: where it is, and the ways out."""

    table: str
    document: str
    field: str
    """Dotted, from the document down; empty where the document as a whole is wrong."""
    detail: str
    ways_out: tuple[WayOut, ...]


def mismatch_report(mismatch: SchemaMismatch) -> MismatchReport:
    """Describe `mismatch`."""
    fields = mismatch.fields
    detail, path = str(fields["detail"]), str(fields.get("path", ""))
    missing, extra = _MISSING.search(detail), _EXTRA.search(detail)
    named = missing or extra
    steps = [step for step in re.split(r"[.]", path.replace("[", ".[")) if step]
    field = ".".join([*steps, *([named[1]] if named else [])]).replace(".[", "[")
    source = fields.get("source")
    assert source is None or isinstance(source, DocumentSource)
    author = _Author(str(fields["table"]), field, source, old_type=_old_type(detail, field))
    if missing:
        ways = [author.optional(), author.migration("fill", "...")]
    elif extra:
        ways = [author.kept(), author.migration("drop", "UNSET")]
    else:
        ways = [author.both(), author.migration("convert", "...")]
    ways.append(WayOut("Or start with empty data; the old file is kept beside it:", "rewake dev --reset"))
    return MismatchReport(str(fields["table"]), str(fields["id"]), field, detail, tuple(ways))


def ways_out_lines(report: MismatchReport) -> list[list[Part]]:
    """The report as lines for the screen."""
    lines: list[list[Part]] = [
        [],
        [("    table     ", "dim"), (report.table, "bold")],
        [("    document  ", "dim"), (report.document, "bold")],
        [("    field     ", "dim"), (report.field or "(the document itself)", "bold")],
        [],
    ]
    lines += [[("    " + line, "")] for line in report.detail.rstrip("\n").split("\n")]
    for number, way in enumerate(report.ways_out, 1):
        lines += [[], [(f"    {number}. ", "green"), (way.advice, "")]]
        if way.code:
            lines += [[], *([(" " * 9 + line if line else "", "cyan")] for line in way.code.split("\n"))]
        if way.afterwards:
            lines += [[], [(" " * 7 + way.afterwards, "")]]
    return [*lines, []]


def mismatch_failure(mismatch: SchemaMismatch, *, offers_reset: bool = True) -> CommandFailed:
    """The same as an error that ends a command. `offers_reset`: empty data is a way out, too."""
    report = mismatch_report(mismatch)
    lines = ways_out_lines(report if offers_reset else replace(report, ways_out=report.ways_out[:-1]))
    return CommandFailed(
        "The schema does not fit a document that exists. Nothing was changed.",
        detail="\n".join("".join(text for text, _ in line)[2:] for line in lines),
    )


class _Author:
    """What the author wrote for a table, as far as it can be found, and what they could write instead."""

    def __init__(
        self, table: str, field: str, source: DocumentSource | None, *, old_type: str | None
    ) -> None:
        self._old_type = old_type
        self._table = table
        self._field = field
        self._top = re.split(r"[.\[]", field)[0]
        self._source = source
        self._hint = source.annotations.get(self._top) if source is not None else None

    @property
    def class_name(self) -> str | None:
        """The document class, where the table has one."""
        return self._source.class_name if self._source is not None else None

    def optional(self) -> WayOut:
        """Documents without the field are right as they are."""
        if self._is_nested or self.class_name is None:
            return WayOut(f"Make `{self._field}` optional where it is declared.")
        return WayOut(
            f"Make the field optional in {self.class_name} (`UNSET` and `Unset` come from rewake):",
            f"{self._top}: {self._hint or '...'} | Unset = UNSET",
        )

    def kept(self) -> WayOut:
        """The field may stay for now."""
        if self._is_nested or self.class_name is None:
            return WayOut(f"Keep `{self._field}` as an optional field until no document has it.")
        return WayOut(
            f"Keep the field in {self.class_name} as an optional one (`UNSET` and `Unset` come from rewake):",
            f"{self._top}: {self._old_type or 'Any'} | Unset = UNSET",
        )

    def both(self) -> WayOut:
        """The old type is accepted beside the new one for a while."""
        if self._is_nested or self.class_name is None or self._hint is None:
            return WayOut(f"Accept the old type of `{self._field}` as well where it is declared.")
        return WayOut(
            f"Accept the old type as well in {self.class_name}:",
            f"{self._top}: {self._hint} | {self._old_type or 'OLD_TYPE'}",
        )

    def migration(self, verb: str, value: str) -> WayOut:
        """A mutation that brings every document into the new form, to be run once the first way was taken."""
        one = re.sub(r"\W", "_", self._table.removesuffix("s") or self._table)
        name = re.sub(r"\W+", "_", f"{verb}_{self._table}_{self._top}").rstrip("_")
        if _IDENTIFIER.fullmatch(self._top):
            change = f"{self._top}={value}"
        else:
            change = f'{{"{self._top}": {value}}}' if self._top else "..."
        names = ["MutationCtx", "internal_mutation", *(["UNSET"] if value == "UNSET" else [])]
        lines = [
            f"from rewake import {', '.join(sorted(names, key=lambda each: (each != 'UNSET', each)))}",
            "",
        ]
        if self._source is not None:
            lines += [f"from .{self._source.module} import {self._source.class_name}", ""]
        identity = f"{one}.id" if self._source is not None else f'{one}["_id"]'
        lines += [
            "@internal_mutation",
            f"def {name}(ctx: MutationCtx) -> None:",
            f"    for {one} in ctx.db.query({self.class_name or repr(self._table)}):",
            f"        ctx.db.patch({identity}, {change})" + ("  # its new value" if value == "..." else ""),
        ]
        return WayOut(
            "After that, to bring the documents into the new form, save this as migrations.py beside the "
            "schema,",
            "\n".join(lines),
            f"call it with `rewake run migrations:{name}`, and take the first step back.",
        )

    @property
    def _is_nested(self) -> bool:
        return self._top != self._field or not self._top


def _old_type(detail: str, field: str) -> str | None:
    """The type hint for the value that stands in the document, as far as its rendering tells."""
    found = re.search(r"^Value: (.*)$", detail, re.MULTILINE)
    if found is not None:
        return _hint_of(found[1])
    found = re.search(rf"^Object: .*[{{ ]{re.escape(field)}: ([^,}}]*)", detail, re.MULTILINE)
    return _hint_of(found[1]) if found is not None else None


def _hint_of(rendered: str) -> str | None:
    if rendered in ("true", "false"):
        return "bool"
    if rendered == "null":
        return "None"
    if rendered.startswith('"'):
        return "str"
    if re.fullmatch(r"-?\d+n", rendered):
        return "Int64"
    return "float" if re.fullmatch(r"-?\d[\d.e+-]*", rendered) else None

"""Compatibility is proven, not claimed: the table of semantics names tests, and every exact text is quoted.

`docs/reference/semantics.md` has a row for each rule with its status and, where it works, the tests that show
it. `tests/semantics/texts.txt` has every exact text that applications know, and a test must quote each.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.source_tree import FUNCTION, ROOT, TESTS, files_of_tests

PAGE = ROOT / "docs" / "reference" / "semantics.md"
TEXTS = TESTS / "semantics" / "texts.txt"
STATUSES = ("works", "differs on purpose", "not yet")
SECTIONS = [
    *(f"1.{n}" for n in range(1, 9)),
    *(f"2.{n}" for n in range(1, 6)),
    *(f"3.{n}" for n in range(1, 10)),
    *(f"4.{n}" for n in range(1, 7)),
    *(f"5.{n}" for n in range(1, 10)),
    *(f"7.{n}" for n in range(1, 8)),
]
"""Each has rows of its own. Other sections have some where there is something to say."""


# The table.


@dataclass(frozen=True)
class Row:
    """One line of the page's tables."""

    section: str
    rule: str
    status: str
    proof: str

    @property
    def tests(self) -> list[str]:
        """The tests that it names, as `file::name`."""
        return re.findall(r"`(tests/[\w/.\[\]-]+(?:::[\w.\[\] -]+)?)`", self.proof)


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and re.fullmatch(r"\d+(\.\d+)?", cells[0]):
            found.append(Row(*cells))
    return found


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """Every test of a file, parametrised ones with and without what their parameters are called."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, FUNCTION) and node.name.startswith("test_"):
            names.add(node.name)
            names |= {f"{node.name}[{case}]" for case in _cases(node)}
    return frozenset(names)


def _cases(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The names of cases that stand in a decorator: `id="..."` of a `pytest.param`, and plain strings."""
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_test_that_the_table_names_exists() -> None:
    missing = []
    for row in rows():
        for named in row.tests:
            file, _, name = named.partition("::")
            path = ROOT / file
            if not path.is_file() or (name and name not in names_in(path)):
                missing.append(f"{row.section}: {named}")
    assert not missing, "\n".join(missing)


def test_every_row_has_one_of_three_statuses_and_what_it_asks_for() -> None:
    wrong = []
    for row in rows():
        if row.status not in STATUSES:
            wrong.append(f"{row.section} {row.rule}: no such status: {row.status}")
        elif row.status == "works" and not row.tests:
            wrong.append(f"{row.section} {row.rule}: works, and names no test")
        elif row.status != "works" and not row.proof:
            wrong.append(f"{row.section} {row.rule}: gives no reason")
    assert not wrong, "\n".join(wrong)


def test_every_section_has_a_row() -> None:
    assert [section for section in SECTIONS if section not in {row.section for row in rows()}] == []


def test_a_test_of_a_section_is_named_after_it() -> None:
    """`test_3_3_...` in `tests/semantics`: whoever reads a name finds the rule."""
    wrong = [
        f"{path.name}::{name}"
        for path in sorted((TESTS / "semantics").glob("test_*.py"))
        for name in sorted(names_in(path))
        if not re.match(r"test_[1-9]_\d+_", name)
    ]
    assert not wrong, "\n".join(wrong)


# The texts.


@dataclass(frozen=True)
class Text:
    """One line of the list."""

    section: str
    status: str
    template: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a quotation looks like: the parts may be anything, and `{ctx}` may be missing."""
        parts = re.split(r"(\{\w+\})", self.template.replace("\\n", "\n"))
        return re.compile(
            "".join(
                re.escape(part) if not i % 2 else rf"[^{_BETWEEN}]{'*' if part == '{ctx}' else '+'}?"
                for i, part in enumerate(parts)
            )
        )


_BETWEEN = "\x1e"
"""Stands between two strings of a test, so that no quotation reaches over their border."""


def texts() -> list[Text]:
    lines = TEXTS.read_text(encoding="utf-8").splitlines()
    return [Text(*line.split(" | ", 2)) for line in lines if line.strip() and not line.startswith("#")]


@functools.cache
def quotations() -> str:
    """Every string of the tests, docstrings and the house's own tests left out."""
    files = [path for path in files_of_tests() if path.parent.name != "house"]
    return _BETWEEN.join(string for path in files for string in _strings(path))


def _strings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = _named_texts(tree)
    parts: set[int] = set()
    for node in ast.walk(tree):  # From the outside in: an f-string comes before its parts.
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in ast.walk(node)}
            yield "".join(_filled_in(part, texts) for part in node.values)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings | parts
        ):
            yield node.value


def _named_texts(tree: ast.Module) -> dict[str, str]:
    """What names that stand for a text stand for: `HELP = "Consider ..."`."""
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _filled_in(part: ast.expr, texts: dict[str, str]) -> str:
    """One part of an f-string; what is only known at run time stands for anything."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return texts.get(part.value.id, "?") if isinstance(part.value, ast.Name) else "?"


def is_quoted(text: Text) -> bool:
    return text.pattern.search(quotations()) is not None


def test_every_line_of_the_list_has_a_status_that_is_known() -> None:
    wrong = [
        text
        for text in texts()
        if not re.fullmatch(r"quoted|by test_\w+\.py|(under way|never|not yet): .+", text.status)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_exact_text_is_quoted_by_a_test() -> None:
    missing = []
    for text in texts():
        named = re.fullmatch(r"by (test_\w+\.py)", text.status)
        is_due = text.status == "quoted" or (named and (TESTS / "semantics" / named[1]).is_file())
        if is_due and not is_quoted(text):
            missing.append(f"{text.section} ({text.status}): {text.template}")
    assert not missing, "\n".join(missing)


def test_what_cannot_be_met_yet_is_not_quoted() -> None:
    quoted = [
        f"{text.section}: {text.template}"
        for text in texts()
        if text.status.startswith("not yet") and is_quoted(text)
    ]
    assert not quoted, "change their status to `quoted`:\n" + "\n".join(quoted)

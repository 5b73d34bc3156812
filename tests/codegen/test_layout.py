"""Layout: one line where it fits, broken where it does not."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rewake.codegen.layout import WIDTH_MAX, Node, Part, Union, Word, generic, literal_object, render

LONG = Word("long" * 12)


def test_what_fits_stays_on_one_line() -> None:
    node = literal_object([Part("a: ", Word("number")), Part("b?: ", generic("Array", [Word("string")]))])
    assert render(node) == "{ a: number; b?: Array<string> }"


def test_an_object_without_fields_has_no_padding() -> None:
    assert render(literal_object([])) == "{}"


def test_a_bracket_that_does_not_fit_gives_each_part_a_line() -> None:
    node = generic("Pair", [LONG, LONG, LONG])
    assert render(node) == f"Pair<\n  {LONG.text},\n  {LONG.text},\n  {LONG.text}\n>"


def test_a_lone_object_hugs_its_bracket() -> None:
    node = generic("Array", [literal_object([Part("a: ", LONG), Part("b: ", LONG), Part("c: ", LONG)])])
    assert render(node) == f"Array<{{\n  a: {LONG.text};\n  b: {LONG.text};\n  c: {LONG.text};\n}}>"


def test_alternatives_that_do_not_fit_stand_behind_their_signs() -> None:
    node = literal_object([Part("a: ", Union((LONG, LONG, Word("null"))))])
    assert render(node) == f"{{\n  a:\n    | {LONG.text}\n    | {LONG.text}\n    | null;\n}}"


def test_alternatives_in_a_bracket_are_indented_once_more() -> None:
    node = generic("Array", [Union((LONG, LONG, LONG))])
    assert render(node) == "Array<\n" + "\n".join([f"    | {LONG.text}"] * 3) + "\n>"


def test_alternatives_inside_an_intersection_have_parentheses() -> None:
    inner = Union((Word("A"), Word("B")))
    assert render(Union((inner, Word("C")), sign="&")) == "(A | B) & C"


def test_a_comment_breaks_its_object() -> None:
    node = literal_object([Part("a: ", Word("number"), comment="/** How many. */")])
    assert render(node) == "{\n  /** How many. */\n  a: number;\n}"


def nodes() -> st.SearchStrategy[Node]:
    words = st.from_regex(r"[a-z]{1,30}", fullmatch=True).map(Word)

    def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        many = st.lists(inner, min_size=1, max_size=4)
        objects = many.map(lambda found: literal_object([Part(f"f{i}: ", n) for i, n in enumerate(found)]))
        unions = st.lists(inner, min_size=2, max_size=4).map(lambda found: Union(tuple(found)))
        return st.one_of(objects, unions, many.map(lambda found: generic("G", found)))

    return st.recursive(words, larger, max_leaves=20)


def bare(text: str) -> str:
    """The text without what layout may add: space, a leading sign, a trailing separator, parentheses."""
    joined = re.sub(r"\s+", "", text)
    return re.sub(r";(?=\})", "", re.sub(r"(?<=[:<,(|])\|", "", joined)).removeprefix("|")


@given(nodes())
def test_breaking_lines_changes_nothing_but_space(node: Node) -> None:
    wide = render(node, column=-100_000)
    assert "\n" not in wide
    assert bare(render(node)) == bare(wide)


@given(nodes())
def test_lines_are_too_long_only_where_nothing_can_break(node: Node) -> None:
    for line in render(node).splitlines():
        assert len(line) <= WIDTH_MAX + 4 or not re.search(r"[{<|]", line.strip(" |"))

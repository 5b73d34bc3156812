"""Function paths: the forms of wire 1.5 and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.protocol import FunctionPath, InvalidFunctionPath


@pytest.mark.parametrize("text", ["m", "m:default", "m.js:default", "m.js"])
def test_the_forms_of_a_default_function_are_one_name(text: str) -> None:
    path = FunctionPath.parse(text)
    assert path == FunctionPath("m", "default")
    assert path.canonical == "m.js:default"
    assert path.public == "m"


@pytest.mark.parametrize("text", ["dir/messages:send", "dir/messages.js:send"])
def test_folders_and_names_have_one_canonical_form(text: str) -> None:
    path = FunctionPath.parse(text)
    assert path.canonical == "dir/messages.js:send"
    assert path.public == "dir/messages:send"


def test_a_stem_may_have_dots_before_the_extension() -> None:
    assert FunctionPath.parse("a.b.js:f").module == "a.b"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "empty"),
        (":f", "empty"),
        ("a//b:f", "empty"),
        ("/a:f", "empty"),
        ("a/:f", "empty"),
        ("a b:f", "alphanumeric"),
        ("a-b:f", "alphanumeric"),
        ("ü:f", "alphanumeric"),
        ("..:f", "at least one"),
        ("../a:f", "at least one"),
        ("__:f", "at least one"),
        ("a" * 65 + ":f", "longer than 64"),
        ("a.ts:f", "extension '.ts'"),
        ("a.:f", "extension '.'"),
        ("_.js:f", "extension"),
        ("a:", "not an identifier"),
        ("a:b:c", "not an identifier"),
        ("a:1f", "not an identifier"),
        ("a:__", "not an identifier"),
        ("a:f g", "not an identifier"),
        ("a:" + "f" * 65, "longer than 64"),
        ("a:f\n", "not an identifier"),
    ],
)
def test_a_broken_path_says_what_is_wrong(text: str, detail: str) -> None:
    with pytest.raises(InvalidFunctionPath) as caught:
        FunctionPath.parse(text)
    assert caught.value.message.startswith(f"{text} is not a valid path to a Convex function. ")
    assert detail in caught.value.message
    assert caught.value.code == "BadConvexFunctionIdentifier"


_names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(st.lists(_names, min_size=1, max_size=3), _names)
def test_both_printed_forms_parse_back(components: list[str], function: str) -> None:
    path = FunctionPath("/".join(components), function)
    assert FunctionPath.parse(path.canonical) == path
    assert FunctionPath.parse(path.public) == path

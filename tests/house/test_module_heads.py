"""The head of a module tells where you are (STYLE)."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.source_tree import Module, floors, modules

WITH_FLOOR = [module for module in modules() if module.house_name]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_module_has_a_head(module: Module) -> None:
    head = ast.get_docstring(module.tree)
    assert head, f"{module.relative} begins without a docstring"
    first_line = head.splitlines()[0]
    assert first_line.endswith((".", ":", "?")), f"{module.relative}: no sentence: {first_line!r}"


@pytest.mark.parametrize("module", WITH_FLOOR, ids=lambda module: module.name)
def test_the_head_names_the_floor_that_the_contract_gives(module: Module) -> None:
    head = ast.get_docstring(module.tree) or ""
    named = re.search(r"\bFloor (\d)\b", head)
    assert named, f"{module.relative}: the head names no floor"
    assert int(named[1]) == floors()[module.house_name], f"{module.relative} names the wrong floor"


def test_the_drawing_of_the_floors_is_the_one_of_the_design() -> None:
    numbers = floors()
    assert numbers["errors"] == numbers["values"] == 0
    assert numbers["storage"] == 1
    assert numbers["cli"] == 8

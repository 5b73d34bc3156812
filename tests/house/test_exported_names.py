"""Public names are those in a package's `__all__`; the front page's are held here. Ruff keeps them sorted.

A name that joins or leaves the front page changes what authors may write, so it changes
`exported_names.txt` too, where a reviewer sees it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import rewake
from tests.house.source_tree import Module, modules

RECORDED = Path(__file__).with_name("exported_names.txt")


def public_names(module: Module) -> list[str] | None:
    """The literal `__all__` of a module, or None when it has none."""
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return ast.literal_eval(node.value)  # type: ignore[attr-defined, no-any-return]
    return None


FRONTS = [module for module in modules() if module.is_package_front]


@pytest.mark.parametrize("module", FRONTS, ids=lambda module: module.name)
def test_a_package_front_lists_its_names_once(module: Module) -> None:
    names = public_names(module)
    assert names is not None, f"{module.relative} has no __all__"
    assert len(names) == len(set(names)), f"{module.relative}: __all__ repeats itself"


def test_the_front_page_offers_exactly_the_recorded_names() -> None:
    assert sorted(rewake.__all__) == sorted(RECORDED.read_text(encoding="utf-8").split())


def test_every_name_of_the_front_page_is_there() -> None:
    missing = [name for name in rewake.__all__ if not hasattr(rewake, name)]
    assert not missing

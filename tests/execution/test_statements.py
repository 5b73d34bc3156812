"""Every statement of a module is found, and nothing that lies inside of expressions is looked at."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from rewake.execution.statements import statements

EVERYWHERE = """
import a
class C:
    import b
    async def f(self):
        with x:
            import c
        for y in z:
            import d
        else:
            import e
        while x:
            try:
                import f
            except* E:
                import g
            else:
                import h
            finally:
                import i
        if x:
            import j
        elif y:
            import k
        match x:
            case 1 if y:
                import l
        return lambda: [1 for _ in x]
"""


def test_statements_of_all_blocks_are_found() -> None:
    names = [node.names[0].name for node in statements(ast.parse(EVERYWHERE)) if isinstance(node, ast.Import)]
    assert sorted(names) == list("abcdefghijkl")


@pytest.mark.parametrize(
    "name", ["ast", "argparse", "asyncio.base_events", "typing", "rewake.execution.loader"]
)
def test_as_many_as_the_whole_tree_holds(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_bytes())
    wanted = ast.stmt | ast.ExceptHandler | ast.match_case | ast.Module
    assert {id(node) for node in ast.walk(tree) if isinstance(node, wanted)} == set(map(id, statements(tree)))


def test_what_was_given_may_be_changed() -> None:
    tree = ast.parse("try:\n    a\nexcept E:\n    b")
    for node in statements(tree):
        if isinstance(node, ast.ExceptHandler):
            node.body.insert(0, ast.Pass())
    assert [type(node).__name__ for node in statements(tree)].count("Pass") == 1

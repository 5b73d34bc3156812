"""Every test that the page on security names exists."""

from __future__ import annotations

import ast
import re

from tests.house.source_tree import ROOT

PAGE = ROOT / "docs" / "security.md"


def test_the_tests_that_it_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 40
    missing = []
    for file, test in named:
        path = ROOT / file
        if not path.is_file():
            missing.append(file)
        elif test:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            if test not in functions:
                missing.append(f"{file}::{test}")
    assert not missing, missing


def test_every_class_that_is_defended_has_a_test() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## What is defended")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert all("`tests/" in row for row in rows if not row.startswith("|---"))

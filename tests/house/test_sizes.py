"""Size is what one head holds (STYLE): modules under 500 lines, functions under 70."""

from __future__ import annotations

import ast

from tests.house.source_tree import modules

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# What is larger, how large it may be, and why it is one thing all the same.
LARGE_MODULES: dict[str, tuple[int, str]] = {
    "rewake.execution.loader": (545, "what a project declares besides functions should become a module"),
    "rewake.testing.backend": (560, "how a backend is made and how it is called should part"),
}
LARGE_FUNCTIONS: dict[str, tuple[int, str]] = {}


def function_sizes(tree: ast.Module) -> dict[str, int]:
    """Lines of each function by qualified name, without its docstring: prose is not what overloads a head."""
    sizes = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                first = child.body[0]
                docstring = ast.get_docstring(child, clean=False) is not None
                prose = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
                sizes[name] = (child.end_lineno or 0) - child.lineno + 1 - prose
                visit(child, f"{name}.")
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            else:
                visit(child, prefix)

    visit(tree, "")
    return sizes


def test_modules_fit_in_one_head() -> None:
    found = []
    for module in modules():
        lines = module.text.count("\n")
        bound, _ = LARGE_MODULES.get(module.name, (MODULE_LINES_MAX, ""))
        if lines > bound:
            found.append(f"{module.relative}: {lines} lines, at most {bound}. Do two things live in it?")
    assert not found, "\n".join(found)


def test_functions_fit_in_one_head() -> None:
    found = []
    for module in modules():
        for name, lines in function_sizes(module.tree).items():
            bound, _ = LARGE_FUNCTIONS.get(f"{module.name}:{name}", (FUNCTION_LINES_MAX, ""))
            if lines > bound:
                found.append(f"{module.relative}: {name} has {lines} lines, at most {bound}")
    assert not found, "\n".join(found)


def test_every_exception_is_still_needed() -> None:
    by_name = {module.name: module for module in modules()}
    stale = [
        name
        for name in LARGE_MODULES
        if name not in by_name or by_name[name].text.count("\n") <= MODULE_LINES_MAX
    ]
    for qualified in LARGE_FUNCTIONS:
        module_name, _, function = qualified.partition(":")
        sizes = function_sizes(by_name[module_name].tree) if module_name in by_name else {}
        if sizes.get(function, 0) <= FUNCTION_LINES_MAX:
            stale.append(qualified)
    assert not stale, f"take off the list: {stale}"

"""The house as its own tests see it: modules with their floors and syntax, and the files that git carries."""

from __future__ import annotations

import ast
import configparser
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "rewake"
TESTS = ROOT / "tests"

FLOOR_MAX = 8
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of `src/rewake`."""

    name: str
    path: Path

    @property
    def relative(self) -> str:
        """The path from the root of the repository, as a person would type it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def is_package_front(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def only_declares(self) -> bool:
        """Whether there is nothing to run in it: constants, records, Protocols."""
        functions = [node for node in ast.walk(self.tree) if isinstance(node, FUNCTION)]
        return not any(_does_something(function) for function in functions)

    @property
    def house_name(self) -> str:
        """The name that the floors know: `values` for `rewake.values.key_codec`; empty for the front page."""
        return self.name.partition(".")[2].partition(".")[0]


def modules() -> list[Module]:
    """Every module of the house that has something in it, in name order."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if path.stat().st_size:
            found.append(Module(name, path))
    return found


@functools.cache
def floors() -> dict[str, int]:
    """Each name directly under `rewake` with the number of its floor, as `.importlinter` lists them."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts["importlinter:contract:floors"]["layers"].split("\n")
    layers = [line.strip() for line in lines if line.strip()]
    numbers = {}
    for height, layer in enumerate(reversed(layers)):
        # `values` and what lies under it are both floor 0; `__main__` stands on the roof beside `cli`.
        floor = min(max(height - 1, 0), FLOOR_MAX)
        for name in layer.split("|"):
            numbers[name.strip().strip("()")] = floor
    return numbers


def carried_files() -> list[Path]:
    """The files that git carries or would carry, so not what .gitignore names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def files_of_tests() -> list[Path]:
    """Every Python file of tests, npm packages left out."""
    return sorted(path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts)


def called_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and full dotted name (`time.monotonic`) of everything imported that is named in `tree`.

    Follows `import time as clock` and `from time import monotonic`; does not follow assignments. Leaves out
    `sleep(0)`, which gives others a turn and waits for no clock.
    """
    turns = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == 0
    }
    meanings: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                meanings[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                meanings[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in turns:
            dotted = _dotted(node)
            first, dot, rest = dotted.partition(".")
            if first in meanings:
                yield node.lineno, meanings[first] + dot + rest


def _does_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a body holds more than a docstring, `...` or `pass`."""
    silent = [isinstance(node, ast.Pass) or _is_constant(node) for node in function.body]
    return not all(silent)


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""

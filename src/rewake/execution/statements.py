"""The statements of a module: what stands on lines of its own, as deep as blocks are nested.

Floor 3, `execution`. Nine in ten nodes of a module's tree lie inside of expressions, where there is no
import, no handler and no definition. And expressions may be nested as deep as the compiler bears, deeper
than Python calls itself; so nothing here goes by recursion.

Not here: what is looked for (`memory_limit.py`, `module_hashes.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, and each statement, handler and case in it, outer before inner. What has been given may be
    changed: its blocks are looked at afterwards.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                waiting += block

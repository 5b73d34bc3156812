"""Camel case: names of functions and arguments as JavaScript writes them.

Floor 3, `execution`. For projects with `case = "camel"`, where Python names are turned at the door.
"""

from __future__ import annotations


def camel_case(name: str) -> str:
    """`list_recent` as `listRecent`; leading underscores stay."""
    head = len(name) - len(name.lstrip("_"))
    first, *rest = name[head:].split("_")
    return name[:head] + first + "".join(part[:1].upper() + part[1:] for part in rest)

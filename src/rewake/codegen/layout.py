"""Laying out TypeScript: on one line where it fits, broken where it does not.

Floor 5, `codegen`, under the renderers. A type is a small tree of words and brackets; where a bracket does
not fit into what is left of the line, each of its parts gets a line of its own. So a generated file reads
like one that prettier formatted, and a small change makes a small diff.

Source: Wadler, "A prettier printer" (2003), without its choice between several groups: ours break outside in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

WIDTH_MAX = 100
INDENT = "  "


class Word(msgspec.Struct, frozen=True):
    """Text that is never broken."""

    text: str


class Bracket(msgspec.Struct, frozen=True):
    """Parts between an opening and a closing sign.

    `padding` stands inside the signs on one line; `trailing` says that broken lines all end with the
    separator. With `is_broken` every part has its own line, whether or not it would fit.
    """

    opening: str
    parts: tuple[Part, ...]
    closing: str
    separator: str = ","
    padding: str = ""
    trailing: bool = False
    is_broken: bool = False


class Union(msgspec.Struct, frozen=True):
    """Alternatives, at least two: `A | B`, or one a line, each behind its sign."""

    parts: tuple[Node, ...]
    sign: str = "|"


class Part(msgspec.Struct, frozen=True):
    """A member of a bracket: what stands before its type, the type, and a comment for the lines above."""

    head: str
    node: Node
    comment: str = ""


Node = Word | Bracket | Union


def literal_object(parts: Iterable[Part], *, is_broken: bool = False) -> Node:
    """`{ a: A; b: B }`."""
    found = tuple(parts)
    if not found:
        return Word("{}")
    return Bracket("{", found, "}", separator=";", padding=" ", trailing=True, is_broken=is_broken)


def generic(name: str, arguments: Sequence[Node]) -> Node:
    """`Name<A, B>`."""
    return Bracket(f"{name}<", tuple(Part("", argument) for argument in arguments), ">")


def render(node: Node, *, column: int = 0, depth: int = 0) -> str:
    """The text of `node`, which begins at `column` of a line that is indented `depth` times."""
    flat = _flat(node)
    if flat is not None and column + len(flat) <= WIDTH_MAX:
        return flat
    if isinstance(node, Word):
        return node.text
    inner = INDENT * (depth + 1)
    if isinstance(node, Union):
        # A first line of its own lets every alternative stand behind its sign.
        lines = [f"{inner}{node.sign} {_member(part, depth + 1, node.sign)}" for part in node.parts]
        return "\n" + "\n".join(lines)
    if len(node.parts) == 1 and not node.parts[0].head and not node.is_broken:
        # `Array<{` ... `}>` reads better than a line for the bracket alone, unless alternatives are inside.
        only = node.parts[0].node
        if isinstance(only, Bracket):
            inside = render(only, column=column + len(node.opening), depth=depth)
            return f"{node.opening}{inside}{node.closing}"
    lines = [node.opening]
    for number, part in enumerate(node.parts):
        if part.comment:
            lines += [inner + line for line in part.comment.split("\n")]
        is_last = number == len(node.parts) - 1
        end = node.separator if node.trailing or not is_last else ""
        text = render(part.node, column=len(inner) + len(part.head) + len(end), depth=depth + 1)
        if not text.startswith("\n"):
            lines.append(f"{inner}{part.head}{text}{end}")
        else:
            # Alternatives, each already on an indented line of its own.
            lines.append((inner + part.head.rstrip() + text if part.head else text.removeprefix("\n")) + end)
    lines.append(INDENT * depth + node.closing)
    return "\n".join(lines)


def _member(node: Node, depth: int, sign: str) -> str:
    """An alternative among others; alternatives of another sign inside it need parentheses."""
    text = render(node, column=len(INDENT) * depth + len(sign) + 1, depth=depth)
    return f"({text})" if isinstance(node, Union) else text


def _flat(node: Node) -> str | None:
    """The text on one line, or None when something in it must be broken."""
    if isinstance(node, Word):
        return node.text
    if isinstance(node, Union):
        alternatives = []
        for alternative in node.parts:
            text = _flat(alternative)
            if text is None:
                return None
            alternatives.append(f"({text})" if isinstance(alternative, Union) else text)
        return f" {node.sign} ".join(alternatives)
    if node.is_broken or any(part.comment for part in node.parts):
        return None
    members = []
    for part in node.parts:
        text = _flat(part.node)
        if text is None:
            return None
        members.append(part.head + text)
    inside = f"{node.separator} ".join(members)
    return f"{node.opening}{node.padding}{inside}{node.padding}{node.closing}"

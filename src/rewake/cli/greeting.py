"""The greeting of `dev`: addresses, how clients find the server, and a call to try.

Floor 8, `cli`. Not here: what happens afterwards (`development.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewake.cli.screen import Screen
from rewake.execution import FunctionRecord, Registry

_SAMPLES: Mapping[str, Any] = {
    "string": "hello",
    "number": 1,
    "boolean": True,
    "null": None,
    "array": [],
    "any": None,
}


def greet(
    screen: Screen,
    *,
    name: str,
    version: str,
    url: str,
    data: Path,
    registry: Registry,
    watched: str,
    has_page: bool,
) -> None:
    """Say where everything is."""
    screen.say("")
    screen.say("  ", ("Rewake", "bold green"), f" {version}", ("   " + name, "dim"))
    screen.say("")
    _row(screen, "Server", (url, "bold"))
    if has_page:
        _row(screen, "Page", (url + "/", "bold"))
    _row(screen, "Clients", f"VITE_CONVEX_URL={url}", ("   (official Convex clients)", "dim"))
    call = example_call(registry)
    if call is not None:
        _row(screen, "Try", f"rewake run {call}")
    _row(screen, "Data", str(shown_path(data)))
    screen.say("")
    screen.say((f"  Watching {watched}. Ctrl-C stops.", "dim"))
    screen.say("")


def example_call(registry: Registry) -> str | None:
    """A function of this project with arguments, ready for a shell; one that writes if there is one."""
    public = [registry.functions[path] for path in sorted(registry.functions)]
    public = [record for record in public if not record.is_internal]
    for record in sorted(public, key=lambda record: record.kind != "mutation"):
        arguments = _sample_arguments(record)
        if arguments is not None:
            return f"{record.path.public} {arguments}".rstrip()
    return None


def shown_path(path: Path) -> Path:
    """`path` as seen from here, where that is shorter."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path


def size_words(registry: Registry) -> str:
    """How much there is: `3 functions, 2 tables`."""
    return f"{count(len(registry.functions), 'function')}, {count(len(registry.schema.tables), 'table')}"


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(screen: Screen, title: str, *parts: str | tuple[str, str]) -> None:
    screen.say("  ", (title.ljust(9), "green"), *parts)


def _sample_arguments(record: FunctionRecord) -> str | None:
    """Shell words for the arguments that must be given; None where they need an id, which must exist."""
    shape = record.arguments.validator.to_json()
    if shape["type"] != "object":
        return ""
    words = []
    for name, field in shape["value"].items():
        if field["optional"]:
            continue
        kind = field["fieldType"]["type"]
        if kind == "literal":
            sample = field["fieldType"]["value"]
        elif kind in _SAMPLES:
            sample = _SAMPLES[kind]
        else:
            return None
        words.append(f"{name}={sample if isinstance(sample, str) else json.dumps(sample)}")
    return " ".join(words)

"""The greeting of `dev`: addresses, how clients find the server, and a call to try.

Floor 8, `cli`. Not here: what happens afterwards (`development.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewake.cli.screen import Screen
from rewake.execution import Analysis, FunctionFacts
from rewake.limits import KIB, MIB

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
    analysis: Analysis,
    watched: str,
    has_page: bool,
    site_url: str | None = None,
) -> None:
    """Say where everything is."""
    screen.say("")
    screen.say("  ", ("Rewake", "bold green"), f" {version}", ("   " + name, "dim"))
    screen.say("")
    _row(screen, "Server", (url, "bold"))
    if has_page:
        _row(screen, "Page", (url + "/", "bold"))
    if site_url is not None and analysis.routes is not None:
        _row(screen, "Site", site_url, ("   (HTTP actions)", "dim"))
    _row(screen, "Clients", f"VITE_CONVEX_URL={url}", ("   (official Convex clients)", "dim"))
    call = example_call(analysis)
    if call is not None:
        _row(screen, "Try", f"rewake run {call}")
    _row(screen, "Data", str(shown_path(data)))
    screen.say("")
    screen.say((f"  Watching {watched}. Ctrl-C stops.", "dim"))
    screen.say("")


def example_call(analysis: Analysis) -> str | None:
    """A function of this project with arguments, ready for a shell; one that writes if there is one."""
    public = [facts for facts in analysis.functions if not facts.is_internal]
    for facts in sorted(public, key=lambda facts: facts.kind != "mutation"):
        arguments = _sample_arguments(facts)
        if arguments is not None:
            return f"{facts.path.public} {arguments}".rstrip()
    return None


def shown_path(path: Path) -> Path:
    """`path` as seen from here, where that is shorter."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path


def size_words(analysis: Analysis) -> str:
    """How much there is: `3 functions, 2 tables`."""
    return f"{count(len(analysis.functions), 'function')}, {count(len(analysis.table_names), 'table')}"


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def bytes_words(number: int) -> str:
    """A size as people say it: `31 KiB`, `2.4 MiB`."""
    return f"{-(-number // KIB):,} KiB" if number < MIB else f"{number / MIB:,.1f} MiB"


def _row(screen: Screen, title: str, *parts: str | tuple[str, str]) -> None:
    screen.say("  ", (title.ljust(9), "green"), *parts)


def _sample_arguments(facts: FunctionFacts) -> str | None:
    """Shell words for the arguments that must be given; None where they need an id, which must exist."""
    shape = facts.arguments
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

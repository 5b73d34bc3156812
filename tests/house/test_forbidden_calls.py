"""Time and chance come from `environment`, and no test sleeps (STYLE, DESIGN D8)."""

from __future__ import annotations

import ast

import pytest

from tests.house.source_tree import ROOT, Module, called_names, files_of_tests, modules

FORBIDDEN = {
    "asyncio.sleep": "wait for an event, or take the clock from `environment`",
    "datetime.date.today": "use `environment.clock`",
    "datetime.datetime.now": "use `environment.clock`",
    "datetime.datetime.today": "use `environment.clock`",
    "datetime.datetime.utcnow": "use `environment.clock`",
    "os.getrandom": "use `environment.random_bytes`",
    "os.urandom": "use `environment.random_bytes`",
    "time.monotonic": "use `environment.clock`",
    "time.monotonic_ns": "use `environment.clock`",
    "time.perf_counter": "use `environment.clock`",
    "time.perf_counter_ns": "use `environment.clock`",
    "time.sleep": "wait for an event",
    "time.time": "use `environment.clock`",
    "time.time_ns": "use `environment.clock`",
    "uuid.uuid1": "use `environment.random_bytes`",
    "uuid.uuid4": "use `environment.random_bytes`",
}
FORBIDDEN_MODULES = {"random": "use `environment`", "secrets": "use `environment.random_bytes`"}
# A generator that is seeded by hand is not chance.
ALLOWED_NAMES = {"random.Random"}

# Module -> names that it may use, each with the reason.
JUSTIFIED: dict[str, dict[str, str]] = {
    "rewake.environment": dict.fromkeys([*FORBIDDEN, *FORBIDDEN_MODULES], "this is where they come from"),
    "rewake.execution.side_effects": {"time.sleep": "it is wrapped, to be refused in queries and mutations"},
    "rewake.execution.standard_sources": dict.fromkeys(
        ["os.getrandom", "os.urandom", "random.Random.seed", "random.__all__", "random._urandom"],
        "they are wrapped, to be held in queries and mutations",
    ),
    "rewake.sync.door": {"asyncio.sleep": "draining waits for sockets of a real loop to close"},
}

SLEEPS = {"asyncio.sleep", "time.sleep", "anyio.sleep", "trio.sleep"}


def forbidden_uses(module: Module) -> list[str]:
    allowed = JUSTIFIED.get(module.name, {})
    found = []
    for line, name in called_names(module.tree):
        top = name.partition(".")[0]
        if name in ALLOWED_NAMES or name in allowed or top in allowed:
            continue
        if name in FORBIDDEN:
            found.append(f"{module.relative}:{line}: {name}: {FORBIDDEN[name]}")
        elif top in FORBIDDEN_MODULES and name != top:
            found.append(f"{module.relative}:{line}: {name}: {FORBIDDEN_MODULES[top]}")
    return found


def test_only_the_environment_asks_for_time_and_chance() -> None:
    found = [use for module in modules() for use in forbidden_uses(module)]
    assert not found, "\n".join(found)


def test_every_justified_exception_is_still_needed() -> None:
    by_name = {module.name: module for module in modules()}
    for name, uses in JUSTIFIED.items():
        if name == "rewake.environment":
            continue
        used = {called for _, called in called_names(by_name[name].tree)}
        assert set(uses) <= used, f"{name} no longer uses {sorted(set(uses) - used)}: take it off the list"


def test_no_test_sleeps() -> None:
    found = []
    for path in files_of_tests():
        if "backend_project" in path.parts:
            continue  # What a test runs on a server: its actions may wait for the world like any other.
        for line, name in called_names(ast.parse(path.read_text(encoding="utf-8"))):
            if name in SLEEPS:
                found.append(f"{path.relative_to(ROOT)}:{line}: {name}: wait for an event instead")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\ntime.time()", "time.time"),
        ("import time as clock\nclock.monotonic()", "time.monotonic"),
        ("from os import urandom\nurandom(3)", "os.urandom"),
        ("from datetime import datetime as moment\nmoment.now()", "datetime.datetime.now"),
        ("import asyncio\nasyncio.sleep(0.1)", "asyncio.sleep"),
    ],
)
def test_a_forbidden_name_is_seen_through_its_alias(source: str, expected: str) -> None:
    assert expected in {name for _, name in called_names(ast.parse(source))}


def test_giving_others_a_turn_is_no_sleep() -> None:
    tree = ast.parse("import asyncio\nasyncio.sleep(0)")
    assert "asyncio.sleep" not in {name for _, name in called_names(tree)}

"""Standard sources: Python's own clocks and random numbers, while a query or mutation runs in a worker.

Floor 3, `execution`. `ctx.now` and `ctx.random` are the contract; a library that an author calls knows
neither. So in worker processes `time.time()`, `datetime.now()`, `random.random()`, `uuid4()` and their kin
stand still, or are seeded, for the run that calls them, and the run is known to have looked at the clock
(DESIGN D3).

    template: install -> load author modules -> fork -> (hold -> a run -> release)*     `source_exchange`
    a call:   from a thread that runs a function? yes -> the run's time or chance, and a log line, once a run
                                                  no  -> the real thing

time-machine exchanges the C functions of `time` and `datetime` in place, so that it does not matter who has
imported what by which name, and `datetime` stays the class that msgspec and pydantic look for. What it leaves
alone is wrapped where it lies, before author modules are loaded: monotonic clocks and everything random.

Not here: the inline runner, which is a guest in somebody's process and changes nothing in it; sources that
nobody can see (numpy's generators, clocks read inside C libraries).
Source: decision 0009; semantics 5.7.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import PurePath
from types import FrameType, MappingProxyType, ModuleType
from typing import Any

from rewake.execution.current_run import Run, current

_NANOSECONDS = {"monotonic": "monotonic_ns", "perf_counter": "perf_counter_ns"}
_OUR_CLOCK = "rewake.environment"
_NOT_SAID = ("logging", "importlib", "_frozen_importlib")
"""Modules that read the clock without their caller's wish: they get the run's time, and nobody is told."""


# The functions that were replaced, by name. Filled by `install`, which also sets the two that exchange the C
# functions and put them back; without it nothing is ever held.
_real: dict[str, Callable[..., Any]] = {}
_exchange: tuple[Callable[[], None], Callable[[], None]] | None = None


def source_exchange() -> tuple[Callable[[], None], Callable[[], None]]:
    """Two functions: what holds the standard sources from then on, for the current run, and what releases
    them. They do nothing in a process where nothing was installed yet.
    """
    return _exchange or (_nothing, _nothing)


def _nothing() -> None:
    """Nothing is held."""


class _Sources:
    """What the standard sources give one run. Made by its first use, since few runs come to that."""

    # Set by the first use of each.
    _chance: random.Random | None = None
    _still: Mapping[str, int] = MappingProxyType({})
    _said: frozenset[str] = frozenset()

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def now_ns(self) -> int:
        """The time of the run; to a microsecond, as far as a float goes."""
        return round(self._run.now_ms * 1e3) * 1000

    def look_at_clock(self, frame: FrameType) -> None:
        """Note that the code of `frame` reads a clock."""
        self._run.has_read_clock = True
        self._say(
            "StandardClockRead",
            frame,
            "reads a clock of Python's. In queries and mutations it stands still, at the time of `ctx.now`: "
            "use that, and measure nothing with it.",
        )

    def still(self, name: str, frame: FrameType) -> int:
        """The clock `name`, a function of nanoseconds, as the run saw it first."""
        self.look_at_clock(frame)
        if name not in self._still:
            self._still = {**self._still, name: _real[name]()}
        return self._still[name]

    def chance(self, frame: FrameType) -> random.Random:
        """The generator behind everything random, one for a run."""
        self._say(
            "StandardRandomUsed",
            frame,
            "uses Python's random numbers. In queries and mutations they follow from the run's own seed, as "
            "those of `ctx.random`: use that. What must be unguessable is made in an action.",
        )
        if self._chance is None:
            self._chance = random.Random(self._run.chance.getrandbits(64))
        return self._chance

    def _say(self, code: str, frame: FrameType, text: str) -> None:
        if code not in self._said:
            self._said |= {code}
            asker = _asker(frame)
            place = f"{PurePath(asker.f_code.co_filename).name}:{asker.f_lineno}"
            self._run.log_lines.add("WARN", f"{place} {text}", f"warning:{code}")


def install_standard_sources() -> None:
    """Prepare this process, before author modules are loaded. Calling again does nothing; for processes that
    do nothing but run functions, with one of them at a time.
    """
    global _exchange
    if _exchange is not None:
        return
    machine, exchange = _time_machine()
    machine.traveller_stack.append(_Traveller())
    _real["time_ns"] = exchange.original_time_ns
    for name, in_nanoseconds in _NANOSECONDS.items():
        _real[in_nanoseconds] = getattr(time, in_nanoseconds)
        _replace(time, in_nanoseconds, _still_function(in_nanoseconds))
        _replace(time, name, _still_function(in_nanoseconds, seconds=True))
    _replace(time, "ctime", _text_function(time.ctime, float))
    _replace(time, "asctime", _text_function(time.asctime, time.localtime))
    _install_chance()
    _exchange = exchange.patch, exchange.unpatch


def _time_machine() -> tuple[Any, Any]:
    """The library, and the module in C below it. It is made for tests, and would load unittest, a dozen
    modules, and pytest and dateutil where they are.
    """
    no_tests = ModuleType("unittest")
    no_tests.TestCase = type("TestCase", (), {})  # type: ignore[attr-defined]
    stand_ins = {"pytest": None, "dateutil": None, "unittest": no_tests}
    kept_out = {name: stand_in for name, stand_in in stand_ins.items() if name not in sys.modules}
    sys.modules.update(kept_out)  # type: ignore[arg-type]
    try:
        return importlib.import_module("time_machine"), importlib.import_module("_time_machine")
    finally:
        for name in kept_out:
            del sys.modules[name]


class _Traveller:
    """Whom the exchanged C functions ask for the time. They have no frame: the next one is their caller's."""

    def time_ns(self) -> int:
        frame = sys._getframe(1)
        sources = _sources(frame)
        if sources is None:
            now: int = _real["time_ns"]()
            return now
        if _package(frame) not in _NOT_SAID:
            sources.look_at_clock(frame)
        return sources.now_ns


def _sources(frame: FrameType) -> _Sources | None:
    """Whose time and chance the code of `frame` gets: those of the run in this thread, or the real ones,
    which the house's own clock always gets.
    """
    run = current.run
    if run is None or frame.f_globals.get("__name__") == _OUR_CLOCK:
        return None
    if run.standard_sources is None:
        run.standard_sources = _Sources(run)
    sources: _Sources = run.standard_sources
    return sources


def _asker(frame: FrameType) -> FrameType:
    """The frame whose author asked, as far as that can be told: not of Python's library, nor of ours."""
    at: FrameType | None = frame
    while at is not None and (_package(at) in sys.stdlib_module_names or _package(at) == "rewake"):
        at = at.f_back
    return frame if at is None else at


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _replace(module: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(module, name, wraps(getattr(module, name))(function))


def _still_function(name: str, *, seconds: bool = False) -> Callable[[], float]:
    real = getattr(time, name.removesuffix("_ns")) if seconds else _real[name]

    def still() -> float:
        frame = sys._getframe(1)
        sources = _sources(frame)
        if sources is None:
            now: float = real()
            return now
        moment = sources.still(name, frame)
        return moment / 1e9 if seconds else moment

    return still


def _text_function(real: Callable[..., str], moment: Callable[[float], Any]) -> Callable[..., str]:
    """`ctime` and `asctime` read a clock of their own where they are given no moment."""

    def text(*given: Any) -> str:
        frame = sys._getframe(1)
        sources = _sources(frame)
        if sources is None or (given and given[0] is not None):
            return real(*given)
        sources.look_at_clock(frame)
        return real(moment(sources.now_ns / 1e9))

    return text


def _install_chance() -> None:
    for name in random.__all__:
        if name[0].islower():
            _replace(random, name, _drawn_function(name))
    _replace(random.Random, "seed", _seed_function())
    _replace(os, "urandom", _bytes_function(os.urandom))
    # Where the module itself and `secrets` look.
    random._urandom = os.urandom  # type: ignore[attr-defined]
    if hasattr(os, "getrandom"):
        _replace(os, "getrandom", _bytes_function(os.getrandom))
    if getattr(uuid, "_generate_time_safe", None) is not None:
        uuid.getnode()  # Which it asks of the same C function, and else of subprocesses.
    # Without it `uuid1` takes time and chance from the modules above.
    uuid._generate_time_safe = None  # type: ignore[attr-defined]


def _drawn_function(name: str) -> Callable[..., Any]:
    real = getattr(random, name)

    def drawn(*arguments: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        sources = _sources(frame)
        draw = real if sources is None else getattr(sources.chance(frame), name)
        return draw(*arguments, **named)

    return drawn


def _seed_function() -> Callable[..., None]:
    real = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            frame = sys._getframe(1)
            sources = _sources(frame)
            a = None if sources is None else sources.chance(frame).getrandbits(128)
        real(self, a, version)

    return seed


def _bytes_function(real: Callable[..., bytes]) -> Callable[..., bytes]:
    def drawn(size: int, *flags: int) -> bytes:
        frame = sys._getframe(1)
        sources = _sources(frame)
        return real(size, *flags) if sources is None else sources.chance(frame).randbytes(size)

    return drawn

"""The soft time limit: whose time counts, where it is raised, and that nobody can keep it away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.environment import processor_seconds
from rewake.execution.current_run import current
from rewake.execution.time_limit import BEGIN_SECONDS, FunctionTimedOut, TimeLimit
from rewake.limits import DEFAULT_LIMITS
from rewake.values import encode

MOST = 0.05
ENDLESS = {
    "a loop": """
        while True:
            pass
    """,
    "caught inside": """
        while True:
            n = 0
            try:
                n += 1
                while True:
                    n += 1
            except BaseException:
                n = 0
    """,
    "caught inside, and talks about it": """
        while True:
            n = 0
            try:
                n += 1
                while True:
                    n += 1
            except BaseException:
                encode([1.0])
                sorted([2, 1])
    """,
    "caught twice": """
        while True:
            try:
                n = 0
                try:
                    while True:
                        n += 1
                finally:
                    n = 0
            except BaseException:
                n = 1
    """,
    "in a library": """
        import statistics
        numbers = [float(n) for n in range(1000)]
        while True:
            statistics.mean(numbers)
    """,
    "in a callback of the house": """
        class Slow(dict):
            def items(self):
                while True:
                    pass
        while True:
            try:
                encode(sorted([1, 2], key=lambda n: [None for _ in Slow().items()]))
            except Exception:
                pass
    """,
    "in generators": """
        def count():
            while True:
                yield 1
        for _ in count():
            try:
                _ + 1
            except BaseException:
                pass
    """,
}


@pytest.fixture
def limit(tmp_path: Path) -> Iterator[TimeLimit]:
    limit = TimeLimit(replace(DEFAULT_LIMITS, function_seconds_max=MOST), root=tmp_path)
    before = signal.getsignal(signal.SIGPROF)
    limit.start()
    yield limit
    limit.stop()
    signal.signal(signal.SIGPROF, before)


@contextmanager
def running() -> Iterator[Any]:
    """A run is under way in this thread."""
    current.run = run = SimpleNamespace(author_seconds=BEGIN_SECONDS, is_out_of_time=False)  # type: ignore[assignment]
    try:
        yield run
    finally:
        current.run = None


def author(root: Path, source: str) -> Any:
    """A function of an author's file."""
    body = "\n".join(f"    {line}" for line in dedent(source).strip().splitlines())
    names: dict[str, Any] = {"encode": encode}
    exec(compile(f"def function():\n{body}\n", str(root / "backend" / "main.py"), "exec"), names)
    return names["function"]


@pytest.mark.parametrize("name", ENDLESS)
def test_whatever_an_author_does_it_ends(tmp_path: Path, limit: TimeLimit, name: str) -> None:
    function = author(tmp_path, ENDLESS[name])
    begin = processor_seconds()
    with running() as run, pytest.raises(FunctionTimedOut):
        function()
    assert run.is_out_of_time
    # No measure of speed: far below what would mean that it had to be lucky.
    assert MOST <= processor_seconds() - begin < 60 * MOST


def test_what_the_author_says_afterwards_does_not_count(tmp_path: Path, limit: TimeLimit) -> None:
    function = author(
        tmp_path, "try:\n    while True:\n        pass\nexcept BaseException:\n    pass\nreturn 1"
    )
    with running() as run:
        try:
            function()
        except FunctionTimedOut:
            pass  # Or in the handler: both are right.
        assert run.is_out_of_time
    # It is over: nothing is raised any more, and the next run begins with all its time.
    with running() as run:
        assert author(tmp_path, "return sum(range(1000))")() == 499_500
        assert not run.is_out_of_time


def test_the_time_of_the_house_is_not_counted(tmp_path: Path, limit: TimeLimit) -> None:
    # From inside the house, as a query or an insert would be.
    numbers = [{"n": [float(n)]} for n in range(3000)]
    begin = processor_seconds()

    def enough() -> bool:
        return processor_seconds() - begin > 4 * MOST

    names = author(tmp_path, "while not enough():\n    encode(numbers)").__globals__
    names |= {"enough": enough, "numbers": numbers}
    with running() as run:
        names["function"]()
    assert not run.is_out_of_time


def test_the_import_of_a_library_is_not_counted(
    tmp_path: Path, limit: TimeLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "heavy_library.py").write_text(
        f"import time\nbegin = time.process_time()\nwhile time.process_time() - begin < {3 * MOST}: pass\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    with running() as run:
        assert author(tmp_path, "import heavy_library\nreturn heavy_library.begin")() > 0
    assert not run.is_out_of_time


def test_time_outside_a_run_is_nobodys(tmp_path: Path, limit: TimeLimit) -> None:
    begin = processor_seconds()
    function = author(tmp_path, "while not enough():\n    pass")
    function.__globals__["enough"] = lambda: processor_seconds() - begin > 3 * MOST
    function()
    with running() as run:
        pass
    assert not run.is_out_of_time


def test_libraries_and_the_house_below_the_project_are_not_the_authors(tmp_path: Path) -> None:
    limit = TimeLimit(DEFAULT_LIMITS, root=tmp_path)
    house = str(Path(encode.__code__.co_filename))
    assert limit._owner(house) is False
    assert limit._owner(str(tmp_path / "backend" / "main.py")) is True
    for other in (
        tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "numpy" / "x.py",
        Path("/elsewhere/x.py"),
    ):
        assert limit._owner(str(other)) is None
    assert limit._owner("<string>") is None
    assert TimeLimit(DEFAULT_LIMITS, root=None)._owner(str(tmp_path / "x.py")) is None
    # A project that lies above all of Python, as in a container with its root as the project's folder.
    import json

    whole = TimeLimit(DEFAULT_LIMITS, root=Path("/"))
    assert whole._owner(json.__file__) is None
    assert whole._owner("/backend/main.py") is True

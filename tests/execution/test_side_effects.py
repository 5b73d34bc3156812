"""What a query or mutation may touch: nothing outside the database, except what Python itself must read."""

from __future__ import annotations

import sys
import threading

import pytest

from rewake.execution import SideEffectRefused
from rewake.execution.current_run import current
from rewake.execution.side_effects import install_guard, unguarded
from tests.deployment.stage import CallFailed, Stage, play

LAZY = ("_strptime", "colorsys", "wave", "encodings.cp1253", "encodings.idna", "stringprep")
PREAMBLE = """
    import json, os, pathlib, socket, sqlite3, subprocess, time, traceback, urllib.request
    import httpx
    from datetime import datetime
    from zoneinfo import ZoneInfo
    from rewake import MutationCtx, QueryCtx, mutation, query

"""


def function(body: str, decorator: str = "query") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{PREAMBLE}    @{decorator}\n    def f(ctx) -> object:\n{lines}"


def run(tmp_path, body: str, kind: str = "query", **more: str) -> object:
    answers: list[object] = []

    async def story(stage: Stage) -> None:
        answers.append(await (stage.query("m:f") if kind == "query" else stage.mutate("m:f")))

    play(tmp_path, story, m=function(body, kind), **more)
    return answers[0]


@pytest.mark.parametrize("kind", ["query", "mutation"])
@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("strptime", 'return datetime.strptime("1 Feb 2024", "%d %b %Y").month', 2.0),
        ("zoneinfo", 'ZoneInfo.clear_cache()\nreturn ZoneInfo("Europe/Berlin").key', "Europe/Berlin"),
        ("idna", 'return "ü.example".encode("idna").decode()', "xn--tda.example"),
        ("codec", 'return "x".encode("cp1253").decode()', "x"),
        ("lazy import", "import this_is_lazy\nreturn this_is_lazy.VALUE", 5.0),
        ("library", "import colorsys, wave\nreturn colorsys.rgb_to_hsv(1, 1, 1)[2]", 1.0),
        (
            "traceback",
            'try:\n    1 / 0\nexcept ZeroDivisionError:\n    return "1 / 0" in traceback.format_exc()',
            True,
        ),
        ("time", "return time.time() > 0", True),
    ],
)
def test_what_python_itself_reads_is_allowed(tmp_path, kind, name, body, expected):
    for module in (*LAZY, "this_is_lazy"):
        sys.modules.pop(module, None)
    # The first import of a module also writes its compiled form.
    (tmp_path / "this_is_lazy.py").write_text("VALUE = 5")
    assert run(tmp_path, body, kind) == expected


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('open("x.txt")', "Opening files"),
        ('open("x.txt", "w")', "Opening files"),
        ('pathlib.Path("x.txt").read_text()', "Opening files"),
        ('os.open("x.txt", os.O_RDONLY)', "Opening files"),
        ('import codecs\ncodecs.open("x.txt")', "Opening files"),
        ('import tokenize\ntokenize.open("x.txt")', "Opening files"),
        ('os.listdir(".")', "Reading directories"),
        ('list(os.scandir("."))', "Reading directories"),
        ('list(pathlib.Path(".").glob("*"))', "Reading directories"),
        ('os.remove("x.txt")', "Changing files"),
        ('pathlib.Path("d").mkdir()', "Changing files"),
        ('httpx.get("http://127.0.0.1:9/")', "Network access"),
        ('urllib.request.urlopen("http://127.0.0.1:9/")', "Network access"),
        ("socket.socket()", "Network access"),
        ('socket.create_connection(("127.0.0.1", 9))', "Network access"),
        ('subprocess.run(["true"])', "Starting processes"),
        ('os.system("true")', "Starting processes"),
        ("time.sleep(0)", "Sleeping"),
        ('sqlite3.connect(":memory:")', "Another database"),
        ("from time import sleep\nsleep(0)", "Sleeping"),
    ],
)
def test_what_reaches_outside_is_refused_with_advice(tmp_path, body, what):
    with pytest.raises(CallFailed) as caught:
        run(tmp_path, body)
    message = str(caught.value)
    assert message.startswith(f"{what} (")
    assert "can't be used in queries and mutations" in message
    assert "Do it in an action (`async def`)" in message


def test_an_author_may_catch_it(tmp_path):
    body = 'try:\n    open("x")\nexcept Exception as error:\n    return type(error).__name__'
    assert run(tmp_path, body) == "SideEffectRefused"


def test_modules_may_read_files_while_they_are_loaded(tmp_path):
    (tmp_path / "words.txt").write_text("hello")
    source = """
        import pathlib
        from rewake import QueryCtx, query
        WORDS = (pathlib.Path(__file__).parent.parent / "words.txt").read_text()

        @query
        def words(ctx: QueryCtx) -> str:
            return WORDS
    """

    async def story(stage: Stage) -> None:
        assert await stage.query("m:words") == "hello"

    play(tmp_path, story, m=source)


def test_the_guard_holds_for_its_thread_and_until_its_end(tmp_path):
    install_guard()
    file = tmp_path / "x"
    file.write_text("x")
    current.is_guarded = True
    try:
        with unguarded(), unguarded():
            assert file.read_text() == "x"
        with pytest.raises(SideEffectRefused):
            file.read_text()
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(file.read_text()))
        thread.start()
        thread.join()
        assert found == ["x"]
    finally:
        current.is_guarded = False
    assert file.read_text() == "x"

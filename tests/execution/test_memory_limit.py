"""A run that met a MemoryError has failed, however its author catches that."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest
from msgspec.structs import replace

from rewake.execution import memory_limit
from rewake.execution.memory_limit import looking
from rewake.limits import DEFAULT_LIMITS, MIB
from tests.execution.worker_stage import MAIN, CallFailed, Stage, play

TIGHT = replace(DEFAULT_LIMITS, worker_memory_bytes_max=64 * MIB)
CATCHING = {
    "any exception": """
        try:
            hoard()
        except Exception as error:
            print("caught", error)
    """,
    "by its name, in a loop": """
        for _ in range(3):
            try:
                hoard()
            except MemoryError:
                continue
    """,
    "everything, for ever": """
        while True:
            try:
                try:
                    hoard()
                except BaseException:
                    pass
            except BaseException:
                pass
    """,
    "as another one": """
        try:
            try:
                hoard()
            except Exception:
                raise KeyError("a") from None
        except KeyError:
            pass
    """,
    "in a group": """
        try:
            hoard()
        except* MemoryError:
            pass
    """,
    "in finally": """
        def clean():
            try:
                hoard()
            finally:
                return 1
        clean()
    """,
    "in a generator": """
        def count():
            while True:
                try:
                    hoard()
                except BaseException:
                    yield 1
        try:
            next(count())
        except BaseException:
            pass
    """,
    "in a context manager of their own": """
        @contextmanager
        def calm():
            try:
                yield
            except Exception:
                pass
        with calm():
            hoard()
    """,
    "by suppress": """
        with suppress(Exception):
            hoard()
    """,
    "at once, too much to be given": """
        try:
            bytes(2**50)
        except MemoryError:
            pass
    """,
    "in a nested mutation": """
        if not is_nested:
            try:
                ctx.run_mutation("main:catch", number=number, is_nested=True)
            except BaseException:
                pass
        else:
            try:
                hoard()
            except MemoryError:
                pass
    """,
}


def _source() -> str:
    cases = "".join(
        f"if number == {number}:\n{indent(dedent(body), '    ')}\n"
        for number, body in enumerate(CATCHING.values())
    )
    head = """
        from contextlib import contextmanager, suppress

        def hoard():
            held = []
            while True:
                held.append(bytes(2**20))

        @query
        def recover(ctx: QueryCtx) -> list[str]:
            told = []
            try:
                {}["a"]
            except KeyError as error:
                told.append(str(error))
            finally:
                told.append("finally")
            with suppress(ValueError):
                int("x")
            return told

        @mutation
        def catch(ctx: MutationCtx, number: int, is_nested: bool = False) -> str:
            ctx.db.insert(Counter(name="before", value=1.0))
    """
    tail = """
            ctx.db.insert(Counter(name="after", value=1.0))
            return "done"
    """
    inner = indent(cases, "    ")
    return dedent(MAIN) + dedent(head) + inner + indent(dedent(tail), "    ")


def test_whoever_catches_a_memory_error_has_failed_all_the_same(tmp_path: Path) -> None:
    text = r"^Function execution ran out of memory \(maximum memory usage: 64 MB\)\n"

    async def story(stage: Stage) -> None:
        for number, name in enumerate(CATCHING):
            with pytest.raises(CallFailed, match=text):
                print(name, await stage.mutate("main:catch", number=number))
            assert await stage.query("main:get", name="before") == 0, name
            assert await stage.query("main:get", name="after") == 0, name
        assert await stage.query("main:recover") == ["'a'", "finally"], "other errors can be caught"
        assert await stage.mutate("main:increment", name="a") == 1

    play(tmp_path, story, limits=TIGHT, main=_source())


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_limit, "_is_installed", True)


def test_only_handlers_are_changed_and_lines_stay_where_they_are(watching: None) -> None:
    source = b'''"""A docstring."""
from __future__ import annotations
try:
    import nowhere_to_be_found
except ImportError:
    found = 1
finally:
    done = [looks[:], 1 / 0]
'''
    looks: list[int] = []
    names = {"__rewake_caught__": lambda: looks.append(1), "looks": looks}
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(looking(source, "m.py"), "m.py", "exec"), names)
    assert [entry.lineno + 1 for entry in caught.traceback][-1] == 8
    assert (names["__doc__"], names["found"], looks) == ("A docstring.", 1, [1, 1])
    with pytest.raises(SyntaxError):
        looking(b"try: except", "m.py")


def test_long_expressions_are_compiled_as_before(watching: None) -> None:
    source = b"try:\n    n = " + b" + ".join([b"1"] * 900) + b"\nexcept ValueError:\n    n = 0\n"
    names: dict[str, int] = {}
    exec(compile(looking(source, "m.py"), "m.py", "exec"), names)
    assert names["n"] == 900


def test_elsewhere_modules_are_compiled_as_they_stand() -> None:
    source = b"try:\n    pass\nfinally:\n    pass\n"
    assert looking(source, "m.py") is source

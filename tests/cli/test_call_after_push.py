"""`rewake dev --run`: a call after each push that went well."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.call_after_push import wanted_call
from rewake.cli.failure import WrongUsage
from tests.cli.command import Running, free_port, run_apart

FILL = '''
from rewake import MutationCtx, internal_mutation
from .schema import Message


@internal_mutation
def fill(ctx: MutationCtx, author: str = "nobody") -> int:
    """Some data to look at."""
    if author == "refused":
        raise ValueError("not them")
    ctx.db.insert(Message(author=author, body="sample"))
    return len(ctx.db.query(Message).collect())
'''


def test_arguments_are_an_object_and_go_with_a_function() -> None:
    assert wanted_call(None, None) is None
    wanted = wanted_call("seed:fill", '{"author": "ada"}')
    assert wanted is not None
    assert (wanted.path, wanted.arguments) == ("seed:fill", '{"author": "ada"}')
    with pytest.raises(WrongUsage, match="goes with --run"):
        wanted_call(None, "{}")
    with pytest.raises(WrongUsage):
        wanted_call("seed:fill", "[1]")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_it_is_called_after_each_push_that_went_well(project: Path, workers: str) -> None:
    file = project / "backend" / "seed.py"
    file.write_text(FILL)
    words = ("dev", "--port", str(free_port()), "--workers", workers, "--run", "seed:fill")
    with Running(*words, cwd=project) as dev:
        dev.wait_for(r"ran +seed:fill +1")
        file.write_text(FILL.replace("nobody", "somebody") + "\nx = 1 / 0\n")
        dev.wait_for("kept ")
        file.write_text(FILL.replace("nobody", "somebody"))
        dev.wait_for(r"ran +seed:fill +2")
        # How it fails is shown, and ends nothing.
        file.write_text(FILL.replace("nobody", "refused"))
        dev.wait_for(r"problem +seed:fill failed: .*ValueError: not them")
        file.write_text(FILL.replace("def fill", "def other"))
        dev.wait_for(r"problem +There is no function `seed:fill` to run")
        file.write_text(FILL)
        dev.wait_for(r"ran +seed:fill +3")


def test_once_with_a_call_is_for_ci(project: Path) -> None:
    (project / "backend" / "seed.py").write_text(FILL)
    words = ("dev", "--once", "--run", "seed:fill", "--run-args")
    done = run_apart(*words, '{"author": "ada"}', cwd=project)
    assert done.code == 0, done.err
    assert "ran seed:fill  1" in done.out + done.err
    done = run_apart(*words, '{"author": "refused"}', cwd=project)
    assert done.code == 1
    assert "ValueError: not them" in done.err

"""Exit codes are a promise to scripts."""

from __future__ import annotations

from rewake.cli.failure import CommandFailed, ExitCode, ServerUnreachable, WrongUsage
from rewake.errors import RewakeError


def test_exit_codes_never_change() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "INTERRUPTED": 130,
    }


def test_each_kind_of_failure_has_its_code() -> None:
    kinds = (CommandFailed, WrongUsage, ServerUnreachable)
    assert [kind("x").exit_code for kind in kinds] == [1, 2, 3]
    assert all(issubclass(kind, RewakeError) for kind in kinds)


def test_a_failure_carries_detail_and_hint() -> None:
    failure = CommandFailed("no", detail="here", hint="do that")
    assert (str(failure), failure.detail, failure.hint) == ("no", "here", "do that")

"""The mark that tells from outside what a worker runs."""

from __future__ import annotations

import os

import pytest

from rewake.execution.run_mark import RunMark


def test_it_says_what_runs_and_since_when_until_it_is_cleared() -> None:
    mark = RunMark.make()
    assert mark.read() is None
    mark.set(0, 12.5)
    assert mark.read() == (0, 12.5)
    mark.clear()
    assert mark.read() is None
    mark.close()
    mark.close()


def test_both_ends_see_the_same() -> None:
    front = RunMark.make()
    worker = RunMark(os.dup(front.descriptor))
    worker.set(7, 1.0)
    assert front.read() == (7, 1.0)
    worker.close()
    assert front.read() == (7, 1.0)
    front.close()


@pytest.mark.parametrize("has_memfd", [True, False])
def test_what_is_left_behind_replaces_what_was_there(
    has_memfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    front = RunMark.make()
    assert front.left() == b""
    worker = RunMark(os.dup(front.descriptor))
    for text in (b"some", b"x" * 3_000_000, b"", b"less"):
        worker.leave(text)
        assert front.left() == text
    worker.set(7, 1.0)
    assert (front.read(), front.left()) == ((7, 1.0), b"less")
    worker.close()
    front.close()


def test_who_dies_while_leaving_has_left_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = RunMark.make()
    mark.leave(b"of the last group")

    def die(*_: object) -> int:
        raise SystemExit

    monkeypatch.setattr(os, "pwrite", die)
    with pytest.raises(SystemExit):
        mark.leave(b"of this group")
    assert mark.left() == b""
    mark.close()

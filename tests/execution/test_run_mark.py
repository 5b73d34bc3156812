"""The mark that tells from outside what a worker runs."""

from __future__ import annotations

import os
from collections import Counter

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


def test_who_looks_while_a_run_begins_sees_it_begin_now() -> None:
    # A mark that was stored in pieces has had writers killed that had just begun: their run seemed ages old.
    mark = RunMark.make()
    begun, ended = os.pipe()
    child = os.fork()
    if child == 0:
        for number in range(1_000_000):
            mark.set(7 + number % 2, 1_000.0)
            mark.clear()
        os.write(ended, b".")
        os._exit(0)
    os.set_blocking(begun, False)
    seen: Counter[tuple[int, float] | None] = Counter()
    while True:
        for _ in range(1_000):
            seen[mark.read()] += 1
        try:
            os.read(begun, 1)
            break
        except BlockingIOError:
            continue
    os.waitpid(child, 0)
    assert seen.keys() <= {None, (7, 1_000.0), (8, 1_000.0)}
    for descriptor in (begun, ended):
        os.close(descriptor)
    mark.close()


@pytest.mark.parametrize("has_memfd", [True, False])
def test_what_is_left_behind_replaces_what_was_there(
    has_memfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    front = RunMark.make()
    assert front.left() == b""
    worker = RunMark(os.dup(front.descriptor))
    for text in (b"some", b"x" * 3_000_000, b"", b"y" * 65_536, b"z" * 65_537, b"less"):
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
        mark.leave(b"of this group" * 10_000)
    assert mark.left() == b""
    mark.close()

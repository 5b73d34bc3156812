"""The mark that tells from outside what a worker runs."""

from __future__ import annotations

import os

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

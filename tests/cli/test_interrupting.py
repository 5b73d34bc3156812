"""Ctrl-C waits for an answer that says what to take back, once."""

from __future__ import annotations

import signal
import threading

import pytest

from rewake.cli.interrupting import unbroken


def test_the_first_waits_for_the_end_of_the_block() -> None:
    done = list[str]()

    def work() -> None:
        with unbroken():
            signal.raise_signal(signal.SIGINT)
            done.append("answered")
        done.append("not reached")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["answered"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_does_not_wait() -> None:
    done = list[str]()

    def work() -> None:
        with unbroken():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == []


def test_an_error_of_the_block_comes_first_and_other_threads_are_left_alone() -> None:
    def fail() -> None:
        with unbroken():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    done = list[str]()

    def work() -> None:
        with unbroken():
            done.append("answered")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["answered"]

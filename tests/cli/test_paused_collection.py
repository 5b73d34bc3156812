"""Imports without the search for garbage; afterwards it is as it was."""

from __future__ import annotations

import gc

import pytest

from rewake.cli.paused_collection import paused_collection


class Knot:
    """Garbage that only a collection finds."""

    alive = 0

    def __init__(self) -> None:
        self.itself = self
        Knot.alive += 1

    def __del__(self) -> None:
        Knot.alive -= 1


def test_nothing_is_collected_meanwhile_and_all_of_it_later() -> None:
    with paused_collection():
        assert not gc.isenabled()
        Knot()
        assert Knot.alive == 1
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0, "what came meanwhile is not kept for ever"
    gc.collect()
    assert Knot.alive == 0


def test_an_import_that_fails_leaves_it_on() -> None:
    with pytest.raises(ImportError), paused_collection():
        raise ImportError("nowhere to be found")
    assert gc.isenabled()


def test_whoever_had_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with paused_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

"""The chance of callers and callees comes out as if every generator had been made at once."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rewake.execution.chance import Chance


class Eager:
    """The reference: made at once."""

    def __init__(self, seed: bytes | int) -> None:
        self.generator = Random(seed)

    def of_callee(self) -> Eager:
        return Eager(self.generator.getrandbits(64))


@given(st.lists(st.tuples(st.sampled_from(["draw", "call"]), st.integers(0, 9)), max_size=30))
def test_it_draws_what_generators_made_at_once_would(steps: list[tuple[str, int]]) -> None:
    lazy, eager = [Chance(lambda: b"seed")], [Eager(b"seed")]
    for what, which in steps:
        number = which % len(lazy)
        if what == "call":
            lazy.append(lazy[number].of_callee())
            eager.append(eager[number].of_callee())
        else:
            assert lazy[number].generator.random() == eager[number].generator.random()
    assert [each.generator.random() for each in lazy] == [each.generator.random() for each in eager]


def test_nothing_is_seeded_before_somebody_draws() -> None:
    asked: list[int] = []

    def seed() -> bytes:
        asked.append(1)
        return b"seed"

    chance = Chance(seed)
    callee = chance.of_callee().of_callee()
    assert asked == []
    assert callee.generator is callee.generator
    assert chance.generator is chance.generator
    assert asked == [1]

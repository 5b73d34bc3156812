"""Request ids: the example of wire 6.1."""

from __future__ import annotations

import re

from rewake.environment import seeded_environment
from rewake.protocol import random_request_id, random_request_ids, session_request_id


def test_the_id_of_a_sessions_call_follows_from_session_and_number() -> None:
    assert session_request_id("3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f", 0) == "0b7f6589656abd68"


def test_other_ids_are_sixteen_digits_of_chance() -> None:
    environment = seeded_environment(1)
    first, second = random_request_id(environment), random_request_id(environment)
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second
    assert re.fullmatch("[0-9a-f]{16}", next(random_request_ids(environment)))

"""State versions stand in a Transition as the object of wire 1.4."""

from __future__ import annotations

import json

from rewake.protocol import ZERO_VERSION, StateVersion
from rewake.protocol.server_messages import transition_start


def test_every_socket_starts_at_zero_and_integers_print_as_integers() -> None:
    version = StateVersion(3, 1, 1_700_000_000_000_000_000)
    text = transition_start(start=ZERO_VERSION, end=version) + b"null}"
    assert json.loads(text) == {
        "type": "Transition",
        "startVersion": {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="},
        "endVersion": {"querySet": 3, "identity": 1, "ts": "AAAqNv6clxc="},
        "clientClockSkew": None,
    }
    assert b'"endVersion":{"querySet":3,"identity":1,"ts":' in text

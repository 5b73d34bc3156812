"""State versions print as the object of wire 1.4."""

from __future__ import annotations

import json

from rewake.protocol import ZERO_VERSION, StateVersion


def test_every_socket_starts_at_zero() -> None:
    assert json.loads(ZERO_VERSION.json) == {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}


def test_integers_print_as_integers() -> None:
    version = StateVersion(3, 1, 1_700_000_000_000_000_000)
    assert version.json == '{"querySet":3,"identity":1,"ts":"AAAqNv6clxc="}'

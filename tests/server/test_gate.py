"""How many connections there may be."""

from __future__ import annotations

import logging

import pytest

from rewake.limits import Limits
from rewake.protocol import LOOPBACK
from rewake.server.gate import Gate

LIMITS = Limits(http_connections_max=5, http_connections_per_address_max=2)


def test_an_address_has_so_many_and_gets_them_back() -> None:
    gate = Gate(LIMITS, LOOPBACK)
    assert [gate.enter("203.0.113.9") for _ in range(3)] == [True, True, False]
    assert gate.enter("203.0.113.10")
    gate.leave("203.0.113.9")
    assert gate.enter("203.0.113.9")


def test_a_trusted_proxy_is_bounded_by_all_connections_only() -> None:
    gate = Gate(LIMITS, LOOPBACK)
    assert [gate.enter("127.0.0.1") for _ in range(6)] == [True] * 5 + [False]
    assert not gate.enter("203.0.113.9")
    gate.leave("127.0.0.1")
    assert gate.enter("203.0.113.9")


def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(LIMITS, LOOPBACK)
    with caplog.at_level(logging.WARNING):
        for _ in range(1002):
            gate.enter("203.0.113.9")
    assert len(caplog.records) == 10
    assert "setting http_connections_per_address_max" in caplog.records[0].getMessage()

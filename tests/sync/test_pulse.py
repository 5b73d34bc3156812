"""What is due by when a socket was heard and spoken to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.limits import DEFAULT_LIMITS
from rewake.sync.closing import CLOSING_SECONDS
from rewake.sync.pulse import Pulse, early_at_most

PING, SILENCE = DEFAULT_LIMITS.socket_ping_seconds, DEFAULT_LIMITS.socket_silence_seconds


def test_a_ping_and_a_message_are_due_each_by_its_own_moment() -> None:
    pulse = Pulse(100.0, DEFAULT_LIMITS)
    assert pulse.next_tick == 100.0 + min(PING, SILENCE)
    assert not pulse.wants_ping(99.9 + PING)
    assert pulse.wants_ping(100.0 + PING)
    pulse.said = 107.0
    assert not pulse.wants_message(106.9 + SILENCE)
    assert pulse.wants_message(107.0 + SILENCE)
    pulse.pinged = 1_000.0
    assert pulse.next_tick == 107.0 + SILENCE


def test_a_client_is_gone_by_its_last_frame_whatever_was_said_to_it() -> None:
    pulse = Pulse(100.0, DEFAULT_LIMITS)
    pulse.said = pulse.pinged = 500.0
    gone = 100.0 + DEFAULT_LIMITS.socket_inactivity_seconds
    assert (pulse.is_gone(gone - 0.1), pulse.is_gone(gone)) == (False, True)
    pulse.heard = gone
    assert not pulse.is_gone(gone)


def test_after_the_end_the_other_side_has_a_while_to_close() -> None:
    pulse = Pulse(100.0, DEFAULT_LIMITS)
    pulse.said = 130.0
    assert pulse.closing_until == 130.0 + CLOSING_SECONDS


def test_an_early_pulse_is_early_with_its_first_ping_and_with_every_message() -> None:
    pulse = Pulse(100.0, DEFAULT_LIMITS, early=2.0)
    assert pulse.next_tick == 98.0 + PING
    assert not pulse.wants_ping(97.9 + PING)
    assert pulse.wants_ping(98.0 + PING)
    pulse.pinged = 98.0 + PING
    assert pulse.next_tick == 98.0 + min(2 * PING, SILENCE)
    pulse.said, pulse.pinged = 200.0, 1_000.0
    assert not pulse.wants_message(197.9 + SILENCE)
    assert pulse.wants_message(198.0 + SILENCE)
    assert pulse.next_tick == 198.0 + SILENCE


@pytest.mark.parametrize(("ping", "silence"), [(5.0, 15.0), (3600.0, 0.1), (0.1, 29.0)])
def test_the_earliest_pulse_still_waits_between_two_messages(ping: float, silence: float) -> None:
    limits = replace(DEFAULT_LIMITS, socket_ping_seconds=ping, socket_silence_seconds=silence)
    pulse = Pulse(100.0, limits, early=early_at_most(limits))
    pulse.said = 200.0
    assert not pulse.wants_message(200.0 + silence / 3)
    assert 0.0 < early_at_most(limits) <= ping

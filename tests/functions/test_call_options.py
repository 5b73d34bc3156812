from __future__ import annotations

import pytest

from rewake.functions.call_options import PLAIN_CALL, CallOptions, InvalidCallLimit


def test_a_plain_call_has_no_conditions() -> None:
    assert (dict(PLAIN_CALL.caps), PLAIN_CALL.is_at_begin) == ({}, False)


def test_conditions_add_up_and_the_later_cap_counts() -> None:
    options = (
        PLAIN_CALL.capped({"documents_read": 5, "bytes_read": None}).at_begin().capped({"documents_read": 3})
    )
    assert options == CallOptions({"documents_read": 3}, is_at_begin=True)
    assert CallOptions() == PLAIN_CALL


@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_a_cap_is_a_whole_number_from_zero_up(value: object) -> None:
    with pytest.raises(InvalidCallLimit) as caught:
        PLAIN_CALL.capped({"documents_read": value})  # type: ignore[dict-item]
    assert caught.value.message == (
        f"`documents_read` in `with_limits` must be a non-negative integer; got {value!r}."
    )
    assert PLAIN_CALL.capped({"documents_read": 0}).caps == {"documents_read": 0}

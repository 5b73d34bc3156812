"""What a client sends ahead is kept in order, and bounded in number and in bytes."""

from __future__ import annotations

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import ReplayKey
from rewake.execution import FunctionCall
from rewake.limits import Limits
from rewake.sync.faults import TooManyConcurrentMutations, TooManyMutationBytes
from rewake.sync.instructions import StartMutation
from rewake.sync.pending_mutations import PendingMutations


def start(number: int, size: int = 2) -> StartMutation:
    call = FunctionCall("a:b", "x" * size)
    return StartMutation(number, call, ANONYMOUS, "request", ReplayKey("session", number))


def test_they_come_out_in_the_order_in_which_they_came() -> None:
    pending = PendingMutations(Limits(socket_mutations_waiting_max=2))
    pending.append(start(1))
    pending.append(start(2))
    with pytest.raises(TooManyConcurrentMutations, match="Only up to 2 pending"):
        pending.append(start(3))
    assert [pending.popleft().number, pending.popleft().number] == [1, 2]
    assert not pending


def test_bytes_are_bounded_and_given_back_and_one_alone_may_be_large() -> None:
    pending = PendingMutations(Limits(socket_mutations_waiting_bytes_max=2000))
    pending.append(start(1, 5000))
    with pytest.raises(TooManyMutationBytes, match="limit: 2000"):
        pending.append(start(2))
    pending.popleft()
    pending.append(start(2, 1500))
    pending.append(start(3, 500))
    with pytest.raises(TooManyMutationBytes) as refused:
        pending.append(start(4, 1))
    assert refused.value.code == "TooManyConcurrentMutations"

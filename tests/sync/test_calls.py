"""Calls: mutations in turn, actions side by side, nothing twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, User
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import Action, Mutation, parse_client_message
from rewake.sync.calls import Calls
from rewake.sync.faults import TooManyActions, TooManyConcurrentMutations

ANNA = User("{}")


def mutation(number: int) -> Mutation:
    message = parse_client_message(
        f'{{"type":"Mutation","requestId":{number},"udfPath":"a:b","args":[{{}}]}}'
    )
    assert isinstance(message, Mutation)
    return message


def action(number: int) -> Action:
    message = parse_client_message(f'{{"type":"Action","requestId":{number},"udfPath":"a:b","args":[{{}}]}}')
    assert isinstance(message, Action)
    return message


def opened(**limits: int) -> Calls:
    calls = Calls(replace(DEFAULT_LIMITS, **limits))  # type: ignore[arg-type]
    calls.session_id = "s"
    return calls


def test_mutations_run_one_after_another_as_whoever_sent_them() -> None:
    calls = opened()
    (first,) = calls.mutation(mutation(1), ANONYMOUS)
    assert calls.mutation(mutation(2), ANNA) == []
    assert calls.mutation(mutation(3), ANONYMOUS) == []
    assert calls.has_mutation_running
    number, (second,) = calls.mutation_finished()
    assert (number, second.number, second.identity) == (1, 2, ANNA)
    assert (first.replay.session, first.replay.request) == ("s", 1)
    assert first.request_id == calls.request_id(1) != second.request_id
    calls.mutation_finished()
    assert calls.mutation_finished() == (3, [])
    assert not calls.has_mutation_running


def test_a_number_is_taken_once_by_mutations_and_actions_together() -> None:
    calls = opened()
    assert calls.mutation(mutation(1), ANONYMOUS)
    assert calls.mutation(mutation(1), ANONYMOUS) == []
    assert calls.action(action(1), ANONYMOUS) == []
    assert calls.mutation_finished() == (1, [])


def test_what_waits_is_bounded_and_can_be_given_up() -> None:
    calls = opened(socket_mutations_waiting_max=1)
    calls.mutation(mutation(1), ANONYMOUS)
    calls.mutation(mutation(2), ANONYMOUS)
    with pytest.raises(TooManyConcurrentMutations):
        calls.mutation(mutation(3), ANONYMOUS)
    calls.forget_waiting()
    assert calls.mutation_finished() == (1, [])


def test_actions_run_beside_each_other_up_to_a_bound() -> None:
    calls = opened(socket_actions_running_max=2)
    assert [calls.action(action(number), ANNA)[0].number for number in (1, 2)] == [1, 2]
    with pytest.raises(TooManyActions):
        calls.action(action(3), ANNA)
    calls.action_finished()
    assert calls.action(action(4), ANNA)

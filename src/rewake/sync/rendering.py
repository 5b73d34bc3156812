"""Rendering: from what a function run came to, to the text that a client receives.

Floor 6, `sync`. Here a failure gets its request id, and a redacted deployment loses error texts and log
lines; the data of an application error always passes (wire 6.1).

Not here: the shape of messages (`protocol/server_messages.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rewake.environment import Environment
from rewake.execution import Failure, MutationOutcome, Success, error_text
from rewake.protocol import random_request_id
from rewake.protocol.server_messages import (
    MODIFICATION_HEAD,
    MODIFICATION_SEPARATOR,
    TRANSITION_END,
    action_failed,
    action_succeeded,
    mutation_failed,
    mutation_succeeded,
    query_failed_tail,
    query_removed,
    query_updated_tail,
)
from rewake.sync.ports import LiveResult


def modification_parts(
    head: bytes,
    removed: Iterable[int],
    updates: Sequence[tuple[int, LiveResult]],
    render: Callable[[LiveResult], bytes],
) -> tuple[bytes, ...]:
    """A Transition from `head`, which comes before its modifications, to the end.

    `render` makes the tail that all subscribers of a result share: it is a part of its own. Nearly every
    Transition has one modification, hence three parts.
    """
    parts: list[bytes] = []
    separator = b""
    if removed:
        head += MODIFICATION_SEPARATOR.join(map(query_removed, removed))
        separator = MODIFICATION_SEPARATOR
    for query_id, live in updates:
        tail = live.rendered
        if tail is None:
            live.rendered = tail = render(live)
        parts += (head + separator + MODIFICATION_HEAD % query_id, tail)
        head, separator = b"", MODIFICATION_SEPARATOR
    parts.append(head + TRANSITION_END)
    return tuple(parts)


def modification_tail(live: LiveResult, environment: Environment, *, redacted: bool) -> bytes:
    """The part of a modification that all subscribers of one result share.

    A failed query's request id is made here, once: sharing the text means sharing the id, which names the
    run.
    """
    result = live.result
    log_lines = () if redacted else result.log_lines
    if isinstance(result, Success):
        return query_updated_tail(value=result.value, log_lines=log_lines, journal=live.journal)
    message = error_text(random_request_id(environment), result, redacted=redacted)
    return query_failed_tail(message=message, data=result.data, log_lines=log_lines, journal=live.journal)


def mutation_response(
    number: int, request_id: Callable[[int], str], outcome: MutationOutcome, *, redacted: bool
) -> bytes:
    """The answer to a mutation. `request_id` makes the id of a request: only failures show it."""
    result = outcome.result
    log_lines = () if redacted else result.log_lines
    if isinstance(result, Success):
        return mutation_succeeded(number, result=result.value, ts=outcome.ts, log_lines=log_lines)
    message = error_text(request_id(number), result, redacted=redacted)
    return mutation_failed(number, message=message, data=result.data, log_lines=log_lines)


def action_response(
    number: int, request_id: Callable[[int], str], result: Success | Failure, *, redacted: bool
) -> bytes:
    """The answer to an action. See `mutation_response`."""
    log_lines = () if redacted else result.log_lines
    if isinstance(result, Success):
        return action_succeeded(number, result=result.value, log_lines=log_lines)
    message = error_text(request_id(number), result, redacted=redacted)
    return action_failed(number, message=message, data=result.data, log_lines=log_lines)

"""From an exception to what clients and authors read."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.errors import ApplicationError, InvalidInput
from rewake.execution import Failure, error_text, failure_of
from rewake.execution.failures import author_traceback
from rewake.limits import DEFAULT_LIMITS
from tests.deployment.stage import CallFailed, Stage, play

FAILING = """
import json
from rewake import ApplicationError, MutationCtx, QueryCtx, mutation, query
from .deep.helper import helper


@query
def deep(ctx: QueryCtx) -> None:
    helper()


@query
def library(ctx: QueryCtx) -> None:
    json.loads("{")


@query
def exits(ctx: QueryCtx) -> None:
    raise SystemExit(2)


@query
def recursive(ctx: QueryCtx) -> None:
    recursive(ctx)


@query
def halved(ctx: QueryCtx) -> None:
    raise ValueError(json.loads('"half \\\\ud800"'))


@query
def nameless(ctx: QueryCtx) -> None:
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    raise Odd


@query
def classless(ctx: QueryCtx) -> None:
    class Odd(Exception):
        @property
        def __class__(self):
            raise RuntimeError("no class")

    raise Odd
"""
HELPER = """def helper():
    raise ValueError("boom")
"""


def failure_in(tmp_path, path: str) -> tuple[str, str | None]:
    found: list = []

    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed) as caught:
            await stage.query(path)
        found.extend([caught.value.failure.message, stage.deployment.call_log.records[-1].traceback])

    play(tmp_path, story, m=FAILING, deep__helper=HELPER)
    return found[0], found[1]


def test_frames_are_the_authors_innermost_first_and_relative(tmp_path):
    message, traceback = failure_in(tmp_path, "m:deep")
    assert message == (
        "Uncaught ValueError: boom\\n"
        "    at helper (../backend/deep/helper.py:2:5)\\n"
        "    at deep (../backend/m.py:9:5)\\n"
    ).replace("\\n", "\n")
    assert traceback is not None
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert "host.py" not in traceback
    assert traceback.endswith("ValueError: boom\n")


def test_no_place_of_the_machine_is_told(tmp_path):
    message, _ = failure_in(tmp_path, "m:library")
    assert message.startswith("Uncaught JSONDecodeError: ")
    assert "    at library (../backend/m.py:14:5)\n" in message
    assert "(/" not in message
    assert str(tmp_path) not in message


def test_whatever_an_author_raises_ends_the_run_and_not_the_server(tmp_path):
    assert failure_in(tmp_path, "m:exits")[0].startswith("Uncaught SystemExit: 2\n")
    recursive = failure_in(tmp_path, "m:recursive")[0]
    assert recursive.startswith("Uncaught RecursionError: ")
    assert len(recursive.encode()) <= DEFAULT_LIMITS.error_message_bytes_max
    nameless = failure_in(tmp_path, "m:nameless")[0]
    assert nameless.startswith("Uncaught Odd: <the error's text could not be made>\n")


def test_a_traceback_is_no_longer_than_the_text_of_an_error():
    try:
        raise ValueError("z" * 5_000_000)
    except ValueError as error:
        text = author_traceback(error, limits=replace(DEFAULT_LIMITS, error_message_bytes_max=300))
    assert len(text) <= 300
    assert "z" * 30 in text


def test_half_a_surrogate_pair_is_shown_as_its_escape_since_it_crosses_no_pipe(tmp_path):
    message, traceback = failure_in(tmp_path, "m:halved")
    assert message.startswith("Uncaught ValueError: half \\ud800\n")
    assert traceback is not None
    assert traceback.endswith("ValueError: half \\ud800\n")


def test_an_exception_that_cannot_even_be_looked_at_still_comes_to_a_failure(tmp_path):
    message, traceback = failure_in(tmp_path, "m:classless")
    assert message == "Uncaught Odd: <the error's text could not be made>\n"
    assert traceback == "Odd: <the error's text could not be made>\n"


@pytest.mark.parametrize(
    ("data", "encoded", "text"),
    [
        (None, "null", "null"),
        ("gone", '"gone"', "gone"),
        ({"code": "x", "n": 1}, '{"code":"x","n":1.0}', '{"code":"x","n":1.0}'),
        ((1, 2), "[1.0,2.0]", "[1.0,2.0]"),
    ],
)
def test_application_errors_carry_their_data(data, encoded, text):
    failure = failure_of(ApplicationError(data), root=None)
    assert failure.data == encoded
    assert failure.message == f"Uncaught ConvexError: {text}\n"


def recursive_list() -> list:
    circle: list = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("data", [object(), {1: 2}, {"$x": 1}, "\ud800", 2**60, {1, 2}, recursive_list()])
def test_data_that_is_no_value_is_named_as_such(data):
    failure = failure_of(ApplicationError(data), root=None)
    assert failure.data is None
    assert failure.message.startswith("ApplicationError data is not a value that clients can receive: ")


def test_errors_of_the_system_stand_as_they_are():
    assert failure_of(InvalidInput("Wrong."), root=None) == Failure("Wrong.\n")


def test_long_messages_are_cut():
    failure = failure_of(ValueError("ü" * 100_000), root=None)
    assert len(failure.message.encode()) <= DEFAULT_LIMITS.error_message_bytes_max
    assert failure.message.endswith("ü\n")


def test_the_text_for_clients_has_the_request_id_and_can_be_redacted():
    failure = Failure("Uncaught ValueError: no\n")
    assert error_text("ab", failure) == "[Request ID: ab] Server Error\nUncaught ValueError: no\n"
    assert error_text("ab", Failure("no")) == "[Request ID: ab] Server Error\nno\n"
    assert error_text("ab", failure, redacted=True) == "[Request ID: ab] Server Error"

"""Values in and out, exceptions, and the log."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rewake.client.errors import CallFailed
from rewake.client.instructions import Outcome
from rewake.client.outcomes import encode_arguments, log, result_of, value_of
from rewake.errors import ApplicationError
from rewake.values import InvalidValue


@pytest.mark.parametrize(
    ("mapping", "named", "text"),
    [
        ((), {}, "{}"),
        ((), {"b": 1, "a": "é"}, '{"a":"é","b":1.0}'),
        (({"path": b"x"},), {}, '{"path":{"$bytes":"eA=="}}'),
        (({"a": 1},), {"b": None}, '{"a":1.0,"b":null}'),
    ],
)
def test_arguments(mapping: tuple[dict[str, Any], ...], named: dict[str, Any], text: str) -> None:
    assert encode_arguments(mapping, named) == text


def test_an_argument_that_is_given_twice() -> None:
    with pytest.raises(TypeError, match="as a keyword: a, b"):
        encode_arguments(({"a": 1, "b": 1},), {"b": 2, "a": 2})
    with pytest.raises(TypeError, match="one mapping"):
        encode_arguments(({}, {}), {})
    assert encode_arguments((None,), {}) == "{}"


def test_an_argument_that_is_no_value() -> None:
    with pytest.raises(InvalidValue):
        encode_arguments((), {"a": object()})


def test_each_caller_gets_a_value_of_its_own() -> None:
    outcome = Outcome("m:f", b'[{"$integer":"AQAAAAAAAAA="}]')
    first, second = value_of(outcome), value_of(outcome)
    assert first == second == [1]
    assert first is not second


def test_a_result_holds_the_value_or_the_error() -> None:
    good, bad = (
        result_of(Outcome("m:f", b"1.0", log_lines=("x",)), 7),
        result_of(Outcome("m:f", None, "no"), 8),
    )
    assert (good.get(), good.log_lines, good.ts) == (1.0, ("x",), 7)
    with pytest.raises(CallFailed, match="no"):
        bad.get()


def test_data_makes_an_application_error_also_when_it_is_null() -> None:
    with pytest.raises(ApplicationError) as raised:
        value_of(Outcome("m:f", None, "x", b"null"))
    assert raised.value.data is None


def test_log_lines_keep_their_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rewake.client.functions")
    log("m:f", ("[LOG] 'a'", "[DEBUG] b", "[WARN] c", "[ERROR] d", "plain", "[ODD] e"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "m:f: 'a'"),
        ("DEBUG", "m:f: b"),
        ("WARNING", "m:f: c"),
        ("ERROR", "m:f: d"),
        ("INFO", "m:f: plain"),
        ("INFO", "m:f: [ODD] e"),
    ]

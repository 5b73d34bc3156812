"""One id per request, the caller's where it is harmless."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from rewake.environment import seeded_environment
from rewake.execution import Failure, Success, error_text
from rewake.http_api.request_id import keeps_request_id, request_id_of


def scope(header: bytes | None = None) -> Scope:
    headers = [(b"host", b"x")]
    return {
        "type": "http",
        "headers": headers if header is None else [*headers, (b"convex-request-id", header)],
    }


def test_an_id_is_made_once() -> None:
    environment = seeded_environment(3)
    one = scope()
    first = request_id_of(one, environment)
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert request_id_of(one, environment) == first
    assert request_id_of(scope(), environment) != first


@pytest.mark.parametrize("header", [b"0b7f6589656abd68", b"3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f", b"a.b:c_d"])
def test_a_brought_id_is_kept(header: bytes) -> None:
    assert request_id_of(scope(header), seeded_environment(3)) == header.decode()


@given(st.binary(max_size=80))
def test_no_brought_id_can_forge_a_line(header: bytes) -> None:
    made = request_id_of(scope(header), seeded_environment(3))
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", made)


def test_a_querys_run_has_its_own_id_unless_the_caller_brought_one() -> None:
    failed = Failure("no", run_id="fedcba9876543210")
    brought = {"type": "http", "headers": [(b"convex-request-id", b"mine")]}
    silent = {"type": "http", "headers": []}
    assert error_text("x", keeps_request_id(silent, failed)).startswith("[Request ID: fedcba9876543210] ")
    assert error_text("mine", keeps_request_id(brought, failed)).startswith("[Request ID: mine] ")
    done = Success("null")
    assert keeps_request_id(brought, done) is done

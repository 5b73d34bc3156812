"""The HTTP API under whatever its description allows and forbids, against a running server with workers.

No answer may be a server error, and each must be of a shape that the description has. The number of requests
is bounded, not their time: `REWAKE_FUZZ_EXAMPLES` asks for more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rewake.http_api.description import description
from tests.http_api.site_stage import KEY, MESSAGES, Site, site_of

EXAMPLES = int(os.environ.get("REWAKE_FUZZ_EXAMPLES", "15"))
CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
LONG_POLLS = ("stream_function_logs", "stream_udf_execution")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("fuzzed"), workers=True, notes=MESSAGES) as served:
        yield served


def operations() -> list[Any]:
    """Every operation of the description."""
    schema = schemathesis.openapi.from_dict(description())
    return [result.ok() for result in schema.get_all_operations()]


def send(operation: Any, site: Site, *, is_admin: bool) -> None:
    """Send what the operation allows and what it does not, and look at the answers."""

    @settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def attempt(case: Any) -> None:
        if is_admin:
            case.headers = {**(case.headers or {}), "Authorization": f"Convex {KEY}"}
            if case.path.endswith(LONG_POLLS):
                # Any other cursor would wait for what comes next.
                case.query = {"cursor": "0"}
        case.call_and_validate(base_url=site.url, checks=CHECKS, timeout=60)

    attempt()


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_strangers_and_administrators_are_answered(operation: Any, site: Site) -> None:
    send(operation, site, is_admin=False)
    send(operation, site, is_admin=True)


def test_the_server_is_as_it_was(site: Site) -> None:
    assert site.query("notes:texts") == []

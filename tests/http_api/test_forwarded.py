"""The scheme that a proxy in front speaks of."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.http_api.forwarded import scheme_of


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, "http"),
        ({"x-forwarded-proto": "https"}, "https"),
        ({"x-forwarded-proto": "https, http"}, "https"),
        ({"x-forwarded-proto": "HTTPS"}, "https"),
        ({"x-forwarded-proto": "gopher"}, "http"),
        ({"forwarded": 'for=1.2.3.4;proto="https", proto=http'}, "https"),
        ({"forwarded": "for=1.2.3.4"}, "http"),
    ],
)
def test_the_first_proxy_is_believed(headers: dict[str, str], scheme: str) -> None:
    scope: dict[str, Any] = {
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert scheme_of(scope) == scheme

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
    assert scheme_of(scope_of("http", headers)) == scheme
    # Proxies speak of a websocket as of the request that it begins with.
    assert scheme_of(scope_of("websocket", headers)) == {"http": "ws", "https": "wss"}[scheme]


def scope_of(kind: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

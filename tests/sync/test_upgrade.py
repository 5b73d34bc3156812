"""The upgrade: paths, headers, and the example of RFC 6455."""

from __future__ import annotations

import json

import pytest

from rewake.errors import InvalidInput
from rewake.protocol import ClientVersion
from rewake.sync.upgrade import SyncPath, check_upgrade, refusal_body, sync_path

GOOD = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "WebSocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/sync", SyncPath(None)),
        ("/api/1.48.0/sync", SyncPath("1.48.0")),
        ("//api/1.48.0/sync", SyncPath("1.48.0")),
        ("/deep/er/api/sync", SyncPath(None)),
        ("/deep/er//api/2.0.0/sync", SyncPath("2.0.0")),
        ("/api/sync/", None),
        ("/api/1.48.0/more/sync", None),
        ("/api/1.48.0/synchronous", None),
        ("/other/api/sync", None),
        ("/", None),
    ],
)
def test_which_paths_are_the_sync_endpoint(path: str, expected: SyncPath | None) -> None:
    assert sync_path(path, prefixes=("/deep/er",)) == expected


def test_the_answer_to_the_key_is_that_of_the_rfc() -> None:
    upgrade = check_upgrade("GET", GOOD, SyncPath("1.48.0"))
    assert upgrade.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert upgrade.client == ClientVersion("npm", (1, 48, 0))


@pytest.mark.parametrize(
    ("method", "changes", "code"),
    [
        ("POST", {}, "MethodNotGet"),
        ("GET", {"connection": "close"}, "InvalidConnectionHeader"),
        ("GET", {"upgrade": "h2c"}, "InvalidUpgradeHeader"),
        ("GET", {"sec-websocket-key": ""}, "WebSocketKeyHeaderMissing"),
        ("GET", {"sec-websocket-key": "AAAA"}, "WebSocketKeyHeaderMissing"),
        ("GET", {"sec-websocket-key": "not base64!"}, "WebSocketKeyHeaderMissing"),
        ("GET", {"sec-websocket-version": "8"}, "InvalidWebSocketVersionHeader"),
        ("GET", {"convex-client": "npm"}, "InvalidClientVersion"),
    ],
)
def test_each_flaw_has_its_code(method: str, changes: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_upgrade(method, {**GOOD, **changes}, SyncPath(None))
    assert json.loads(refusal_body(caught.value)) == {"code": code, "message": caught.value.message}

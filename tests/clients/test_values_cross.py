"""Values keep their type and every bit on the way in, through storage, and out again, in both families."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client_host import ClientHost
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients

# In the encoded form of the protocol, which each family's own codec reads and writes.
ENCODED: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1.5,
    0.1,
    1e300,
    5e-324,
    9007199254740992,
    {"$float": "AAAAAAAA+H8="},
    {"$float": "AAAAAAAAAIA="},
    {"$float": "AAAAAAAA8H8="},
    {"$float": "AAAAAAAA8P8="},
    {"$integer": "AAAAAAAAAAA="},
    {"$integer": "//////////8="},
    {"$integer": "AAAAAAAAAIA="},
    {"$integer": "/////////38="},
    {"$bytes": ""},
    {"$bytes": "AAEC/w=="},
    "",
    "Ünï\u0000cødé 🌊 \u2028",
    [],
    [1, "1", {"$integer": "AQAAAAAAAAA="}, None, [[]]],
    {},
    {"a": {"b": {"c": [{"$bytes": "AAEC"}]}}, "_x": 1, "with space": {"$float": "AAAAAAAAAIA="}},
]


@pytest.fixture(params=["npm", "pypi"])
def family(request: pytest.FixtureRequest) -> ClientHost:
    """Each official family in turn."""
    host: ClientHost = request.getfixturevalue(request.param)
    return host


def same(received: list[Any], sent: list[Any]) -> bool:
    """Whether both are the same to the type: in Python `True == 1.0`, on the wire it is not."""
    return [repr(_floats(each)) for each in received] == [repr(_floats(each)) for each in sent]


def _floats(value: Any) -> Any:
    # A Float64 is `1` or `1.0` in JSON, as each family likes.
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [_floats(each) for each in value]
    if isinstance(value, dict):
        return {key: _floats(each) for key, each in sorted(value.items())}
    return value


def test_a_client_gets_back_what_it_sent_over_the_socket(
    shared_server: ServerProcess, family: ClientHost
) -> None:
    client = family.open(shared_server.url)
    assert same([client.query("values:echo", {"value": value}) for value in ENCODED], ENCODED)


def test_a_client_gets_back_what_it_stored(shared_server: ServerProcess, family: ClientHost) -> None:
    client = family.open(shared_server.url)
    keys = [client.mutation("values:keep", {"value": value}) for value in ENCODED]
    assert same([client.query("values:kept", {"key": key}) for key in keys], ENCODED)


def test_a_client_gets_back_what_it_sent_over_http(shared_server: ServerProcess, family: ClientHost) -> None:
    client = family.open_http(shared_server.url)
    assert same([client.query("values:echo", {"value": value}) for value in ENCODED], ENCODED)


def test_annotated_arguments_arrive_as_their_python_types(
    shared_server: ServerProcess, family: ClientHost
) -> None:
    args = {"number": 3, "exact": {"$integer": "AwAAAAAAAAA="}, "data": {"$bytes": "AA=="}, "ratio": 2}
    assert family.open(shared_server.url).query("values:kinds", args) == ["int", "Int64", "bytes", "float"]

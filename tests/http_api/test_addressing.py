"""Which function, and which client."""

from __future__ import annotations

import msgspec
import pytest
from starlette.requests import Request

from rewake.execution import FunctionCall
from rewake.http_api.addressing import client_of, function_call, path_of_url
from rewake.http_api.errors import MissingIdentifier
from rewake.protocol import UNKNOWN_CLIENT, InvalidClientVersion, InvalidFunctionPath


def test_a_call_keeps_its_path_and_arguments_as_written() -> None:
    call = function_call("m.js:f", msgspec.Raw(b'[ {"n": 1} ]'), component="c")
    assert call == FunctionCall("m.js:f", '{"n": 1}', "c")


@pytest.mark.parametrize("path", ["", ":", "m:", "a b:f", "m.ts:f", "m:f:g", "/m:f", "é:f", "\ud800"])
def test_what_cannot_be_a_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidFunctionPath) as caught:
        function_call(path, msgspec.Raw(b"{}"))
    assert caught.value.code == "BadConvexFunctionIdentifier"
    assert f"{path} is not a valid path to a Convex function." in caught.value.message


@pytest.mark.parametrize(
    ("segments", "path"),
    [("m/f", "m:f"), ("dir/m/f", "dir/m:f"), ("m.js/f", "m.js:f"), ("m/default", "m:default")],
)
def test_the_last_segment_is_the_function(segments: str, path: str) -> None:
    assert path_of_url(segments) == path


@pytest.mark.parametrize("segments", ["", "m", "/f", "m/", "/"])
def test_fewer_than_two_segments_name_nothing(segments: str) -> None:
    with pytest.raises(MissingIdentifier):
        path_of_url(segments)


def asked_by(client: str | None) -> Request:
    headers = [] if client is None else [(b"convex-client", client.encode())]
    return Request({"type": "http", "headers": headers})


def test_a_client_says_its_name_or_nothing() -> None:
    assert client_of(asked_by("npm-cli-1.48.0"))[:2] == ("npm-cli", (1, 48, 0))
    assert client_of(asked_by(None)) == UNKNOWN_CLIENT


@pytest.mark.parametrize("client", ["", "npm", "npm-1.2", "1.2.3", "npm-" + "9" * 5000 + ".0.0"])
def test_a_client_that_cannot_be_read_is_refused(client: str) -> None:
    with pytest.raises(InvalidClientVersion):
        client_of(asked_by(client))

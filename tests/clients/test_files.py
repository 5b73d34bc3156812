"""Files from outside: official clients upload and fetch, and a server dies at every point that could hurt.

After each death and a new start there is a file with its bytes or there is nothing: no document without
bytes, and no bytes without a document once the sweep has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.blobs.bucket_server import bucket_server
from tests.clients.client_host import ClientHost
from tests.clients.deadline import Deadline
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients

HELLO = b"hello, files"
SWEEP_SECONDS = 30.0


def call(server: ServerProcess, kind: str, path: str, **args: Any) -> Any:
    answer = httpx.post(
        f"{server.url}/api/{kind}", json={"path": path, "args": args, "format": "json"}
    ).json()
    assert answer["status"] == "success", answer
    return answer["value"]


def upload(server: ServerProcess, content: bytes = HELLO) -> str:
    url = call(server, "mutation", "files:upload_url")
    answer = httpx.post(url, content=content, headers={"Content-Type": "text/plain"}, timeout=60)
    assert answer.status_code == 200, answer.text
    id: str = answer.json()["storageId"]
    return id


def bytes_under(server: ServerProcess) -> list[Path]:
    return [path for path in Path(f"{server.data}-files").rglob("*") if path.is_file()]


def test_npm_uploads_as_the_guide_says_and_watches_the_url(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    given = {"path": "files:upload_url", "type": "text/plain", "text": HELLO.decode()}
    id = npm.ask("upload", client=client.name, **given).wait()
    watched = client.subscribe("files:url", {"id": id})
    url = watched.wait_value(lambda value: value is not None)
    assert url.startswith(f"{server.url}/api/storage/")
    found = httpx.get(url)
    assert (found.content, found.headers["content-type"]) == (HELLO, "text/plain")
    client.mutation("files:remove", {"id": id})
    watched.wait_value(lambda value: value is None)
    assert httpx.get(url).status_code == 404


def test_an_action_in_a_process_of_its_own_has_the_bytes(server: ServerProcess, pypi: ClientHost) -> None:
    http = pypi.open(server.url)
    shouted = http.call("action", "files:shout", {"id": upload(server, HELLO * 100_000)}).wait()
    assert httpx.get(call(server, "query", "files:url", id=shouted)).content == HELLO.upper() * 100_000


def test_files_in_a_bucket_and_urls_as_the_operator_says(
    make_server: Callable[..., ServerProcess], pypi: ClientHost
) -> None:
    with bucket_server() as place:
        server = make_server(PROJECT, "--url", "https://chat.example/")
        server.environment = {"REWAKE_FILES": f"{place}/chat"}
        server.start()
        upload_url = call(server, "mutation", "files:upload_url")
        here = upload_url.replace("https://chat.example", server.url)
        assert here != upload_url
        id = httpx.post(here, content=HELLO, timeout=60).json()["storageId"]
        shouted = pypi.open(server.url).call("action", "files:shout", {"id": id}).wait()
        url = call(server, "query", "files:url", id=shouted)
        assert url.startswith("https://chat.example/api/storage/")
        assert httpx.get(url.replace("https://chat.example", server.url)).content == HELLO.upper()
        assert bytes_under(server) == []
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "is_file"),
    [
        ("files.after_begin", False),
        ("files.before_durable", False),
        ("files.before_commit", False),
        ("files.after_commit", True),
    ],
)
def test_a_death_during_an_upload_leaves_a_file_or_nothing(
    make_server: Callable[..., ServerProcess], point: str, is_file: bool
) -> None:
    server = make_server()
    server.start(kill_point=f"{point}:1")
    with pytest.raises(httpx.TransportError):
        upload(server, HELLO * 300_000)
    server.wait_killed(30)
    server.start()
    if is_file:
        (document,) = call(server, "query", "files:listed")
        assert httpx.get(call(server, "query", "files:url", id=document["_id"])).content == HELLO * 300_000
        return
    assert call(server, "query", "files:listed") == []
    swept(server)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["files.before_remove", "files.before_forget"])
def test_a_death_during_a_sweep_is_made_good(make_server: Callable[..., ServerProcess], point: str) -> None:
    server = make_server()
    server.start(kill_point=f"{point}:1")
    id = upload(server)
    call(server, "mutation", "files:remove", id=id)
    server.wait_killed(SWEEP_SECONDS)
    assert bytes_under(server) if point == "files.before_remove" else not bytes_under(server)
    server.start()
    assert call(server, "query", "files:listed") == []
    swept(server)


def swept(server: ServerProcess) -> None:
    """Wait until nothing is left, of bytes and of documents."""
    deadline = Deadline(SWEEP_SECONDS)
    while call(server, "query", "files:blobs") or bytes_under(server):
        assert not deadline.is_over, (call(server, "query", "files:blobs"), bytes_under(server))

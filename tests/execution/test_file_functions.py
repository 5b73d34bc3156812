"""System functions about files. Their transactions are tested in `tests/database/test_files.py`."""

from __future__ import annotations

import re

from rewake.auth import ANONYMOUS
from rewake.execution import FunctionCall, Success, Visibility
from rewake.testing import Backend
from rewake.values import decode_stored, encode


def ask(backend: Backend, name: str, **arguments: object) -> object:
    deployment = backend.deployment
    call = FunctionCall(f"_system/files:{name}", encode(arguments))  # type: ignore[arg-type]
    outcome = backend.loop.run(
        deployment.mutate(call, ANONYMOUS, request_id="", visibility=Visibility.INTERNAL)
    )
    assert isinstance(outcome.result, Success), outcome.result
    return decode_stored(outcome.result.value)


def test_from_begin_to_forget() -> None:
    with Backend.from_functions() as backend:
        key = ask(backend, "begin")
        assert isinstance(key, str)
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key)
        assert ask(backend, "begin") != key
        id = ask(backend, "commit", key=key, sha256="c2hh", size=5.0, content_type=None)
        assert ask(backend, "facts", id=id) == {
            "id": id,
            "key": key,
            "sha256": "c2hh",
            "size": 5.0,
            "content_type": None,
        }
        backend.loop.run(backend.deployment.variables.announce(cloud_url="https://chat.example", site_url=""))
        assert ask(backend, "url", id=id) == f"https://chat.example/api/storage/{key}"
        url = ask(backend, "upload_url", max_bytes=0.0)
        assert isinstance(url, str)
        assert url.startswith("https://chat.example/api/storage/upload?token=")
        ask(backend, "delete", id=id)
        assert ask(backend, "facts", id=id) is None
        assert ask(backend, "metadata", id=id) is None
        ask(backend, "forget", keys=[key])
        assert ask(backend, "doom_stale", before_ms=2.0**52, limit=10.0) == 1.0

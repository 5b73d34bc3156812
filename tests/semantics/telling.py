"""What the tests of this folder share: a refusal told in exact words, and calls as a client makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rewake.errors import RewakeError
from rewake.testing import Caller, FunctionFailed


@contextmanager
def told(text: str) -> Iterator[None]:
    """What is done inside is refused with exactly this text."""
    with pytest.raises(RewakeError) as caught:
        yield
    assert caught.value.message == text


def failure(caller: Caller, path: str, /, **arguments: Any) -> str:
    """What a client reads when its call of a query fails."""
    with pytest.raises(FunctionFailed) as caught:
        caller.query(path, **arguments)
    return caught.value.message

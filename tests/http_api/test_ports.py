"""The fake that these tests stand on has the port's methods, with the port's parameters."""

from __future__ import annotations

import inspect

import pytest

from rewake.http_api.ports import Backend
from tests.http_api.fake_backend import FakeBackend

METHODS = [name for name, member in vars(Backend).items() if inspect.isfunction(member) and name[0] != "_"]
PROPERTIES = [name for name, member in vars(Backend).items() if isinstance(member, property)]


def typed(backend: Backend) -> Backend:
    """For the type checker: what is handed in is a Backend."""
    return backend


@pytest.mark.parametrize("name", METHODS)
def test_the_fake_takes_what_the_port_takes(name: str) -> None:
    assert inspect.signature(getattr(FakeBackend, name)) == inspect.signature(getattr(Backend, name))


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_fake_knows_what_the_port_knows(name: str) -> None:
    assert hasattr(typed(FakeBackend()), name)

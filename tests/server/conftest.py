"""A deployment without functions, in memory, for tests of the server."""

import pytest

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.execution import registry_of
from rewake.schema import Schema

KEY = "empty|00ff"


@pytest.fixture
def open_deployment():
    """A function that opens a deployment in the running loop."""

    async def open_one() -> Deployment:
        return await Deployment.open(
            data=":memory:",
            registry=registry_of([], Schema()),
            name="empty",
            version="1",
            admin_key=AdminKey(KEY),
        )

    return open_one

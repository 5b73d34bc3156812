"""Stories are told with functions in threads and in worker processes, like those of one deployment."""

from __future__ import annotations

from tests.deployment.conftest import place

__all__ = ["place"]

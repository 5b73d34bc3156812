"""Surroundings: what is there unless a runner says otherwise."""

from __future__ import annotations

import pytest

from rewake.auth import UploadSeal
from rewake.database import CursorSeal
from rewake.execution import Surroundings
from rewake.execution.mutation_files import FilesOutOfPlace


def test_without_a_place_for_files_there_are_none() -> None:
    around = Surroundings(seed=lambda: b"", cursors=CursorSeal(b"s" * 32), uploads=UploadSeal(b"s" * 32))
    assert around.deployment_name == ""
    with pytest.raises(FilesOutOfPlace):
        around.blobs()

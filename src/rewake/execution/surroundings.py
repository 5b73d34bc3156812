"""Surroundings: what all runs of a deployment in one process share.

Floor 3, `execution`. Made once by whoever runs functions, and handed to the host of each run.

Not here: what differs from run to run (`host.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rewake.auth import UploadSeal
from rewake.blobs import BlobStore
from rewake.database import CursorSeal
from rewake.execution.mutation_files import FilesOutOfPlace


def _no_blobs() -> BlobStore:
    raise FilesOutOfPlace()


class Surroundings(msgspec.Struct, frozen=True):
    """See the head of this module."""

    seed: Callable[[], bytes]
    """What a run's chance begins with, asked by runs that draw."""
    cursors: CursorSeal
    uploads: UploadSeal
    blobs: Callable[[], BlobStore] = _no_blobs
    deployment_name: str = ""

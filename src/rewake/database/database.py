"""The database of one deployment: engine, catalog, limits and environment in one bundle.

Floor 2, `database`. Everything that a process holds of a deployment's data hangs here, and nothing is global:
one server will hold many.

    Database.open(path) -> .group_commit()   the one writer
                        -> .reader()         as many as there are readers
                        -> .last_ts()        what a front asks at start

Not here: who uses them when (`execution`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from rewake.auth import UploadSeal
from rewake.blobs import BlobStore, open_blobs
from rewake.database.active_schema import ActiveSchemas
from rewake.database.catalog import CatalogCache
from rewake.database.cursors import CursorSeal
from rewake.database.group_commit import GroupCommit
from rewake.database.snapshots import Reader
from rewake.environment import Environment
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.storage import CheckpointResult, Durability, Engine, LogRow, ReaderStore, Role, open_database


class Database:
    """One deployment's data, as one process sees it."""

    def __init__(
        self, engine: Engine, *, environment: Environment, limits: Limits, name: str = "", files: str = ""
    ) -> None:
        self.engine = engine
        self.name = name
        """What the deployment is called; functions can ask."""
        self.environment = environment
        self.limits = limits
        self.schemas = ActiveSchemas()
        self.cursors = CursorSeal(engine.secret)
        self.uploads = UploadSeal(engine.secret)
        self.files = files or str(engine.path.with_name(f"{engine.path.name}-files"))
        """Where the bytes of files are: `blobs/place.py`."""
        self._catalogs = CatalogCache()
        # For questions about the latest commit; made when first asked.
        self._watch: ReaderStore | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        environment: Environment,
        name: str = "",
        limits: Limits = DEFAULT_LIMITS,
        files: str = "",
        role: Role = Role.OWNER,
        durability: Durability = Durability.FULL,
    ) -> Database:
        """Open the data file at `path`, making it if there is none. `:memory:` is one that goes with us.
        `files` is the place for the bytes of files: beside the data file where nothing is said.

        Raises:
            DataFileRefused: it is locked, foreign, from the future, or cannot be there.
        """
        engine = open_database(path, environment=environment, role=role, durability=durability)
        return cls(engine, name=name, environment=environment, limits=limits, files=files)

    @cached_property
    def blobs(self) -> BlobStore:
        """The bytes of files. Made in the process that first asks, which may be a fork.

        Raises:
            BlobPlaceInvalid, BlobStoreFailed: there can be none at `files`.
        """
        return open_blobs(self.files, is_synced=self.engine.durability is not Durability.OFF)

    @property
    def imports_folder(self) -> Path:
        """Where files lie that are to be imported, as long as that takes."""
        return self.engine.path.with_name(f"{self.engine.path.name}-imports")

    def group_commit(self) -> GroupCommit:
        """The writer. Keep one at a time in the whole deployment."""
        return GroupCommit(
            self.engine.writer(),
            catalogs=self._catalogs,
            schemas=self.schemas,
            environment=self.environment,
            limits=self.limits,
        )

    def reader(self) -> Reader:
        """A reader with a connection of its own."""
        return Reader(
            self.engine.reader(), catalogs=self._catalogs, environment=self.environment, limits=self.limits
        )

    def last_ts(self) -> int:
        """The timestamp of the latest commit; 0 in a new deployment."""
        return self._watching().head().last_ts

    def log_rows(self, *, after: int) -> Iterator[LogRow]:
        """The commit log above `after`, oldest first: how a follower that fell behind catches up."""
        return self._watching().log_rows(after=after)

    def checkpoint(self) -> CheckpointResult:
        """See `Engine.checkpoint`."""
        return self.engine.checkpoint()

    def close(self) -> None:
        """Give the file up. Writer and readers are closed by who made them, before."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self.engine.close()

    def _watching(self) -> ReaderStore:
        if self._watch is None:
            self._watch = self.engine.reader()
        return self._watch

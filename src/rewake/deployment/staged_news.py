"""Staged news: what operators are told of documents and staged validators.

Floor 5, `deployment`. A line in the log when it becomes known that all documents of a table fit, or which one
does not. Warnings, since each asks for something to be done.

Not here: finding out (`database/staged_validators.py`). Source: semantics 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping

from rewake.database import StagedState, StagedVerdict
from rewake.observability import logger

_log = logger(__name__)


class StagedNews:
    """Tells each thing once."""

    def __init__(self) -> None:
        self._told: Mapping[str, StagedVerdict] = {}

    def hear(self, verdicts: Mapping[str, StagedVerdict]) -> None:
        """Say what has changed since."""
        for table, verdict in verdicts.items():
            told = self._told.get(table)
            if told is not None and (told.state, told.document) == (verdict.state, verdict.document):
                continue
            if verdict.state is StagedState.VALID:
                _log.warning(
                    'All documents in table "%s" fit its staged validator: it can be made the table\'s own.',
                    table,
                )
            elif verdict.state is StagedState.INVALID:
                _log.warning(
                    'Document with ID "%s" in table "%s" does not fit the staged validator: %s',
                    verdict.document,
                    table,
                    verdict.error,
                )
        self._told = dict(verdicts)

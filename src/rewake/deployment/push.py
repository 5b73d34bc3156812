"""A push, for people: what is different between the code that served and the code that serves.

Floor 5, `deployment`. Not here: the switch itself (`execution/code_switch.py`), loading code
(`execution/loader.py`).
Source: semantics 2.5, 7.1.
"""

from __future__ import annotations

import msgspec

from rewake.database import SchemaChange
from rewake.execution import Analysis


class PushReport(msgspec.Struct, frozen=True):
    """What a push changed, for people. Names in order."""

    tables_added: tuple[str, ...]
    indexes_added: tuple[str, ...]
    indexes_removed: tuple[str, ...]
    functions_added: tuple[str, ...]
    functions_changed: tuple[str, ...]
    functions_removed: tuple[str, ...]
    auth_added: tuple[str, ...]
    """Auth providers."""
    auth_removed: tuple[str, ...]
    crons_added: tuple[str, ...]
    crons_updated: tuple[str, ...]
    crons_deleted: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


def differences(before: Analysis, after: Analysis, changes: SchemaChange) -> PushReport:
    """Compare two versions of a project."""
    old = {facts.path.public for facts in before.functions}
    new = {facts.path.public for facts in after.functions}
    trusted, trusting = set(map(str, before.auth_providers)), set(map(str, after.auth_providers))
    old_crons = {cron.identifier: cron for cron in before.crons}
    crons = {cron.identifier: cron for cron in after.crons}
    return PushReport(
        tables_added=tuple(changes.tables_added),
        indexes_added=tuple(changes.indexes_added),
        indexes_removed=tuple(changes.indexes_removed),
        functions_added=tuple(sorted(new - old)),
        functions_changed=tuple(
            sorted(name for name in new & old if before.code_hash(name) != after.code_hash(name))
        ),
        functions_removed=tuple(sorted(old - new)),
        auth_added=tuple(sorted(trusting - trusted)),
        auth_removed=tuple(sorted(trusted - trusting)),
        crons_added=tuple(sorted(crons.keys() - old_crons.keys())),
        crons_updated=tuple(
            sorted(name for name in crons.keys() & old_crons.keys() if crons[name] != old_crons[name])
        ),
        crons_deleted=tuple(sorted(old_crons.keys() - crons.keys())),
    )

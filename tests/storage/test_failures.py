from __future__ import annotations

import apsw
import pytest

from rewake.errors import Unavailable
from rewake.storage import GroupDoomed, StorageFailed, StorageFull
from rewake.storage.failures import failure_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (apsw.FullError("database or disk is full"), StorageFull),
        (apsw.IOError("disk I/O error"), StorageFailed),
        (apsw.CorruptError("malformed"), StorageFailed),
    ],
)
def test_every_error_of_sqlite_becomes_one_of_ours(error: apsw.Error, kind: type[StorageFailed]) -> None:
    failure = failure_of(error)
    assert type(failure) is kind
    assert isinstance(failure, Unavailable)
    assert failure.status == 503
    assert str(error) in str(failure)


def test_doom_is_not_caught_by_except_exception() -> None:
    doomed = GroupDoomed(failure_of(apsw.FullError("full")))
    assert not isinstance(doomed, Exception)
    assert isinstance(doomed.reason, StorageFull)
    assert "full" in str(doomed)

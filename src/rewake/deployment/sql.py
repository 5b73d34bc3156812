"""SQL of administrators on a deployment that serves: each statement in a process of its own.

Floor 5, `deployment`. The process opens the data file to read, holds one snapshot for at most
`sql_seconds_max`, and is ended a little later whatever it does: a snapshot that is held keeps the write-ahead
log from beginning anew, and a statement that computes takes nothing from those who are served.

Not here: what SQL may do (`database/sql_reading.py`), who may ask (`http_api/sql.py`).
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rewake.database import InvalidSql, SqlJob, SqlTookTooLong
from rewake.deployment.under_way import CallsUnderWay
from rewake.errors import RewakeError, Unavailable
from rewake.limits import Limits

_PROGRAM = ("-m", "rewake.database.sql_process")
_GRACE_SECONDS = 10.0
"""For starting Python and for the way back, beside the time of the statement."""
_REFUSALS: dict[str, type[RewakeError]] = {each.code: each for each in (InvalidSql, SqlTookTooLong)}


class SqlUnavailable(Unavailable):
    """SQL cannot be run on this deployment now."""

    code = "SqlUnavailable"


class Sql:
    """SQL on one deployment."""

    def __init__(self, file: Path, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        most = limits.sql_under_way_max
        self._under_way = CallsUnderWay(most, kind="SQL statements", setting="sql_under_way_max")

    async def run(self, text: str) -> dict[str, Any]:
        """The rows of one statement that reads, on one snapshot: `columns`, `rows` and `isCut`.

        Raises:
            InvalidSql: it is wrong, or does more than read.
            SqlTookTooLong: it was ended.
            RateLimited: as many as the server takes are under way.
            SqlUnavailable: the data is not in a file, or the process failed.
        """
        if not self._file.is_file():
            raise SqlUnavailable("The data of this deployment is in memory, where SQL cannot read it.")
        limits = self._limits
        job = SqlJob(str(self._file), text, limits.sql_rows_max, limits.sql_bytes_max, limits.sql_seconds_max)
        with self._under_way:
            answer = await self._answer(job)
        if "code" not in answer:
            return answer
        refused = _REFUSALS.get(answer["code"])
        raise refused(answer["message"]) if refused is not None else SqlUnavailable(answer["message"])

    async def _answer(self, job: SqlJob) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(job.seconds + _GRACE_SECONDS):
                output, _ = await process.communicate(msgspec.json.encode(job))
            return msgspec.json.decode(output, type=dict[str, Any])
        except TimeoutError:
            raise SqlTookTooLong(seconds=job.seconds) from None
        except msgspec.MsgspecError:
            raise SqlUnavailable("The process that ran the SQL ended without an answer.") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

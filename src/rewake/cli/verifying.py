"""Verifying: `rewake verify`, for a person and for a program.

Floor 8, `cli`. The check itself is `database/verification.py`; here are its verdict in words or as
JSON, and its exit code:

    0  everything agrees
    1  something does not, or the file could not be checked

Not here: repairing. A file that does not agree is restored from a backup, and we want to hear of it.
"""

from __future__ import annotations

from pathlib import Path

from rewake.blobs import open_blobs
from rewake.cli.failure import ExitCode
from rewake.cli.greeting import count, shown_path
from rewake.cli.hosting import files_place
from rewake.cli.project_home import data_place, find_root
from rewake.cli.screen import Screen
from rewake.database import Problem, Verdict, verify
from rewake.environment import Environment
from rewake.execution import read_settings


def verify_file(
    data: Path, screen: Screen, environment: Environment, *, as_json: bool, files: str = ""
) -> ExitCode:
    """Check the data file and the bytes of its files, which are at `files` or beside it, and report.

    Raises:
        DataFileRefused, StorageFailed: it cannot be checked.
    """
    with screen.progress() as show:
        verdict = verify(
            data,
            environment=environment,
            progress=lambda what, done, total: show(f"checking {what}", done, total),
            blobs=open_blobs(files or f"{data}-files"),
        )
    if as_json:
        screen.value({"file": str(data), **verdict.to_json()})
    else:
        _report(data, verdict, screen)
    return ExitCode.OK if verdict.is_clean else ExitCode.FAILED


def what_to_verify(path: Path | None, data: Path | None) -> tuple[Path, str]:
    """The data file that is meant, and the place of its files: of a project's own, where it says; else beside
    the data.
    """
    if path is not None and data is None and not path.is_dir():
        return path, f"{path}-files"
    root = path if path is not None else find_root(Path.cwd())
    place = data_place(root, data).data
    beside = f"{place}-files"
    return place, beside if data is not None else files_place(read_settings(root)) or beside


def _report(data: Path, verdict: Verdict, screen: Screen) -> None:
    screen.say(
        (str(shown_path(data)), "bold"),
        f": {count(verdict.documents, 'document')}, {count(verdict.tables, 'table')}, "
        f"{verdict.index_entries:,} index entries, {count(verdict.log_rows, 'log row')}, "
        f"{count(verdict.replays, 'replay record')}, {count(verdict.files, 'file')}",
    )
    if verdict.is_clean:
        screen.say(("Everything agrees.", "green"))
        return
    for problem in verdict.problems:
        screen.say(("  ! ", "red"), (_place(problem), "bold"), ": ", problem.detail)
    left = verdict.problems_found - len(verdict.problems)
    if left:
        screen.say(f"  and {left:,} more")
    screen.say((f"{verdict.problems_found:,} problems.", "red"), " Nothing was changed.")


def _place(problem: Problem) -> str:
    """Where a problem is: `messages.by_channel j57...`, or what kind of thing it concerns."""
    names = ".".join(name for name in (problem.table, problem.index) if name)
    return " ".join(part for part in (names or problem.kind, problem.document) if part)

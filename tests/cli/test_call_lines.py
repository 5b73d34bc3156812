"""Function runs as lines."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.cli.call_lines import call_lines, duration, file_stamp, local_clock, log_moment, plain_lines
from rewake.execution import CallRecord, LimitReached, RunLogLine

TRACEBACK = 'Traceback (most recent call last):\n  File "backend/m.py", line 3, in f\nValueError: no\n'


def record(
    *,
    error: str | None = None,
    traceback: str | None = None,
    log_lines: tuple[RunLogLine, ...] = (),
    path: str = "messages:send",
) -> CallRecord:
    return CallRecord(path, "mutation", 0.0018, log_lines, error, traceback, "1f")


def text_of(given: CallRecord) -> list[str]:
    return ["".join(text for text, _ in line) for line in call_lines(given, clock="12:04:31")]


def test_a_run_is_one_line() -> None:
    assert text_of(record()) == ["12:04:31  mutation  messages:send  1.8 ms"]


def test_what_it_printed_stands_under_it() -> None:
    assert text_of(record(log_lines=(RunLogLine("LOG", "'a'"), RunLogLine("ERROR", "'b'"))))[1:] == [
        "            [LOG] 'a'",
        "            [ERROR] 'b'",
    ]


def test_every_line_of_what_it_printed_is_indented() -> None:
    given = record(log_lines=(RunLogLine("LOG", "a\nb"),), error="Uncaught ConvexError: x\n")
    assert text_of(given)[1:3] == [" " * 12 + "[LOG] a", " " * 12 + "b"]
    assert plain_lines(given, moment="T")[1:] == [" " * 12 + "[LOG] a", " " * 12 + "b"]


def test_a_failure_shows_the_authors_traceback() -> None:
    lines = text_of(record(error="Uncaught ValueError: no\n    at f\n", traceback=TRACEBACK))
    assert lines[0].endswith("failed")
    assert [line.removeprefix(" " * 12) for line in lines[1:]] == TRACEBACK.rstrip().split("\n")


def test_a_failure_without_traceback_shows_its_message() -> None:
    lines = text_of(record(error="ArgumentValidationError: no\nPath: .a\n"))
    assert lines[1:] == [" " * 12 + "ArgumentValidationError: no", " " * 12 + "Path: .a"]


def test_nobody_is_sent_to_another_command_line() -> None:
    error = "Could not find function for 'a:b'. Did you forget to run `npx convex dev`?"
    assert "npx" not in "".join(text_of(record(error=error, path="a.js:b")))


def test_paths_are_as_authors_write_them() -> None:
    assert "a:b" in text_of(record(path="a.js:b"))[0]


def test_a_log_file_keeps_the_traceback_of_the_unexpected() -> None:
    lines = plain_lines(record(error="Uncaught ValueError: no\n", traceback=TRACEBACK), moment="T")
    assert lines[0].startswith("T  mutation")
    assert any("ValueError: no" in line for line in lines)


@pytest.mark.parametrize(
    ("error", "traceback"),
    [
        ("ArgumentValidationError: Value does not match validator.\nPath: .a\n", None),
        ('Uncaught ConvexError: {"code":"full"}\n    at f (../backend/m.py:3:1)\n', TRACEBACK),
    ],
)
def test_a_log_file_spends_one_line_on_what_clients_bring_about(error: str, traceback: str | None) -> None:
    lines = plain_lines(
        record(error=error, traceback=traceback, log_lines=(RunLogLine("LOG", "'x'"),)), moment="T"
    )
    assert len(lines) == 2
    assert lines[0].endswith(error.split("\n", maxsplit=1)[0])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.00123, "1.2 ms"),
        (0.0994, "99.4 ms"),
        (0.25, "250 ms"),
        (0.9996, "1.0 s"),
        (12.34, "12.3 s"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_moments_have_their_forms() -> None:
    assert log_moment(1_700_000_000_123_000_000) == "2023-11-14T22:13:20.123Z"
    assert len(local_clock(1_700_000_000_000_000_000)) == len("12:04:31")
    assert len(file_stamp(1_700_000_000_000_000_000)) == len("20231114-221320")


def test_a_limit_is_told_of_with_its_setting_in_one_line() -> None:
    text = "Too many writes in a single function execution (limit: 3)"
    detail = "[setting documents_written_max, observed 4, limit 3]"
    reached = LimitReached("TooManyWrites", "documents_written_max", 4, 3)
    (line,) = plain_lines(replace(record(error=f"{text}\n{detail}\n"), limit=reached), moment="T")
    assert line.endswith(f"failed  1f: {text} {detail}")

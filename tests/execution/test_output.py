"""What functions print becomes the log lines of their run, within bounds."""

from __future__ import annotations

import io
import logging

from rewake.execution.call_log import RunLogLine
from rewake.execution.output import LogLines, collecting, function_print, install_log_handler
from rewake.limits import KIB
from tests.deployment.stage import Stage, play

NOISY = """
    import logging, sys
    from rewake import QueryCtx, query
    log = logging.getLogger("app")
    print("at import")

    @query
    def noisy(ctx: QueryCtx) -> None:
        print("text", 1, None, [1, "a"])
        print("a", "b", sep="-")
        print("bad", file=sys.stderr)
        log.debug("hidden")
        log.info("told %d", 3)
        log.warning("careful")
        log.error("wrong")
        log.critical("very wrong")
        log.info("broken %d", "format")

    @query
    def inner(ctx: QueryCtx) -> None:
        print("inner")

    @query
    def outer(ctx: QueryCtx) -> None:
        print("before")
        ctx.run_query(inner)
        print("after")

    @query
    def failing(ctx: QueryCtx) -> None:
        print("almost")
        raise ValueError("no")
"""


def lines_of(tmp_path, path: str) -> list[str]:
    async def story(stage: Stage) -> None:
        try:
            await stage.query(path)
        except Exception:
            pass
        lines.extend(map(str, stage.deployment.call_log.records[-1].log_lines))

    lines: list[str] = []
    play(tmp_path, story, m=NOISY)
    return lines


def test_print_and_logging_become_lines(tmp_path, capsys):
    logging.raiseExceptions = False
    try:
        lines = lines_of(tmp_path, "m:noisy")
    finally:
        logging.raiseExceptions = True
    assert lines == [
        "[LOG] 'text' 1 None [1, 'a']",
        "[LOG] 'a'-'b'",
        "[ERROR] 'bad'",
        "[INFO] 'told 3'",
        "[WARN] 'careful'",
        "[ERROR] 'wrong'",
        "[ERROR] 'very wrong'",
    ]
    assert "at import" in capsys.readouterr().out


def test_nested_calls_write_into_the_lines_of_the_whole_run(tmp_path):
    assert lines_of(tmp_path, "m:outer") == ["[LOG] 'before'", "[LOG] 'inner'", "[LOG] 'after'"]


def test_a_failed_run_keeps_its_lines(tmp_path):
    assert lines_of(tmp_path, "m:failing") == ["[LOG] 'almost'"]


def test_the_last_line_that_fits_says_that_more_were_left_out():
    lines = LogLines()
    for number in range(300):
        lines.add("LOG", str(number))
    assert len(lines.lines) == 256
    assert str(lines.lines[-1]) == "[ERROR] Log overflow (maximum 256). Remaining log lines omitted."


def test_long_lines_are_cut_at_a_whole_character():
    lines = LogLines()
    lines.add("LOG", "ü" * 32 * KIB)
    assert len(str(lines.lines[0]).encode()) <= 32 * KIB
    assert lines.lines[0].text.endswith("ü (truncated due to length)")


def test_lone_surrogates_are_escaped():
    lines = LogLines()
    lines.add("LOG", "\ud800")
    assert lines.lines == [RunLogLine("LOG", "\\ud800")]


def test_print_to_a_file_of_the_authors_is_left_alone():
    lines, file = LogLines(), io.StringIO()
    with collecting(lines):
        function_print("x", file=file)
    assert (lines.lines, file.getvalue()) == ([], "x\n")


def test_outside_a_run_warnings_are_still_printed_where_nobody_else_listens(capsys):
    install_log_handler()
    root = logging.getLogger()
    handlers = root.handlers[:]
    from rewake.execution import output

    root.handlers[:] = [output._handler]
    listener = logging.NullHandler()
    try:
        logging.getLogger("app").warning("heard")
        logging.getLogger("rewake.server").error("heard too")
        logging.getLogger("app").info("not heard")
        logging.getLogger("rewake").addHandler(listener)
        logging.getLogger("rewake.server").error("heard by somebody else")
    finally:
        logging.getLogger("rewake").removeHandler(listener)
        root.handlers[:] = handlers
    assert capsys.readouterr().err == "heard\nheard too\n"

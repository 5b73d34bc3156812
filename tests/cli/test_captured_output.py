"""What is written past the log becomes lines of the log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rewake.cli.captured_output import LINE_BYTES_MAX
from tests.cli.command import Running

SCRIPT = """
import json, os, subprocess, sys
from rewake.cli.captured_output import captured_output
heard = []
with captured_output(heard.append):
    os.write(1, b"one\\n\\ntw")
    os.write(2, b"o\\n\\xff\\n")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    os.write(1, b"x" * {size} + b"\\nlast")
    print("real", flush=True)
print("after")
print(json.dumps([line[:9] for line in heard]))
print(sum(map(len, heard)))
"""


def test_every_line_is_heard_and_stdout_stays_the_logs() -> None:
    size = 3 * LINE_BYTES_MAX
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{size}", str(size))],
        capture_output=True,
        text=True,
        check=True,
    )
    real, after, heard, length = done.stdout.splitlines()
    assert (real, after, done.stderr) == ("real", "after", "")
    lines = json.loads(heard)
    assert lines[:4] == ["one", "two", "\\xff", "child"]
    assert lines[-1] == "last"
    assert int(length) == size + len("onetwo\\xffchildlast")


def test_modules_that_print_cannot_break_a_log_of_json(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.rewake]\n")
    (tmp_path / "backend" / "m.py").write_text(
        "import os, warnings\nprint('at import', flush=True)\nos.write(2, b'from C\\n')\n"
        "warnings.warn('old')\n"
        "from rewake import QueryCtx, query\n\n@query\ndef f(ctx: QueryCtx) -> int:\n    return 1\n"
    )
    words = ("serve", ".", "--port", "0", "--workers", "1", "--log-format", "json")
    with Running(*words, cwd=tmp_path) as server:
        server.wait_for("Rewake is ready at ")
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.lines]
    assert all({"time", "level", "message", "deployment"} <= line.keys() for line in lines)
    told = {line["message"] for line in lines if line.get("logger") == "rewake.output"}
    assert {"at import", "from C"} <= told

"""`rewake dev`: saves and mistakes, while clients stay connected."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rewake.cli.project_home import PORT_USUAL
from tests.cli.command import Running, free_port, run_apart

COUNT = '''

@query
def count(ctx: QueryCtx) -> int:
    """How many."""
    return len(ctx.db.query(Message).collect())
'''


CRONS = """
from rewake import Crons

crons = Crons()
crons.interval("greet", minutes=5).run("messages:send", body="from a cron")
"""


class Author:
    """Somebody who edits the project while it runs."""

    def __init__(self, project: Path) -> None:
        self.project = project

    def append(self, name: str, text: str) -> None:
        file = self.project / name
        self.write(name, file.read_text() + text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.project / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def write(self, name: str, text: str) -> None:
        # As editors do it: the new file takes the place of the old one in one step.
        draft = self.project / (name + ".draft")
        draft.write_text(text)
        draft.replace(self.project / name)

    def run(self, *words: str) -> str:
        done = run_apart("run", *words, cwd=self.project)
        assert done.code == 0, done.err
        return done.out


@pytest.fixture
def author(project: Path) -> Author:
    return Author(project)


@contextmanager
def developing(project: Path, *words: str) -> Iterator[Running]:
    with Running("dev", "--port", str(free_port()), *words, cwd=project) as dev:
        yield dev


@pytest.fixture
def dev(project: Path) -> Iterator[Running]:
    with developing(project) as running:
        running.wait_for(r"ready .*2 functions, 1 table")
        yield running


def test_it_greets_and_shows_what_runs(dev: Running, author: Author) -> None:
    dev.wait_for(r"wrote .*api\.d\.ts")
    assert "VITE_CONVEX_URL=http://127.0.0.1:" in dev.text
    assert "rewake run messages:send body=hello" in dev.text
    assert (author.project / "backend" / "_generated" / "api.d.ts").is_file()
    author.run("messages:send", "body=hi")
    dev.wait_for(r"mutation  messages:send  [\d.]+ ms$")


def test_a_save_is_served_on_the_same_socket(dev: Running, author: Author) -> None:
    author.run("messages:send", "body=one")
    with Running("run", "messages:list_recent", "--watch", cwd=author.project) as watching:
        watching.wait_for('"body": "one"')
        author.replace("backend/messages.py", 'order("desc").take(limit)', 'order("desc").take(limit) * 2')
        dev.wait_for(r"reloaded  backend/messages\.py")
        # The watcher hears of the new code without asking, and was never cut off.
        watching.wait_for('"body": "one"')
        watching.wait_for('"body": "one"')
        author.append("backend/messages.py", COUNT)
        dev.wait_for(r"reloaded .*\+messages:count")
        dev.wait_for(r"wrote .*api\.d\.ts")
        assert author.run("messages:count") == "1\n"
        author.run("messages:send", "body=two")
        watching.wait_for('"body": "two"')
        assert "connection lost" not in watching.text


def test_saves_add_change_and_delete_crons(dev: Running, author: Author) -> None:
    with Running("run", "messages:list_recent", "--watch", cwd=author.project) as watching:
        author.write("backend/crons.py", CRONS)
        dev.wait_for(r"reloaded  backend/crons\.py .*\+cron greet")
        watching.wait_for('"body": "from a cron"')
        author.replace("backend/crons.py", '"from a cron"', '"another"')
        dev.wait_for(r"~cron greet")
        watching.wait_for('"body": "another"')
    bodies = [message["body"] for message in json.loads(author.run("messages:list_recent"))]
    assert bodies == ["another", "from a cron"]
    listed = json.loads(author.run("_system/cli/crons:list"))
    assert [(cron["identifier"], len(cron["runs"])) for cron in listed] == [("greet", 2)]
    author.replace("backend/crons.py", "minutes=5", "minutes=0")
    dev.wait_for("Interval must be an integer greater than 0")
    (author.project / "backend" / "crons.py").unlink()
    dev.wait_for(r"-cron greet")
    assert json.loads(author.run("_system/cli/crons:list")) == []


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        ("\nimport nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
        ("\nx = 1 / 0\n", "ZeroDivisionError"),
        ("\ndef broken(:\n", "SyntaxError"),
        ("\n@query\nasync def a(ctx: QueryCtx) -> None: ...\n", "async def"),
        ("\nraise SystemExit(3)\n", "ends the process"),
    ],
)
def test_a_mistake_is_shown_and_the_old_code_serves_on(
    dev: Running, author: Author, mistake: str, text: str
) -> None:
    before = (author.project / "backend" / "messages.py").read_text()
    line = before.count("\n") + 2
    author.append("backend/messages.py", mistake)
    dev.wait_for("problem   backend/messages.py")
    dev.wait_for("kept .*The code from before goes on serving")
    assert text in dev.text
    if "SystemExit" not in mistake and "async" not in mistake:
        assert f'messages.py", line {line}' in dev.text
    assert "importlib" not in dev.text
    author.run("messages:send", "body=still")
    author.write("backend/messages.py", before + COUNT)
    dev.wait_for(r"reloaded .*\+messages:count")
    assert author.run("messages:count") == "1\n"


def test_broken_settings_are_a_mistake_like_any_other(dev: Running, author: Author) -> None:
    settings = (author.project / "pyproject.toml").read_text()
    author.write("pyproject.toml", settings + "\n[broken")
    dev.wait_for("problem .*pyproject.toml cannot be read")
    author.run("messages:send", "body=still")
    author.write("pyproject.toml", settings.replace("[tool.rewake]", '[tool.rewake]\ncase = "camel"'))
    dev.wait_for(r"reloaded .*\+messages:listRecent")


def test_a_push_waits_for_the_variables_that_it_declares(dev: Running, author: Author) -> None:
    declaring = (
        "\n\nfrom rewake import EnvironmentVariables\n\nclass Env(EnvironmentVariables):\n    KEY: str\n"
    )
    author.append("backend/messages.py", declaring)
    dev.wait_for("problem .*Required environment variables are not set: KEY.")
    dev.wait_for("kept .*The code from before goes on serving")
    author.run("messages:send", "body=still")
    assert run_apart("env", "set", "KEY", "secret", cwd=author.project).code == 0
    author.append("backend/messages.py", COUNT)
    dev.wait_for(r"reloaded .*\+messages:count")
    refused = run_apart("env", "remove", "KEY", cwd=author.project)
    assert refused.code != 0
    assert "Cannot delete required environment variables: KEY." in refused.err


def test_new_limits_are_said_to_wait_for_the_next_start(dev: Running, author: Author) -> None:
    settings = (author.project / "pyproject.toml").read_text()
    author.write("pyproject.toml", settings + "\n[tool.rewake.limits]\ndocuments_read_max = 7\n")
    dev.wait_for("New limits hold after the next start of `rewake dev`")
    author.write("pyproject.toml", settings + "\n[tool.rewake.limits]\ndocument_read_max = 7\n")
    dev.wait_for("problem .*Unknown limit `document_read_max`.*Did you mean `documents_read_max`")


def test_new_limits_are_told_after_the_code_beside_them_was_refused(dev: Running, author: Author) -> None:
    settings = (author.project / "pyproject.toml").read_text()
    good = (author.project / "backend/messages.py").read_text()
    author.append("backend/messages.py", "\nx = 1 / 0\n")
    author.write("pyproject.toml", settings + "\n[tool.rewake.limits]\ndocuments_read_max = 7\n")
    # Whether both are met at once or one after the other.
    dev.wait_for("problem .*ZeroDivisionError")
    author.append("backend/messages.py", "\ny = 1 / 0\n")
    dev.wait_for("problem .*ZeroDivisionError")
    author.write("backend/messages.py", good)
    dev.wait_for("New limits hold after the next start of `rewake dev`")


def test_a_schema_that_does_not_fit_names_document_and_ways_out(dev: Running, author: Author) -> None:
    document = json.loads(author.run("messages:send", "body=one"))
    author.replace("backend/schema.py", "    body: str\n", "    body: str\n    kind: str\n")
    dev.wait_for("problem .*does not fit a document")
    dev.wait_for("  kept    ")
    for part in (
        "messages",
        document,
        "kind",
        "kind: str | Unset = UNSET",
        "fill_messages_kind",
        "rewake dev --reset",
    ):
        assert part in dev.text
    assert json.loads(author.run("messages:list_recent"))[0]["_id"] == document
    # The first way out works as it was printed.
    author.replace("backend/schema.py", "kind: str\n", "kind: str | Unset = UNSET\n")
    author.replace("backend/schema.py", "import Document, Index", "import UNSET, Document, Index, Unset")
    dev.wait_for("reloaded ")
    # And so does the second.
    lines = [line.strip("\n") for line in dev.lines]
    begin = next(number for number, line in enumerate(lines) if "from rewake import MutationCtx" in line)
    end = next(number for number, line in enumerate(lines) if "call it with" in line)
    migration = "\n".join(line[9:] for line in lines[begin:end]).replace("kind=...", 'kind="text"')
    author.write("backend/migrations.py", migration)
    dev.wait_for(r"reloaded .*\+migrations:fill_messages_kind")
    author.run("migrations:fill_messages_kind")
    author.replace("backend/schema.py", "kind: str | Unset = UNSET\n", "kind: str\n")
    dev.wait_for(r"reloaded  backend/schema\.py")
    assert json.loads(author.run("messages:list_recent"))[0]["kind"] == "text"


def test_a_failing_function_shows_the_authors_traceback_and_prints(dev: Running, author: Author) -> None:
    author.write(
        "backend/broken.py",
        "from rewake import QueryCtx, query\n\n\n@query\ndef boom(ctx: QueryCtx) -> None:\n"
        '    print("about to")\n    raise ValueError("no such luck")\n',
    )
    dev.wait_for(r"\+broken:boom")
    assert run_apart("run", "broken:boom", cwd=author.project).code == 1
    dev.wait_for("query     broken:boom .*failed")
    dev.wait_for("ValueError: no such luck")
    assert "[LOG] 'about to'" in dev.text
    assert 'broken.py", line 7, in boom' in dev.text


@pytest.mark.parametrize("verbose", [False, True])
def test_silent_queries_are_shown_on_request(project: Path, *, verbose: bool) -> None:
    with developing(project, *(["--verbose"] if verbose else [])) as dev:
        dev.wait_for("ready ")
        author = Author(project)
        author.run("messages:list_recent")
        author.run("messages:send", "body=x")
        dev.wait_for("messages:send")
        assert ("query     messages:list_recent" in dev.text) is verbose


def test_a_project_that_is_wrong_from_the_start_is_waited_for(author: Author) -> None:
    good = (author.project / "backend" / "messages.py").read_text()
    author.write("backend/messages.py", good + "\nx = 1 / 0\n")
    with developing(author.project) as dev:
        dev.wait_for("problem ")
        dev.wait_for("waiting .*Nothing is served yet")
        assert not (author.project / ".rewake").exists()
        author.write("backend/messages.py", good)
        dev.wait_for("ready ")
        author.run("messages:send", "body=x")


def test_an_import_that_never_ends_does_not_keep_ctrl_c_from_working(author: Author) -> None:
    author.append("backend/messages.py", "\nprint('importing', flush=True)\nwhile True:\n    pass\n")
    with developing(author.project) as dev:
        dev.wait_for("importing")
        assert dev.stop(signal.SIGINT) == 130


@pytest.mark.parametrize("workers", [(), ("--workers", "0")], ids=["workers", "inline"])
def test_an_import_that_never_ends_is_an_error_and_the_next_save_is_seen(
    author: Author, workers: tuple[str, ...]
) -> None:
    author.append("pyproject.toml", "\n[tool.rewake.limits]\nload_seconds_max = 8\n")
    good = (author.project / "backend" / "messages.py").read_text()
    with developing(author.project, *workers) as dev:
        dev.wait_for("ready ")
        author.write("backend/messages.py", good + "\nwhile True:\n    pass\n")
        dev.wait_for(r"more than 8 seconds and was given up while backend/messages\.py was being imported")
        dev.wait_for("kept .*The code from before goes on serving")
        assert author.run("messages:list_recent") == "[]\n"
        author.write("backend/messages.py", good + COUNT)
        dev.wait_for(r"reloaded .*\+messages:count")
        assert author.run("messages:count") == "0\n"


def test_ctrl_c_is_clean(dev: Running, author: Author) -> None:
    with Running("run", "messages:list_recent", "--watch", cwd=author.project) as watching:
        watching.wait_for(r"\[\]")
        assert dev.stop(signal.SIGINT) == 130
    assert "stopped" in dev.lines[-1]
    assert "Traceback" not in dev.text
    assert not (author.project / ".rewake" / "server.json").exists()


def test_a_taken_port_is_passed_over_unless_it_was_asked_for(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_apart("dev", "--port", str(port), cwd=project)
        assert done.code == 1
        assert f"Port {port}" in done.err
    with _taken(PORT_USUAL), Running("dev", cwd=project) as dev:
        taken = dev.wait_for(r"Port (\d+) is taken; this is (\d+)")
        assert taken[1] == str(PORT_USUAL)
        assert httpx.get(f"http://127.0.0.1:{taken[2]}/version", timeout=30).status_code == 200


@contextmanager
def _taken(port: int) -> Iterator[None]:
    """A port that somebody listens on: this test, unless somebody else does already."""
    try:
        other = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield
    else:
        with other:
            yield


def test_once_checks_and_ends(project: Path) -> None:
    done = run_apart("dev", "--once", cwd=project)
    assert done.code == 0
    assert "2 functions, 1 table" in done.out
    assert (project / "backend" / "_generated" / "api.d.ts").is_file()
    (project / "backend" / "messages.py").write_text("x = 1 / 0\n")
    done = run_apart("dev", "--once", cwd=project)
    assert done.code == 1
    assert "ZeroDivisionError" in done.err


def test_reset_moves_the_data_aside_when_it_is_sure(dev: Running, author: Author) -> None:
    author.run("messages:send", "body=old")
    in_use = run_apart("dev", "--reset", "--yes", cwd=author.project)
    assert in_use.code == 1
    assert "in use" in in_use.err
    dev.stop()
    unsure = run_apart("dev", "--reset", cwd=author.project)
    assert unsure.code == 2
    assert "--yes" in unsure.err
    done = run_apart("dev", "--reset", "--yes", "--once", cwd=author.project)
    assert done.code == 0
    kept = list((author.project / ".rewake").glob("data.sqlite3.before-reset-*"))
    assert [file.name in done.out for file in kept] == [True]
    with developing(author.project) as again:
        again.wait_for("ready ")
        assert author.run("messages:list_recent") == "[]\n"
    nothing = run_apart("dev", "--reset", "--yes", "--once", "--data", "fresh.db", cwd=author.project)
    assert "nothing to reset" in nothing.out


def test_data_of_another_server_ends_it_with_its_name(dev: Running, author: Author) -> None:
    done = run_apart("dev", cwd=author.project)
    assert done.code == 1
    assert f"process {dev.process.pid}" in done.err


def test_generated_files_that_cannot_be_written_stop_nothing(author: Author) -> None:
    (author.project / "backend" / "_generated").write_text("a file")
    with developing(author.project) as dev:
        dev.wait_for("problem .*Generated files cannot be written")
        author.run("messages:send", "body=x")

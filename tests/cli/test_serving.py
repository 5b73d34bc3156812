"""`rewake serve`, the way an operator runs it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
from pathlib import Path

import apsw
import httpx
import pytest

from rewake.cli.hosting import readers_usual
from rewake.storage.data_file import FORMAT
from tests.cli.command import FRONT_MODULES, Running, run_apart

BROKEN = """
from rewake import ApplicationError, MutationCtx, QueryCtx, mutation, query

@query
def boom(ctx: QueryCtx) -> None:
    print("about to")
    raise ValueError("no such luck")

@mutation
def quiet(ctx: MutationCtx) -> None: ...
"""


def ready(server: Running) -> str:
    return server.wait_for(r"^Rewake is ready at (https?://\S+)$")[1]


def call(url: str, kind: str, path: str) -> httpx.Response:
    return httpx.post(f"{url}/api/{kind}", json={"path": path, "args": {}}, timeout=30)


def test_it_serves_until_sigterm_and_leaves_nothing_behind(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        assert f"Functions run in {readers_usual() + 1} worker processes." in server.text
        assert call(url, "query", "messages:list_recent").json()["status"] == "success"
        assert json.loads((project / ".rewake" / "server.json").read_text())["url"] == url
        assert server.stop(signal.SIGTERM) == 0
        assert server.lines[-1] == "Stopped."
    assert not (project / ".rewake" / "server.json").exists()


def test_ctrl_c_is_130(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        assert server.stop(signal.SIGINT) == 130


def test_failures_and_prints_are_logged_and_silent_runs_are_not(project: Path) -> None:
    (project / "backend" / "broken.py").write_text(BROKEN)
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        call(url, "mutation", "broken:quiet")
        call(url, "query", "broken:boom")
        head = server.wait_for("broken:")[0]
        server.wait_for(r"ValueError: no such luck")
        assert head
        assert re.search(
            r"^\d{4}-\d\d-\d\dT[\d:.]+Z  query     broken:boom  [\d.]+ ms  failed  [0-9a-f]{16}$",
            server.text,
            re.M,
        )
        assert "[LOG] 'about to'" in server.text
        assert 'broken.py", line 7, in boom' in server.text
        assert "broken:quiet" not in server.text
        call(url, "query", "no:where")
        assert "Could not find" in server.wait_for("no:where").string


def test_nothing_is_coloured_or_asked(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        server.stop()
        assert "\x1b" not in server.text


def test_a_front_end_is_served_beside_the_api(project: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("<p>hello")
    with Running("serve", ".", "--port", "0", "--static", str(tmp_path / "dist"), cwd=project) as server:
        assert httpx.get(ready(server), timeout=30).text == "<p>hello"


def test_the_data_may_be_elsewhere_with_its_key_beside_it(project: Path, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere.db"
    with Running("serve", ".", "--port", "0", "--data", str(data), cwd=project) as server:
        ready(server)
        assert data.is_file()
        assert (tmp_path / "elsewhere.db.admin_key").is_file()
        assert not (project / ".rewake" / "data.sqlite3").exists()
        assert run_apart("run", "messages:send", "body=x", cwd=project).code == 0


def test_the_key_may_come_from_the_environment(project: Path) -> None:
    key = {"REWAKE_ADMIN_KEY": "given|1"}
    with Running("serve", ".", "--port", "0", cwd=project, variables=key) as server:
        ready(server)
        assert not (project / ".rewake" / "admin_key").exists()
        assert run_apart("run", "messages:send", "body=x", cwd=project).code == 1
        assert run_apart("run", "messages:send", "body=x", cwd=project, variables=key).code == 0


def test_what_was_written_is_there_after_kill_9(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        assert run_apart("run", "messages:send", "body=kept", cwd=project).code == 0
        server.process.kill()
        server.wait()
    gone = run_apart("run", "messages:list_recent", cwd=project)
    assert (gone.code, gone.out) == (3, "")
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        assert '"body": "kept"' in run_apart("run", "messages:list_recent", cwd=project).out


def test_a_port_in_use_is_an_error(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_apart("serve", ".", "--port", str(port), cwd=project)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: Port {port} on 127.0.0.1 is already in use.")


def test_data_in_use_names_the_server_that_has_it(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        done = run_apart("serve", ".", "--port", "0", cwd=project)
        assert done.code == 1
        assert f"process {server.process.pid}" in done.err
        assert url in done.err
        # The one that was refused took nothing away from the one that runs.
        assert run_apart("run", "messages:send", "body=x", cwd=project).code == 0


def test_data_from_the_future_is_left_alone(project: Path, tmp_path: Path) -> None:
    data = tmp_path / "future.db"
    with Running("serve", ".", "--port", "0", "--data", str(data), cwd=project) as server:
        ready(server)
        server.stop()
    connection = apsw.Connection(str(data))
    connection.pragma("user_version", 99)
    connection.close()
    before = data.read_bytes()
    done = run_apart("serve", ".", "--port", "0", "--data", str(data), cwd=project)
    assert done.code == 1
    assert "format 99" in done.err
    assert data.read_bytes() == before


def test_data_of_an_older_format_is_upgraded_and_the_copy_is_the_way_back(
    project: Path, tmp_path: Path
) -> None:
    """The steps of docs/guides/operations.md."""
    folder, copy = tmp_path / "data", tmp_path / "copy"
    folder.mkdir()
    data = folder / "data.sqlite3"
    words = ("serve", ".", "--port", "0", "--data", str(folder))
    with Running(*words, cwd=project) as server:
        ready(server)
        assert run_apart("run", "messages:send", "body=kept", cwd=project).code == 0
        server.stop()
    connection = apsw.Connection(str(data))
    connection.execute("DROP TABLE _secrets; PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copytree(folder, copy)
    for where in (folder, copy):
        with Running(*words[:-1], str(where), cwd=project) as server:
            ready(server)
            assert '"body": "kept"' in run_apart("run", "messages:list_recent", cwd=project).out
            assert run_apart("run", "messages:send", "body=later", cwd=project).code == 0
            assert server.stop() == 0
        checked = run_apart("verify", "--data", str(where), cwd=project)
        assert checked.code == 0, checked.out + checked.err
        connection = apsw.Connection(str(where / "data.sqlite3"))
        assert connection.pragma("user_version") == FORMAT
        connection.close()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_wish_to_stop_changes_nothing(project: Path, second: signal.Signals) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        # Both are there when it looks.
        for number in (signal.SIGSTOP, signal.SIGHUP, second, signal.SIGCONT):
            server.process.send_signal(number)
        assert server.wait() == 0
        assert "Stopped." in server.text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--data", "no/where/data"], "does not exist"),
        (["--host", "999.1.2.3"], "Cannot listen on"),
        (["--static", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_used_is_an_error_with_its_name(project: Path, words: list[str], text: str) -> None:
    done = run_apart("serve", ".", "--port", "0", *words, cwd=project)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert text in done.err
    assert "Traceback" not in done.err


def test_a_foreign_file_is_left_alone(project: Path, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Ann, " * 200)
    done = run_apart("serve", ".", "--port", "0", "--data", str(letter), cwd=project)
    assert done.code == 1
    assert "not a Rewake data file" in done.err
    assert letter.read_text().startswith("Dear Ann")


def test_a_project_that_cannot_be_loaded_does_not_start(project: Path) -> None:
    (project / "backend" / "broken.py").write_text("import nowhere_to_be_found\n")
    done = run_apart("serve", ".", "--port", "0", cwd=project)
    assert (done.code, done.out) == (1, "")
    assert "nowhere_to_be_found" in done.err
    assert not (project / ".rewake").exists()


def test_a_schema_that_documents_do_not_fit_does_not_start(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        ready(server)
        run_apart("run", "messages:send", "body=x", cwd=project)
        server.stop()
    schema = project / "backend" / "schema.py"
    schema.write_text(schema.read_text().replace("body: str", "body: str\n    kind: str"))
    done = run_apart("serve", ".", "--port", "0", cwd=project)
    assert done.code == 1
    assert "kind: str | Unset = UNSET" in done.err


def modules_of_project(front: Running, project: Path) -> list[str]:
    """What a server that has ended had imported of the project."""
    told = json.loads(
        next(line for line in front.lines if line.startswith(FRONT_MODULES))[len(FRONT_MODULES) :]
    )
    assert any(file.endswith("rewake/server/process.py") for file in told), "the list is that of the server"
    return [file for file in told if file.startswith(str(project))]


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_the_server_process_imports_nothing_of_the_project(project: Path, command: str) -> None:
    (project / "backend" / "broken.py").write_text(BROKEN)
    with Running(command, ".", "--port", "0", cwd=project, tells_modules=True) as front:
        url = front.wait_for(r"(?:ready at|VITE_CONVEX_URL=)\s*(http://\S+)")[1]
        assert call(url, "query", "messages:list_recent").json()["status"] == "success"
        assert call(url, "mutation", "broken:quiet").json()["status"] == "success"
        assert "no such luck" in call(url, "query", "broken:boom").json()["errorMessage"]
        front.wait_for("no such luck")
        assert run_apart("run", "messages:list_recent", "--url", url, cwd=project).code == 0
        if command == "dev":
            assert re.search(r"wrote .*api\.d\.ts", front.text)
            (project / "backend" / "broken.py").write_text("1 / 0")
            front.wait_for("problem .*ZeroDivisionError")
            (project / "backend" / "broken.py").write_text("")
            front.wait_for("reloaded .*broken.py")
        assert front.stop() == 0
        assert modules_of_project(front, project) == []


def test_without_workers_functions_run_where_the_server_does(project: Path) -> None:
    with Running("serve", ".", "--port", "0", "--workers", "0", cwd=project, tells_modules=True) as front:
        url = ready(front)
        assert "Functions run in the server's own process." in front.text
        assert call(url, "query", "messages:list_recent").json()["status"] == "success"
        assert front.stop() == 0
        assert str(project / "backend" / "messages.py") in modules_of_project(front, project)


def test_an_import_that_never_ends_can_be_stopped(project: Path) -> None:
    (project / "backend" / "endless.py").write_text("print('begun', flush=True)\nwhile True:\n    pass\n")
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        server.wait_for("begun")
        assert server.stop(signal.SIGTERM) == 0
        assert server.lines[-1] == "Stopped before it was ready."


def test_a_process_whose_hashes_can_be_foreseen_says_so(project: Path) -> None:
    fixed = {"PYTHONHASHSEED": "0"}
    with Running("serve", ".", "--port", "0", cwd=project, variables=fixed) as server:
        server.wait_for("PYTHONHASHSEED=0 lets strangers choose")


STREAMS = """
import asyncio
from collections.abc import AsyncIterator

from rewake import ActionCtx, HttpRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

http = HttpRouter()


@http.route("/endless", methods=["GET"])
async def endless(ctx: ActionCtx, request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        print("begun")
        while True:
            yield b"more"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


@http.route("/late", methods=["GET"])
async def late(ctx: ActionCtx, request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError("too late")

    return StreamingResponse(parts())
"""


def test_a_stream_that_ends_early_leaves_no_traceback_of_the_house(project: Path) -> None:
    (project / "backend" / "http.py").write_text(STREAMS)
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        with httpx.stream("GET", f"{url}/http/endless", timeout=60) as answer:
            assert next(answer.iter_bytes()).startswith(b"more")
        server.wait_for(r"GET /endless ")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{url}/http/late", timeout=60)
        server.wait_for("ValueError: too late")
        assert server.stop() == 0
        assert "ResponseCut" not in server.text
        assert server.text.count("Traceback") == 1, "the author's"


def test_worker_processes_tell_from_the_level_that_is_wanted(project: Path) -> None:
    wanted = {"REWAKE_LOG_LEVEL": "info"}
    words = ("serve", ".", "--port", "0", "--workers", "1", "--log-format", "json")
    with Running(*words, cwd=project, variables=wanted) as server:
        server.wait_for("Rewake is ready at")
        told = [json.loads(line) for line in server.lines]
        seen = {
            line["message"].rpartition(" ")[2]: line
            for line in told
            if "runs functions as" in line["message"]
        }
        assert set(seen) == {"actions", "reader", "writer"}
        assert {(line["level"], line["logger"]) for line in seen.values()} == {
            ("info", "rewake.execution.worker")
        }
        assert server.stop() == 0


def figure(page: str, name: str) -> float:
    """The value of a line of the page."""
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)[1])  # type: ignore[index]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_metrics_have_a_port_of_their_own(project: Path, workers: str) -> None:
    words = ("serve", ".", "--port", "0", "--workers", workers, "--metrics-port")
    (project / "backend" / "broken.py").write_text(BROKEN)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Running(*words, str(port), cwd=project) as server:
        url = ready(server)
        call(url, "mutation", "broken:quiet")
        call(url, "mutation", "broken:quiet")
        call(url, "query", "broken:boom")
        call(url, "query", "messages:list_recent")
        call(url, "query", "messages:list_recent")
        page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
        runs = 'rewake_function_runs_total{function="%s",kind="%s",outcome="%s"}'
        assert figure(page, runs % ("broken:quiet", "mutation", "success")) == 2
        assert figure(page, runs % ("broken:boom", "query", "failure")) == 1
        assert figure(page, runs % ("messages:list_recent", "query", "success")) == 1
        assert figure(page, 'rewake_query_cache_hits_total{function="messages:list_recent"}') == 1
        assert figure(page, "rewake_data_file_bytes") > 0
        assert figure(page, 'rewake_http_responses_total{status="200"}') == 5
        assert figure(page, "process_resident_memory_bytes") > 1 << 20
        processes = 'rewake_worker_processes{role="%s"}'
        for role in ("writer", "reader", "actions"):
            assert (processes % role in page) == (workers == "1")
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200
        # That port has nothing else, and the public one asks for a key.
        assert httpx.post(f"http://127.0.0.1:{port}/api/query", json={}, timeout=30).status_code == 404
        assert httpx.get(f"{url}/metrics", timeout=30).status_code == 403
        key = (project / ".rewake" / "server.json").read_text()
        key = Path(json.loads(key)["admin_key"]).read_text().strip()
        headers = {"Authorization": f"Convex {key}"}
        assert "rewake_info{" in httpx.get(f"{url}/metrics", headers=headers, timeout=30).text
        assert server.stop() == 0

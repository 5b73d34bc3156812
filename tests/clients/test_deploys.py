"""Deploys end to end: what is refused changes nothing, what is switched to survives, history leads back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.clients.deploying import Deployer, key_file, packed, sources
from tests.clients.raw_client import RawClient
from tests.clients.server_process import PROJECT, ServerDied, ServerProcess

KILL_SECONDS = 60.0


@pytest.fixture(params=["2", "0"], ids=["workers", "inline"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    arguments = ("--workers", str(request.param))
    with ServerProcess(tmp_path / "data.sqlite3", tmp_path / "log", project=None, arguments=arguments) as one:
        yield one


@pytest.fixture
def deployer(server: ServerProcess) -> Iterator[Deployer]:
    one = Deployer(server)
    yield one
    one.close()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_without_a_deploy_it_is_healthy_and_says_how_to(server: ServerProcess, deployer: Deployer) -> None:
    assert "serves no functions yet" in server.output()
    assert f"rewake deploy DIR --url {server.url}" in server.output()
    answer = deployer.ask("POST", "/api/query", json={"path": "load:version", "args": {}}).json()
    assert "Could not find" in answer["errorMessage"]
    assert deployer.history() == []


def test_a_plan_changes_nothing_and_a_deploy_is_served_on_the_same_socket(
    server: ServerProcess, deployer: Deployer
) -> None:
    plan = deployer.plan(sources(1), "first")
    assert plan["changes"]["functions"]["added"] == ["load:act", "load:bump", "load:get", "load:version"]
    assert plan["changes"]["tablesAdded"] == ["slots"]
    assert deployer.history() == []
    assert deployer.finish(plan)["number"] == 1
    with RawClient(server.url) as client:
        query = client.add("load:version", {})
        assert client.result(query) == 1
        deployer.deploy(sources(2))
        assert client.wait_result(query, lambda value: value == 2) == 2
    assert deployer.call("query", "load:version") == 2
    assert [(each["number"], each["state"], each["message"]) for each in deployer.history()] == [
        (2, "active", ""),
        (1, "replaced", "first"),
    ]


def test_a_timestamp_from_before_a_deploy_is_answered_by_the_code_of_that_time(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    deployer.call("mutation", "load:bump", slot="a")
    ts = deployer.ask("POST", "/api/query_ts").json()["ts"]
    deployer.deploy(sources(2))
    deployer.call("mutation", "load:bump", slot="a")
    for path, args, value in (("load:version", {}, 1), ("load:get", {"slot": "a"}, 1)):
        body = {"path": path, "args": args, "ts": ts}
        assert deployer.ask("POST", "/api/query_at_ts", json=body).json()["value"] == value
    assert deployer.call("query", "load:version") == 2


def test_the_same_content_is_no_deploy(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    plan = deployer.plan(sources(1))
    assert plan["isUnchanged"]
    assert deployer.finish(plan)["number"] == 1
    assert len(deployer.history()) == 1


def test_code_that_cannot_be_loaded_is_refused_and_the_old_goes_on(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    for text, told in (
        ("import surely_not_installed", "pip install surely_not_installed"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
    ):
        answer = deployer.ask("POST", "/api/deploys/start", content=packed(sources(2, more=text)))
        assert refusal(answer) == (400, "InvalidProject")
        assert told in answer.json()["message"]
        assert "backend/more.py" in answer.json()["message"]
    assert deployer.call("query", "load:version") == 1
    assert len(deployer.history()) == 1


def test_a_schema_that_a_document_does_not_fit_changes_nothing(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    deployer.call("mutation", "load:bump", slot="a")
    files = sources(2)
    files["backend/schema.py"] = files["backend/schema.py"].replace("value: float", "value: str")
    plan = deployer.plan(files)
    assert plan["changes"]["tablesChecked"] == [{"name": "slots", "documents": 1}]
    done = deployer.finish(plan)
    assert done["state"] == "failed"
    assert done["error"]["mismatch"]["table"] == "slots"
    assert deployer.call("query", "load:version") == 1
    assert deployer.call("mutation", "load:bump", slot="a") == 2
    # The one after it is not hindered.
    deployer.deploy(sources(3))
    assert deployer.call("query", "load:version") == 3


def test_of_two_plans_the_later_is_refused(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    first, second = deployer.plan(sources(2)), deployer.plan(sources(3))
    assert deployer.finish(first)["state"] == "done"
    failed = deployer.finish(second)
    assert failed["error"] == {
        "code": "DeployOutdated",
        "message": "Another deploy came first: the plan was made against deploy 1, and deploy 2 serves. "
        "Nothing was changed. Run the command again.",
    }
    assert deployer.call("query", "load:version") == 2


def test_missing_variables_are_in_the_plan_and_refuse_the_switch(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    declared = """
        from rewake import EnvironmentVariables

        class Env(EnvironmentVariables):
            STRIPE_KEY: str
    """
    plan = deployer.plan(sources(2, env=declared))
    assert plan["changes"]["variablesMissing"] == ["STRIPE_KEY"]
    assert deployer.finish(plan)["error"]["code"] == "MissingEnvironmentVariables"
    assert deployer.call("query", "load:version") == 1


def test_what_may_be_missed_is_said(deployer: Deployer) -> None:
    deployer.deploy(sources(1))
    deployer.call("mutation", "load:bump", slot="a")
    files = sources(2)
    files["backend/load.py"] = files["backend/load.py"].replace("def version(", "def edition(")
    files["backend/schema.py"] = files["backend/schema.py"].replace('by_name = Index("name")', "")
    files["backend/load.py"] = files["backend/load.py"].replace(
        "ctx.db.query(Slot).with_index(Slot.by_name, name=name).unique()", "ctx.db.query(Slot).first()"
    )
    assert deployer.plan(files)["changes"]["destructive"] == [
        "The index slots.by_name, which 1 documents are in, is dropped.",
        "The function load:version is removed: clients and scheduled calls that name it will fail.",
    ]


def test_history_leads_back_and_a_restart_serves_what_was_deployed(
    server: ServerProcess, deployer: Deployer
) -> None:
    for version in (1, 2, 3):
        deployer.deploy(sources(version), f"version {version}")
    plan = deployer.ask("POST", "/api/deploys/rollback", json={"number": 1}).json()
    assert plan["rollbackOf"] == 1
    assert deployer.finish(plan)["number"] == 4
    assert deployer.call("query", "load:version") == 1
    assert deployer.history()[0]["message"] == "Back to deploy 1: version 1"
    assert refusal(deployer.ask("POST", "/api/deploys/rollback", json={"number": 9})) == (
        404,
        "DeployNotFound",
    )
    server.kill()
    server.start()
    assert deployer.call("query", "load:version") == 1
    # Without a number: to what was before.
    assert deployer.finish(deployer.ask("POST", "/api/deploys/rollback", json={}).json())["state"] == "done"
    assert deployer.call("query", "load:version") == 3


def test_plans_end(deployer: Deployer) -> None:
    plan = deployer.plan(sources(1))
    assert deployer.ask("POST", "/api/deploys/cancel", json={"plan": plan["plan"]}).json() == {}
    for way in ("finish", "cancel"):
        answer = deployer.ask("POST", f"/api/deploys/{way}", json={"plan": plan["plan"]})
        assert refusal(answer) == (404, "DeployPlanNotFound")


def test_what_is_no_archive_and_who_may_not(server: ServerProcess, deployer: Deployer) -> None:
    answer = deployer.ask("POST", "/api/deploys/start", content=b"nothing of the kind")
    assert refusal(answer) == (400, "InvalidProjectArchive")
    answer = deployer.ask("POST", "/api/deploys/start", content=packed({"../x.py": ""}))
    assert refusal(answer) == (400, "InvalidProjectArchive")
    made = deployer.ask("POST", "/api/keys/create", json={"label": "reader", "scopes": ["read"]}).json()
    reader = Deployer(server, made["key"])
    assert refusal(reader.ask("GET", "/api/deploys")) == (403, "OperationNotPermitted")
    reader.close()
    made = deployer.ask("POST", "/api/keys/create", json={"label": "pipeline", "scopes": ["deploy"]}).json()
    pipeline = Deployer(server, made["key"])
    pipeline.deploy(sources(1))
    assert pipeline.history()[0]["label"] == "pipeline"
    pipeline.close()


def test_a_server_of_a_folder_takes_none(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    with ServerProcess(data, tmp_path / "log", arguments=("--workers", "1")) as server:
        answer = Deployer(server).ask("POST", "/api/deploys/start", content=packed(sources(1)))
        assert refusal(answer) == (409, "DeploysNotTaken")
    # Nor is its data served without its code.
    with pytest.raises(ServerDied, match="was served from a folder until now"):
        ServerProcess(data, tmp_path / "log", project=None).start()


def test_a_folder_in_between_leaves_no_deploy_active(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    with ServerProcess(data, tmp_path / "log", project=None, arguments=("--workers", "1")) as server:
        Deployer(server).deploy(sources(1))
    with ServerProcess(data, tmp_path / "log", project=PROJECT, arguments=("--workers", "1")) as server:
        assert [each["state"] for each in Deployer(server).history()] == ["replaced"]


def test_a_deploy_whose_library_is_gone_refuses_the_start_and_names_it(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "soon_gone.py").write_text("x = 1\n")
    places = [str(libraries), *filter(None, [os.environ.get("PYTHONPATH")])]
    server = ServerProcess(
        tmp_path / "data.sqlite3",
        tmp_path / "log",
        project=None,
        environment={"PYTHONPATH": os.pathsep.join(places)},
    )
    with server:
        Deployer(server).deploy(sources(1, more="import soon_gone"))
    (libraries / "soon_gone.py").unlink()
    with pytest.raises(ServerDied, match=r"ended with 1 .*") as died:
        server.start()
    assert "Deploy 1 of" in str(died.value)
    assert "pip install soon_gone" in str(died.value)


@pytest.mark.parametrize(
    ("point", "version"),
    [
        ("deploy.in_sources:1", 1),
        ("deploy.after_sources:1", 1),
        ("deploy.after_switch:1", 2),
        # Some group of the start, of the parts or of the switch: which, is not said.
        *[(f"group.before_commit:{number}", None) for number in (4, 5, 6)],
        *[(f"group.after_commit_before_outcome:{number}", None) for number in (4, 5, 6)],
    ],
)
def test_a_kill_at_any_point_leaves_the_old_or_the_new_deploy_whole(
    tmp_path: Path, point: str, version: int | None
) -> None:
    server = ServerProcess(
        tmp_path / "data.sqlite3", tmp_path / "log", project=None, arguments=("--workers", "0")
    )
    with server:
        Deployer(server).deploy(sources(1))
    server.launch(kill_point=point)
    with suppress(httpx.HTTPError, ServerDied):
        server.wait_ready()
        killed = Deployer(server)
        killed.finish(killed.plan(sources(2)))
    if version is None:
        server.kill()  # Should it not have come so far.
    else:
        server.wait_killed(KILL_SECONDS)
    server.start()
    deployer = Deployer(server)
    served = deployer.call("query", "load:version")
    active = [each for each in deployer.history() if each["state"] == "active"]
    assert served in (1, 2)
    assert [each["number"] for each in active] == [served], "the record is of what serves"
    assert version is None or served == version
    # And the next one goes through.
    deployer.deploy(sources(3))
    assert deployer.call("query", "load:version") == 3
    server.stop()


def test_the_key_lies_beside_the_data(server: ServerProcess) -> None:
    assert key_file(server.data).stat().st_mode & 0o077 == 0

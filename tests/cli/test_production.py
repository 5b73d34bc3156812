"""Care with production: it is named, and asked about where something is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.cli.connection import ServerAddress
from rewake.cli.deploying import DeployWishes, confirm_plan
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.named_deployments import NamedDeployment
from rewake.cli.production import confirm_production
from rewake.cli.screen import Screen
from tests.cli.command import Running, run_here

PROD = ServerAddress(
    "http://p",
    "k|1",
    Path("/nowhere"),
    is_guess=False,
    deployment=NamedDeployment("prod", "http://p", "prod"),
)
HERE = ServerAddress("http://h", "k|1", Path("/nowhere"), is_guess=False)


class Person(Screen):
    def __init__(self, answer: bool | None) -> None:
        super().__init__()
        self.answer, self.asked = answer, ""

    @property
    def can_ask(self) -> bool:
        return self.answer is not None

    def ask(self, question: str) -> bool:
        self.asked = question
        return bool(self.answer)


def test_elsewhere_nobody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    confirm_production(HERE, Person(False), "Remove it of", is_sure=False)
    assert capsys.readouterr().err == ""


def test_production_is_named_and_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person(True)
    confirm_production(PROD, person, "Remove 2 variables of", is_sure=False)
    assert person.asked == "Remove 2 variables of prod (http://p)?"
    assert capsys.readouterr().err == "production  prod (http://p)\n"
    with pytest.raises(CommandFailed, match="Nothing was changed"):
        confirm_production(PROD, Person(False), "Remove it of", is_sure=False)
    with pytest.raises(WrongUsage, match="--yes"):
        confirm_production(PROD, Person(None), "Remove it of", is_sure=False)
    confirm_production(PROD, Person(None), "Remove it of", is_sure=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose production is a server that runs here."""
    project = tmp_path_factory.mktemp("production")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "rows.jsonl").write_text('{"n": 1}\n')
    with Running("serve", ".", "--port", "0", "--workers", "0", cwd=project) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        (project / "pyproject.toml").write_text(f'[tool.rewake.deployments.prod]\nurl = "{url}"\n')
        yield project
        assert server.stop() == 0


def test_scripts_say_yes_before_production_is_changed(
    served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(served)
    monkeypatch.setenv("REWAKE_PROD_ADMIN_KEY", (served / ".rewake" / "admin_key").read_text().strip())
    into = ("import", "rows.jsonl", "--table", "rows", "--append")
    refused = run_here(capsys, *into, "--prod")
    assert (refused.code, "The import is into prod (" in refused.err) == (1, True), refused.err
    # The one of this project is not production, whatever it is called elsewhere.
    assert run_here(capsys, *into).out == "Imported 1 document.\n"
    done = run_here(capsys, *into, "--prod", "--yes")
    assert (done.out, "production  prod (" in done.err) == ("Imported 1 document.\n", True), done.err
    made = run_here(capsys, "keys", "create", "--label", "ci", "--scope", "read", "--prod")
    assert "production  prod (" in made.err
    [key] = [
        each for each in json.loads(run_here(capsys, "keys", "list", "--json").out) if each["label"] == "ci"
    ]
    refused = run_here(capsys, "keys", "revoke", key["id"], "--prod")
    assert (refused.code, f"Revoke {key['id']} of prod (" in refused.err) == (2, True), refused.err
    assert run_here(capsys, "keys", "revoke", key["id"], "--prod", "--yes").code == 0


def test_a_deploy_asks_people_and_lets_scripts_through_that_lose_nothing() -> None:
    def confirm(server: ServerAddress, person: Person, *losses: str, is_sure: bool = False) -> str:
        plan = {"isUnchanged": False, "changes": {"destructive": list(losses)}}
        confirm_plan(server, plan, DeployWishes(is_sure=is_sure), person)
        return person.asked

    assert confirm(PROD, Person(True)) == "Go on with prod (http://p)?"
    assert confirm(HERE, Person(True)) == ""
    assert confirm(HERE, Person(True), "m:gone is removed") == "Go on?"
    assert confirm(PROD, Person(None)) == ""
    assert confirm(PROD, Person(None), "m:gone is removed", is_sure=True) == ""
    for person, losses, said in (
        (Person(False), (), "Nothing was changed"),
        (Person(None), ("m:gone is removed",), "nobody can be asked"),
    ):
        with pytest.raises(CommandFailed, match=said):
            confirm(PROD, person, *losses)

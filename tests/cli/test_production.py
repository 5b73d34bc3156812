"""Care with production: it is named, and asked about where something is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.named_deployments import NamedDeployment
from rewake.cli.production import confirm_production
from rewake.cli.screen import Screen

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
    confirm_production(HERE, Person(False), "Remove it", is_sure=False)
    assert capsys.readouterr().err == ""


def test_production_is_named_and_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    person = Person(True)
    confirm_production(PROD, person, "Remove 2 variables", is_sure=False)
    assert person.asked == "Remove 2 variables of prod (http://p)?"
    assert capsys.readouterr().err == "production  prod (http://p)\n"
    with pytest.raises(CommandFailed, match="Nothing was changed"):
        confirm_production(PROD, Person(False), "Remove it", is_sure=False)
    with pytest.raises(WrongUsage, match="--yes"):
        confirm_production(PROD, Person(None), "Remove it", is_sure=False)
    confirm_production(PROD, Person(None), "Remove it", is_sure=True)

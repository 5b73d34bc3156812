"""One class of a project declares its environment variables."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from rewake.execution import ProjectInvalid, load_project, read_settings

ENV = """
    from rewake import EnvironmentVariables

    class Env(EnvironmentVariables):
        {name}: str
"""


def load(root: Path, **modules: str) -> list[str]:
    for name, source in modules.items():
        file = root / "backend" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(dedent(source))
    return list(load_project(read_settings(root)).variables)


def test_the_class_may_be_in_any_module_and_be_imported_by_others(tmp_path: Path) -> None:
    assert load(tmp_path, settings=ENV.format(name="KEY"), other="from .settings import Env") == ["KEY"]


def test_without_one_nothing_is_declared(tmp_path: Path) -> None:
    assert load(tmp_path, other="A = 1") == []


def test_two_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match=r"in one class; there are a.py: Env and b.py: Env"):
        load(tmp_path, a=ENV.format(name="A"), b=ENV.format(name="B"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (ENV.format(name="CONVEX_CLOUD_URL"), "is built-in and cannot be overridden"),
        (ENV.format(name="ünicode"), "is invalid. Environment variable names must begin"),
        (ENV.format(name="A").replace("str", "int"), "Env.A: environment variables are strings"),
    ],
)
def test_what_is_no_variable_is_refused(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        load(tmp_path, env=source)
    assert message in caught.value.message

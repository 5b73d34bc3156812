"""Named deployments: what a project may declare, and where their keys lie."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.named_deployments import NamedDeployment, find_deployment, read_deployments, store_key
from rewake.execution import read_settings


def declare(root: Path, text: str) -> Path:
    (root / "pyproject.toml").write_text(text)
    return root


def test_kinds_follow_from_names_unless_they_are_said(tmp_path: Path) -> None:
    declare(
        tmp_path,
        """
        [tool.rewake.deployments]
        prod = {url = "https://a/"}
        prod-eu = {url = "https://b"}
        "preview/x" = {url = "https://c"}
        stage = {url = "https://d"}
        live = {url = "https://e", kind = "prod"}
        """.replace("        ", ""),
    )
    kinds = {name: each.kind for name, each in read_deployments(tmp_path).items()}
    assert kinds == {
        "prod": "prod",
        "prod-eu": "prod",
        "preview/x": "preview",
        "stage": "dev",
        "live": "prod",
    }
    assert find_deployment(tmp_path, "prod", said_by="x").url == "https://a"
    (tmp_path / "backend").mkdir()
    assert read_settings(tmp_path).root == tmp_path


def test_without_a_declaration_there_are_none(tmp_path: Path) -> None:
    assert read_deployments(tmp_path) == {}
    assert read_deployments(declare(tmp_path, "[tool.other]\n")) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.rewake.deployments.prod]\n", "needs an address"),
        ("[tool.rewake.deployments]\nprod = 1\n", "needs an address"),
        (
            '[tool.rewake.deployments.prod]\nurl = "x"\nadmin_key = "x"\n',
            "Unknown setting `admin_key`",
        ),
        ('[tool.rewake.deployments.prod]\nurl = "https://a"\nkind = "big"\n', "is one of dev, preview, prod"),
        ('[tool.rewake.deployments."a b"]\nurl = "https://a"\n', "cannot be the name"),
        ("not toml", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CommandFailed, match=said) as caught:
        read_deployments(declare(tmp_path, text))
    assert "pyproject.toml" in caught.value.message


def test_a_key_is_kept_for_its_owners_eyes_only(tmp_path: Path) -> None:
    deployment = NamedDeployment("preview/x", "https://c", "preview")
    assert deployment.key_variable == "REWAKE_PREVIEW_X_ADMIN_KEY"
    assert deployment.key(tmp_path, {}) is None
    file = store_key(tmp_path, deployment, " c|1\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert deployment.key(tmp_path, {}) == "c|1"
    store_key(tmp_path, deployment, "c|2")
    assert deployment.key(tmp_path, {}) == "c|2"
    assert deployment.key(tmp_path, {"REWAKE_PREVIEW_X_ADMIN_KEY": "c|3"}) == "c|3"
    for wrong in ("", "two words"):
        with pytest.raises(WrongUsage):
            store_key(tmp_path, deployment, wrong)

"""Front ends with the official packages: generated types fit React, Next.js, Vue and Svelte in strict mode.

`application` is the backend, `projects` are pages, each with the checker that its `package.json` names. A
`@ts-expect-error` in them is a mistake that the types must catch; the checkers fail where one is no error.
The React project checks the generated files themselves too (`skipLibCheck` is false there).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT

HERE = Path(__file__).resolve().parent
APPLICATION = HERE / "application"
PROJECTS = {"react": "snake", "next": "camel", "vue": "snake", "svelte": "snake"}
"""Each with the case of its names."""


def generate(root: Path, *arguments: str, **environment: str) -> None:
    """Run `rewake codegen` as an author does."""
    done = subprocess.run(
        [sys.executable, "-m", "rewake", "codegen", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_the_checker_of_a_project_finds_each_mistake_and_no_other(name: str, tmp_path: Path) -> None:
    page = tmp_path / "web"
    left_out = shutil.ignore_patterns("_generated", "node_modules")
    shutil.copytree(HERE / "projects" / name, page, ignore=left_out)
    shutil.copytree(APPLICATION / "backend", tmp_path / "backend")
    settings = f'[tool.rewake]\ncase = "{PROJECTS[name]}"\ngenerated = "web/src/_generated"\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    generate(tmp_path)
    command = shlex.split(json.loads((page / "package.json").read_text())["scripts"]["check"])
    program = HERE / "node_modules" / ".bin" / command[0]
    assert program.exists(), "this test needs `npm ci` in tests/codegen (`make test` does it)"
    done = subprocess.run(
        [str(program), *command[1:]], capture_output=True, text=True, check=False, timeout=300, cwd=page
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_project_is_checked() -> None:
    assert {file.parent.name for file in (HERE / "projects").glob("*/package.json")} == PROJECTS.keys()


@pytest.mark.parametrize("name", ["chat", "saas"])
def test_the_generated_files_of_the_examples_are_up_to_date(name: str) -> None:
    # `make check` holds their pages against these files.
    generate(ROOT / "examples" / name, "--check")

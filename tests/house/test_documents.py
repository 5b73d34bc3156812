"""Documents are tested too: the changelog, the reasons for dependencies, nothing that ties to one machine."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from rewake.cli.starter_project import starter_files
from tests.house.source_tree import ROOT, carried_files

DEPENDENCIES = ROOT / "docs" / "decisions" / "dependencies.md"

# Written in two halves so that this file does not find itself.
TIED_TO_A_MACHINE = [
    re.compile(pattern)
    for pattern in (
        "/ro" + r"ot/\w",
        "/ho" + r"me/\w",
        "/wo" + r"rk/\w",
        "/Us" + r"ers/\w",
        "registry\\.npm" + r"js\.org",
        "files\\.python" + r"hosted\.org",
        "pypi" + r"\.org/simple",
        "deb\\.deb" + r"ian\.org",
    )
]


def required_packages() -> set[str]:
    """The names of every Python package that the project asks for, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        requirements += extra
    return {re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def test_every_dependency_has_its_reason() -> None:
    text = DEPENDENCIES.read_text(encoding="utf-8")
    explained = [name.lower() for name in re.findall(r"^\| `([\w.-]+)`", text, flags=re.MULTILINE)]
    assert required_packages() == set(explained)
    twice = sorted({name for name in explained if explained.count(name) > 1})
    assert not twice, f"one line for each, with all that is to say: {twice}"


def test_the_changelog_has_room_for_the_next_change() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in sorted(folder.glob("*.md")) if f"({page.name})" not in index]
    assert missing == ["README.md"]


def test_no_file_is_tied_to_a_machine() -> None:
    found = []
    for path in carried_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in TIED_TO_A_MACHINE:
            match = pattern.search(text)
            if match:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line}: {match[0]}")
    assert not found, "\n".join(found)


def test_lock_files_name_no_hosts() -> None:
    locks = [path for path in carried_files() if path.name == "package-lock.json"]
    tied = [
        str(lock.relative_to(ROOT))
        for lock in locks
        if re.search(r'"resolved": "\w+:', lock.read_text(encoding="utf-8"))
    ]
    assert not tied, f"write them with omit-lockfile-registry-resolved: {tied}"


def test_lock_files_hold_what_every_platform_needs() -> None:
    # npm leaves out an optional package that its registry did not have that day, then refuses its own file.
    missing = []
    for lock in (path for path in carried_files() if path.name == "package-lock.json"):
        packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
        held = {name.rpartition("node_modules/")[2] for name in packages}
        for name, package in packages.items():
            absent = package.get("optionalDependencies", {}).keys() - held
            missing += [f"{lock.relative_to(ROOT)}: {name} wants {other}" for other in sorted(absent)]
    assert not missing, "\n".join(missing)


def test_the_pages_of_the_first_steps_find_their_types() -> None:
    # Outside its own folder a page finds no `convex`, and its types would be `any`.
    quick_start = (ROOT / "docs" / "guides" / "quick-start.md").read_text(encoding="utf-8")
    starter = starter_files(Path("x"))["README.md"]
    for text in (quick_start, starter):
        assert 'generated = "web/src/_generated"' in text
        assert "web/src/main.tsx" in text
        assert 'import { api } from "./_generated/api";' in text

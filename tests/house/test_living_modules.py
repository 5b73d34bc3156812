"""No dead files: somebody imports every module, and every test file tests a module that exists."""

from __future__ import annotations

import re

import grimp

from tests.house.source_tree import ROOT, SOURCE, TESTS, modules

# Modules that nobody imports because somebody outside starts them.
ENTRANCES = {
    "rewake": "the front page, imported by authors",
    "rewake.__main__": "python -m rewake",
    "rewake.execution.export_worker": "python -m rewake.execution.export_worker, by deployment/exports.py",
    "rewake.testing.plugin": "pytest, by the entry point pytest11",
}

# Folders of stories: behaviour across modules, named after what they tell (STYLE, Tests).
STORIES = {"clients", "faults", "house", "isolation", "model", "security", "semantics", "stories", "typing"}
# Names that tell of a whole package wherever they stand.
STORY_NAMES = {"test_exported_names.py", "test_stories.py"}
# Story files inside a mirrored folder, with what they tell.
STORY_FILES: dict[str, str] = {
    "codegen/test_application.py": "an author's project and what is generated from it, under type checkers",
    "codegen/test_projects.py": "front ends in four frameworks, type-checked against generated types",
    "deployment/test_live_schema_changes.py": "schema changes while calls go on, on both runners",
    "deployment/test_overload.py": "more calls than a deployment can serve in time, on both runners",
    "deployment/test_round_trip.py": "an archive of one deployment becomes the tables of another",
    "reactivity/test_world.py": "clients over a runner whose every step may be late",
    "server/test_flood.py": "more requests than the front begins in time, over real sockets",
    "sync/test_drivers.py": "every driver passes the same tests: uvicorn's fast path and plain ASGI",
    "sync/test_world.py": "seeded worlds of clients, slow sockets and disconnections",
}

# Modules without a test file of their own, with who tests them instead.
TESTED_ELSEWHERE: dict[str, str] = {
    "rewake.execution.export_functions": "tests/deployment/test_exports.py",
    "rewake.execution.export_worker": "tests/deployment/test_exports.py",
    "rewake.cli.export_commands": "tests/clients/test_official_export.py and test_backup.py",
    "rewake.cli.exporting": "tests/clients/test_official_export.py",
    "rewake.cli.deploy_commands": "tests/cli/test_deploying.py",
    "rewake.cli.deployed": "tests/clients/test_deploys.py",
    "rewake.deployment.deploy_errors": "tests/clients/test_deploys.py",
    "rewake.deployment.deploys": "tests/clients/test_deploys.py",
    "rewake.deployment.function_calls": "tests/deployment/test_deployment.py",
    "rewake.execution.debugger_prompt": "tests/execution/test_debugger.py",
    "rewake.execution.deploy_functions": "tests/clients/test_deploys.py",
    "rewake.http_api.admin_description": "tests/http_api/test_description.py",
    "rewake.http_api.deploys": "tests/clients/test_deploys.py",
    "rewake.http_api.described_shapes": "tests/http_api/test_description.py",
    "rewake.execution.function_runs": "tests/execution/test_inline_runner.py and test_worker_runner.py",
    "rewake.execution.group_writer": "tests/execution/test_writer_thread.py and test_worker_runner.py",
    "rewake.execution.reader_pool": "tests/execution/test_worker_runner.py",
    "rewake.execution.worker": "tests/execution/test_worker_runner.py",
    "rewake.execution.worker_failures": "tests/execution/test_worker_runner.py",
    "rewake.execution.writer_seat": "tests/execution/test_worker_runner.py",
    "rewake.functions.blocking_request": "tests/http_api/test_http_actions.py",
    "rewake.sync.asgi_socket": "tests/sync/test_drivers.py",
    "rewake.sync.door": "tests/sync/test_drivers.py",
    "rewake.sync.rendering": "tests/sync/test_stories.py",
    "rewake.sync.session": "tests/sync/test_stories.py and test_world.py",
    "rewake.sync.uvicorn_socket": "tests/sync/test_drivers.py",
}


def test_every_module_is_imported_by_another() -> None:
    graph = grimp.build_graph("rewake", cache_dir=None)
    dead = []
    for module in modules():
        if module.name in ENTRANCES:
            continue
        importers = graph.find_modules_that_directly_import(module.name)
        inside = graph.find_descendants(module.name) if module.is_package_front else set()
        used_inside = any(graph.find_modules_that_directly_import(child) - inside for child in inside)
        if not importers and not used_inside:
            dead.append(module.relative)
    assert not dead, f"nobody imports {dead}"


def test_every_test_file_mirrors_a_module() -> None:
    strangers = []
    for path in sorted(TESTS.rglob("test_*.py")):
        relative = path.relative_to(TESTS)
        if "node_modules" in relative.parts or relative.parts[0] in STORIES:
            continue
        if relative.name in STORY_NAMES or relative.as_posix() in STORY_FILES:
            continue
        name = re.sub(r"^test_", "", path.stem)
        folder = SOURCE.joinpath(*relative.parts[:-1])
        if not ((folder / f"{name}.py").is_file() or (folder / name).is_dir()):
            strangers.append(path.relative_to(ROOT).as_posix())
    assert not strangers, f"these tests name no module of the house: {strangers}"


def test_every_module_has_its_tests() -> None:
    bare = []
    for module in modules():
        if module.is_package_front or module.name in ENTRANCES or module.name in TESTED_ELSEWHERE:
            continue
        if module.only_declares:
            continue
        relative = module.path.relative_to(SOURCE)
        tests = TESTS.joinpath(*relative.parts[:-1])
        # A whole package may be tested by one file of its name.
        whole = TESTS.joinpath(*relative.parts[:-2], f"test_{relative.parent.name}.py")
        beside = len(relative.parts) > 2 and whole.is_file()
        if not (tests / f"test_{relative.name}").is_file() and not beside:
            bare.append(module.relative)
    assert not bare, "no test file of their own:\n" + "\n".join(bare)


def test_exceptions_name_what_exists() -> None:
    names = {module.name for module in modules()}
    assert set(TESTED_ELSEWHERE) <= names
    assert all((TESTS / name).is_file() for name in STORY_FILES)

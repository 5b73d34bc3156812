"""What `dev` and `serve` share: the key, the data, the port."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from rewake.cli.event_loop import run_loop
from rewake.cli.failure import CommandFailed, ExitCode
from rewake.cli.hosting import (
    Listening,
    deployment_key,
    house_logs,
    listen,
    open_deployment,
)
from rewake.cli.project_home import ServerRecord, data_place, read_server_record, write_server_record
from rewake.deployment import Deployment, PublicUrlInvalid
from rewake.environment import Environment, seeded_environment
from rewake.execution import LimitSettingInvalid, load_project, read_settings
from rewake.server import PortInUse


def test_the_key_of_the_environment_wins_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWAKE_ADMIN_KEY", " given|1 ")
    place = data_place(tmp_path, None)
    assert deployment_key(tmp_path, place, name="x", environment=seeded_environment(1)).text == "given|1"
    assert not place.admin_key.exists()


def test_a_missing_folder_for_the_data_is_named(tmp_path: Path) -> None:
    place = data_place(tmp_path, tmp_path / "no such" / "data")
    with pytest.raises(CommandFailed, match="does not exist") as caught:
        deployment_key(tmp_path, place, name="x", environment=seeded_environment(1))
    assert f"mkdir -p '{tmp_path / 'no such'}'" in caught.value.hint


def with_deployment(project: Path, story: Any) -> None:
    """Open the project's data and let `story` have it."""
    settings = read_settings(project)
    registry = load_project(settings)

    async def run() -> ExitCode:
        place = data_place(settings.root, None)
        deployment = await open_deployment(settings, registry, place, environment=Environment())
        try:
            await story(deployment)
        finally:
            await deployment.close()
        return ExitCode.OK

    main: Coroutine[Any, Any, ExitCode] = run()
    run_loop(main)


def test_data_in_use_names_the_process_and_its_address(project: Path) -> None:
    async def story(_: Deployment) -> None:
        write_server_record(project, ServerRecord(url="http://here:1", pid=os.getpid(), admin_key=""))
        settings = read_settings(project)
        with pytest.raises(CommandFailed, match=f"process {os.getpid()}") as caught:
            await open_deployment(
                settings, load_project(settings), data_place(project, None), environment=Environment()
            )
        assert caught.value.hint == "It serves http://here:1."

    with_deployment(project, story)


def test_a_taken_port_is_passed_over_only_where_nobody_asked_for_it(project: Path) -> None:
    async def story(deployment: Deployment) -> None:
        place, settings = data_place(project, None), read_settings(project)
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortInUse):
                await listen(
                    deployment,
                    Listening("127.0.0.1", port, False, None),
                    settings=settings,
                    place=place,
                )
            server = await listen(
                deployment, Listening("127.0.0.1", port, True, None), settings=settings, place=place
            )
            assert server.port > port
            record = read_server_record(project)
            assert record == ServerRecord(url=server.url, pid=os.getpid(), admin_key=str(place.admin_key))
            await server.stop()

    with_deployment(project, story)


def taken_off() -> None:
    """Take what `house_logs` added away from all loggers, or it would hear of what later tests do."""
    for name in ("rewake", "uvicorn", "asyncio"):
        logging.getLogger(name).handlers.pop()


def test_the_house_is_heard_from_warnings_up() -> None:
    heard: list[str] = []
    house_logs(lambda record, text: heard.append(f"{record.levelname} {text}"))
    logger = logging.getLogger("rewake.cli.test")
    logger.info("silent")
    logger.warning("one %s", 1)
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("two")
    taken_off()
    assert heard[0] == "WARNING one 1"
    assert heard[1].startswith("ERROR two\nTraceback")
    assert len(heard) == 2


def test_what_cannot_be_shown_does_not_disturb_whoever_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def fail(_record: logging.LogRecord, _text: str) -> None:
        raise RuntimeError("the screen is gone")

    house_logs(fail)
    logging.getLogger("rewake.cli.test").warning("one")
    taken_off()


def test_limits_come_from_the_file_and_the_environment_over_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "pyproject.toml"
    table = '\n[tool.rewake.limits]\ndocuments_read_max = 7\nbytes_read_max = "1 MiB"\n'
    file.write_text((file.read_text() if file.exists() else "") + table)
    monkeypatch.setenv("REWAKE_LIMIT_DOCUMENTS_READ_MAX", "8")

    async def story(deployment: Deployment) -> None:
        limits = deployment.limits
        assert (limits.documents_read_max, limits.bytes_read_max) == (8, 1 << 20)

    with_deployment(project, story)


def test_a_limit_that_cannot_be_touches_no_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWAKE_LIMIT_DOCUMENT_READ_MAX", "8")

    async def story(deployment: Deployment) -> None:
        raise AssertionError("it is not opened")

    with pytest.raises(LimitSettingInvalid, match="Did you mean `REWAKE_LIMIT_DOCUMENTS_READ_MAX`"):
        with_deployment(project, story)
    assert not (project / ".rewake").exists()


def test_http_actions_get_the_port_behind_or_another_near_it(project: Path) -> None:
    async def story(deployment: Deployment) -> None:
        place = data_place(project, None)
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            wish = Listening("127.0.0.1", taken - 1, may_move=False, static=None)
            server = await listen(deployment, wish, settings=read_settings(project), place=place)
            assert server.port == taken - 1
            assert deployment.site_url not in (None, f"http://127.0.0.1:{taken}")
            await server.stop()
            asked = Listening("127.0.0.1", 0, may_move=False, static=None, site_port=taken)
            with pytest.raises(PortInUse):
                await listen(deployment, asked, settings=read_settings(project), place=place)

    with_deployment(project, story)


def test_there_is_one_address_for_functions_files_and_the_command_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(deployment: Deployment) -> None:
        async def told(**said: str) -> tuple[str, str]:
            wish = Listening("127.0.0.1", 0, may_move=False, static=None, **said)
            server = await listen(
                deployment, wish, settings=read_settings(project), place=data_place(project, None)
            )
            await server.stop()
            assert deployment.origins is not None
            return deployment.origins.cloud, deployment.origins.site

        cloud, site = await told()
        assert cloud.startswith("http://127.0.0.1:")
        assert site.startswith("http://127.0.0.1:")
        assert await told(url="https://a.b/") == ("https://a.b", "https://a.b/http")
        assert await told(url="https://a.b", site_url="https://c.d") == ("https://a.b", "https://c.d")
        monkeypatch.setenv("CONVEX_CLOUD_ORIGIN", "https://e.f")
        monkeypatch.setenv("CONVEX_SITE_ORIGIN", "https://g.h")
        assert await told() == ("https://e.f", "https://g.h")
        with pytest.raises(PublicUrlInvalid):
            await told(url="a.b")

    with_deployment(project, story)


def test_the_level_of_the_log_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    house = logging.getLogger("rewake")
    handlers, level = list(house.handlers), house.level
    heard: list[str] = []
    try:
        monkeypatch.setenv("REWAKE_LOG_LEVEL", "info")
        house_logs(lambda record, text: heard.append(text))
        logging.getLogger("rewake.x").info("a socket closed")
        logging.getLogger("rewake.x").debug("a detail")
    finally:
        for name in ("rewake", "uvicorn", "asyncio", "py.warnings"):
            each = logging.getLogger(name)
            each.handlers[:] = [handler for handler in each.handlers if handler in handlers]
            each.setLevel(level)
    assert heard == ["a socket closed"]

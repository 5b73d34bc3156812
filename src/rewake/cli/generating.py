"""Generated files of a project: from its analysis to the files that its page imports.

Floor 8, `cli`. `dev` calls this after every load that succeeded, `codegen` once. Not here: what the files say
(`codegen`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from rewake.cli.failure import CommandFailed
from rewake.codegen import (
    changed_files,
    function_spec_of,
    http_route_of,
    openapi_of,
    render_all,
    render_openapi,
    render_python_api,
    write_changed,
)
from rewake.execution import Analysis, ProjectSettings


class Generated(msgspec.Struct, frozen=True):
    """Files as they should be, and the folder that they belong into."""

    folder: Path
    files: Mapping[str, str]
    hint: str = ""
    """What to do where they cannot be written."""

    def write(self) -> list[Path]:
        """Bring the folder in step; returns the files that changed.

        Raises:
            CommandFailed: a file cannot be written.
        """
        try:
            return write_changed(self.folder, self.files)
        except OSError as error:
            raise CommandFailed(
                f"Generated files cannot be written to {self.folder}: {error.strerror}.", hint=self.hint
            ) from None

    def out_of_date(self) -> list[Path]:
        """The files that `write` would write.

        Raises:
            CommandFailed: a file cannot be read.
        """
        try:
            return changed_files(self.folder, self.files)
        except OSError as error:
            raise CommandFailed(
                f"Generated files in {self.folder} cannot be read: {error.strerror}."
            ) from None


def typescript_of(settings: ProjectSettings, analysis: Analysis) -> Generated:
    """`_generated`, for pages."""
    specs = [function_spec_of(facts) for facts in analysis.functions]
    hint = "Make the folder writable, or name another with `generated` under [tool.rewake]."
    return Generated(settings.generated_path, render_all(analysis.schema, specs), hint)


def python_of(file: Path, analysis: Analysis) -> Generated:
    """A module of typed references for `rewake.client`."""
    specs = [function_spec_of(facts) for facts in analysis.functions]
    return Generated(file.parent, {file.name: render_python_api(analysis.schema, specs)})


def openapi_file(file: Path, settings: ProjectSettings, analysis: Analysis) -> Generated:
    """An OpenAPI document of the public functions; its server is the `url` of the settings, or `/`."""
    document = openapi_of(
        analysis.schema,
        map(function_spec_of, analysis.functions),
        routes=map(http_route_of, analysis.routes or ()),
        title=settings.deployment_name,
        url=settings.url or "/",
    )
    return Generated(file.parent, {file.name: render_openapi(document)})


def write_generated(settings: ProjectSettings, analysis: Analysis) -> list[Path]:
    """Bring `_generated` in step with `analysis`; returns the files that changed.

    Raises:
        CommandFailed: a file cannot be written.
    """
    return typescript_of(settings, analysis).write()

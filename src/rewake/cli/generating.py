"""Generated files of a project: from its analysis to the files that its page imports.

Floor 8, `cli`. `dev` calls this after every load that succeeded, `codegen` once. Not here: what the files say
(`codegen`)."""

from __future__ import annotations

from pathlib import Path

from rewake.cli.failure import CommandFailed
from rewake.codegen import FunctionSpec, render_all, render_python_api, write_changed
from rewake.execution import Analysis, FunctionFacts, ProjectSettings


def write_generated(settings: ProjectSettings, analysis: Analysis) -> list[Path]:
    """Bring the generated files in step with `analysis`; returns those that changed.

    Raises:
        CommandFailed: a file cannot be written.
    """
    specs = [function_spec_of(facts) for facts in analysis.functions]
    try:
        return write_changed(settings.generated_path, render_all(analysis.schema, specs))
    except OSError as error:
        raise CommandFailed(
            f"Generated files cannot be written to {settings.generated_path}: {error.strerror}.",
            hint="Make the folder writable, or name another with `generated` under [tool.rewake].",
        ) from None


def write_python(file: Path, analysis: Analysis) -> list[Path]:
    """Bring a module of typed references for `rewake.client` in step with `analysis`; gives it if it changed.

    Raises:
        CommandFailed: it cannot be written.
    """
    specs = [function_spec_of(facts) for facts in analysis.functions]
    try:
        return write_changed(file.parent, {file.name: render_python_api(analysis.schema, specs)})
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from None


def function_spec_of(facts: FunctionFacts) -> FunctionSpec:
    """A function as the generators know it."""
    return FunctionSpec(
        path=facts.path.public,
        kind=facts.kind,
        visibility="internal" if facts.is_internal else "public",
        args=facts.arguments,
        returns=facts.returns,
        documentation=facts.documentation,
    )

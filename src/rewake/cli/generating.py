"""Generated TypeScript of a project: from its registry to the files that its page imports.

Floor 8, `cli`. `dev` calls this after every load that succeeded, `codegen` once. Not here: what the files say
(`codegen`)."""

from __future__ import annotations

import inspect
from pathlib import Path

from rewake.cli.failure import CommandFailed
from rewake.codegen import FunctionSpec, render_all, write_changed
from rewake.execution import FunctionRecord, ProjectSettings, Registry


def write_generated(settings: ProjectSettings, registry: Registry) -> list[Path]:
    """Bring the generated files in step with `registry`; returns those that changed.

    Raises:
        CommandFailed: a file cannot be written.
    """
    specs = [function_spec_of(registry.functions[path]) for path in sorted(registry.functions)]
    try:
        return write_changed(settings.generated_path, render_all(registry.schema.to_json(), specs))
    except OSError as error:
        raise CommandFailed(
            f"Generated files cannot be written to {settings.generated_path}: {error.strerror}.",
            hint="Make the folder writable, or name another with `generated` under [tool.rewake].",
        ) from None


def function_spec_of(record: FunctionRecord) -> FunctionSpec:
    """A function as the generators know it; the first line of its docstring is its summary."""
    documentation = inspect.getdoc(record.function.handler) or ""
    return FunctionSpec(
        path=record.path.public,
        kind=record.kind,
        visibility="internal" if record.is_internal else "public",
        args=record.arguments.validator.to_json(),
        returns=record.returns.validator.to_json() if record.returns is not None else {"type": "any"},
        summary=documentation.partition("\n")[0],
    )

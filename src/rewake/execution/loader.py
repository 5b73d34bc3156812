"""The loader: from a project's folder to a registry.

Floor 3, `execution`. Every `.py` file below the functions folder is imported afresh under its own package
name, so that a reload never sees half-old modules; if anything fails, the modules that were there before
are put back and the error says where the author must look. Modules get a `print` of their own
(`output.py`).

    pyproject.toml [tool.rewake] -> ProjectSettings -> modules -> functions and document classes -> Registry

    backend/messages.py      def send     messages:send
    backend/admin/users.py   def ban      admin/users:ban

Not here: watching files (`cli`), applying the schema to data (`database`).
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import re
import sys
import threading
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import PathFinder, SourceFileLoader
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec.structs import replace

from rewake.auth import Provider
from rewake.errors import InvalidInput, RewakeError
from rewake.execution.auth_config import MODULE as AUTH_CONFIG
from rewake.execution.auth_config import providers_of
from rewake.execution.camel_case import camel_case
from rewake.execution.cron_calls import crons_of
from rewake.execution.declaration_places import handler_place, schema_place
from rewake.execution.failures import author_frames, author_traceback
from rewake.execution.limit_settings import LimitSettingInvalid, limits_from_table
from rewake.execution.memory_limit import looking
from rewake.execution.module_hashes import module_hashes
from rewake.execution.output import function_print
from rewake.execution.project_variables import variables_of
from rewake.execution.registry import FunctionRecord, Registry, registry_of
from rewake.execution.side_effects import install_guard
from rewake.functions import HttpRouter, InvalidCron, RegisteredFunction
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import FunctionPath
from rewake.schema import DeclaredVariable, Schema, function_names, is_document_class

_MODULE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SKIPPED = frozenset({"_generated", "__pycache__", "node_modules"})
_MARK = "__rewake_mark__"
_marks = count(1)

_lock = threading.Lock()
_owners: dict[str, Path] = {}
"""From which project's root a module in `sys.modules` came; that is the process's, and so is this."""
_PYTHON = (Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parent.parent)
"""Python's own places and the house: not the author's code, even where they lie below the project."""


class ProjectInvalid(InvalidInput):
    """The project cannot be loaded as it stands. The text names file and reason; nothing was changed."""

    code = "InvalidProject"

    def __init__(self, message: str, /, *, traceback: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.traceback = traceback


class ProjectSettings(msgspec.Struct, frozen=True):
    """`[tool.rewake]` of a project's `pyproject.toml`."""

    root: Path
    functions: str = "backend"
    """The folder of schema and functions, relative to the root; a Python package name."""
    case: str = "snake"
    """`snake`: names are exported as written; `camel`: functions and arguments in camelCase."""
    generated: str | None = None
    """Where generated TypeScript goes, relative to the root; `{functions}/_generated` where it is left out.
    """
    name: str | None = None
    """The deployment's name; the folder's name where it is left out."""
    files: str | None = None
    """Where the bytes of files are kept: a folder, relative to the root, or `s3://bucket/prefix`; beside the
    data where it is left out. Taken by who opens the deployment."""
    url: str | None = None
    """Where clients reach the server. Taken by who listens, like the next."""
    site_url: str | None = None
    """Where HTTP actions are reached."""
    include: tuple[str, ...] = ()
    """Files and folders besides the functions folder that go with a deploy, relative to the root."""
    limits: Limits = DEFAULT_LIMITS
    """`[tool.rewake.limits]`, over the defaults. Taken by who opens the deployment."""

    @property
    def functions_path(self) -> Path:
        """The functions folder."""
        return self.root / self.functions

    @property
    def generated_path(self) -> Path:
        """The folder of generated TypeScript."""
        return self.root / (self.generated or f"{self.functions}/_generated")

    @property
    def deployment_name(self) -> str:
        """Lower case letters, digits and dashes."""
        plain = unicodedata.normalize("NFKD", self.name or self.root.name).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "rewake"


def read_settings(root: Path) -> ProjectSettings:
    """The settings of the project at `root`.

    Raises:
        ProjectInvalid: there is no such folder, `pyproject.toml` cannot be read, or a setting is unknown or
        wrong.
    """
    root = root.resolve()
    if not root.is_dir():
        raise ProjectInvalid(f"There is no folder {root}. `rewake init {root.name}` makes a project.")
    table: dict[str, Any] = {}
    file = root / "pyproject.toml"
    if file.exists():
        try:
            tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
            table = tools.get("rewake", {}) if isinstance(tools, dict) else tools
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProjectInvalid(f"{file} cannot be read: {error}") from None
    if not isinstance(table, dict):
        raise ProjectInvalid(f"[tool.rewake] in {file} must be a table of settings.")
    limits = _limits_of(table, file)
    table.pop("deployments", None)  # Of the command line, which says what is wrong with them.
    include = _included(table, file)
    known = {"functions", "case", "files", "generated", "name", "site_url", "url"}
    for key, value in table.items():
        if key not in known:
            raise ProjectInvalid(
                f"Unknown setting `{key}` under [tool.rewake] in {file}. "
                f"Known: {', '.join(sorted(known | {'deployments', 'include', 'limits'}))}."
            )
        if not isinstance(value, str):
            raise ProjectInvalid(f"The setting `{key}` under [tool.rewake] in {file} must be a string.")
    settings = ProjectSettings(root=root, limits=limits, include=include, **table)
    if settings.case not in ("snake", "camel"):
        raise ProjectInvalid(f'`case` under [tool.rewake] is "snake" or "camel"; got "{settings.case}".')
    if not all(_MODULE_NAME.fullmatch(part) for part in settings.functions.split("/")):
        raise ProjectInvalid(
            '`functions` under [tool.rewake] names a Python package folder such as "backend"; '
            f'got "{settings.functions}".'
        )
    if not settings.functions_path.is_dir():
        raise ProjectInvalid(
            f"{root} has no folder `{settings.functions}` with functions. `rewake init DIR` makes a project "
            "that runs, or set `functions` under [tool.rewake] in pyproject.toml."
        )
    return settings


def _included(table: dict[str, Any], file: Path) -> tuple[str, ...]:
    """What `include` names, taken out of the settings."""
    include = table.pop("include", [])
    if not isinstance(include, list) or not all(isinstance(name, str) and name for name in include):
        raise ProjectInvalid(f"`include` under [tool.rewake] in {file} is a list of files and folders.")
    for name in include:
        if Path(name).is_absolute() or ".." in Path(name).parts or Path(name) == Path():
            raise ProjectInvalid(
                f"`include` under [tool.rewake] in {file} names files and folders inside of the project; "
                f"got {name!r}."
            )
    return tuple(Path(name).as_posix() for name in include)


def _limits_of(table: dict[str, Any], file: Path) -> Limits:
    """The limits among the settings, taken out of them."""
    try:
        return limits_from_table(table.pop("limits", {}), place=f"[tool.rewake.limits] in {file}")
    except LimitSettingInvalid as error:
        raise ProjectInvalid(error.message) from None


class LoadingTooSlow(ProjectInvalid):
    """An import does not end. Take waiting, loops and requests out of the module's top level."""

    template = (
        "Loading the project took more than {seconds:g} seconds and was given up{place}. Whatever waits or "
        "computes for long belongs into a function; the limit is the setting `load_seconds_max`."
    )

    @classmethod
    def of(cls, seconds: float, file: str) -> LoadingTooSlow:
        """The error for a load that was importing `file`; empty where nothing was begun."""
        place = f" while {file} was being imported" if file else ""
        return cls(cls.template.format(seconds=seconds, place=place), seconds=seconds, file=file)


def load_project(settings: ProjectSettings, *, on_import: Callable[[str], None] | None = None) -> Registry:
    """Import the project afresh and collect its functions and schema.

    One load at a time; safe to call from any thread. `on_import` hears of each file before it is imported.

    Raises:
        ProjectInvalid: a module cannot be imported, or a function or table is not well formed.
    """
    # Before author code says `from time import sleep`.
    install_guard()
    with _lock:
        return _load(settings, on_import or (lambda file: None))


def _load(settings: ProjectSettings, on_import: Callable[[str], None]) -> Registry:
    package = settings.functions.replace("/", ".")
    before = _take_out_modules(settings)
    root = str(settings.root)
    # In front, also where it is there already: another project may have been loaded since.
    sys.path[:] = [root, *(place for place in sys.path if place != root)]
    importlib.invalidate_caches()
    finder = _PrintingFinder(settings)
    others = {name: module for name, module in sys.modules.items() if name != "__main__"}
    sys.meta_path.insert(0, finder)
    try:
        modules = {}
        for path, file in _module_files(settings):
            on_import(str(file.relative_to(settings.root)))
            modules[path] = _import(f"{package}.{path.replace('/', '.')}", file, settings)
        schema = _schema_of(modules)
        records = list(_records_of(modules, settings, schema))
        _refuse_same_paths(records, settings)
        project = {
            name: module
            for name, module in list(sys.modules.items())
            if module is not others.get(name) and isinstance(module, ModuleType)
            if getattr(module, "__file__", None) and _is_of_project(module, settings)
        }
        hashes = module_hashes(modules, project, finder.sources, case=settings.case)
        registry = _assembled(records, schema, modules, settings, hashes=hashes)
    except BaseException:
        _take_out_modules(settings)
        sys.modules.update(before)
        raise
    finally:
        sys.meta_path.remove(finder)
    return registry


def collect_project(settings: ProjectSettings) -> Registry:
    """The registry of a project whose modules stay as they are imported: for tests, which hold its functions
    and classes themselves.

    Modules of another project that go by the same package name are taken out first.

    Raises:
        ProjectInvalid: as `load_project`.
    """
    package = settings.functions.replace("/", ".")
    top, root = settings.functions.split("/")[0], str(settings.root)
    with _lock:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == top and not _is_of_project(module, settings):
                del sys.modules[name]
        sys.path[:] = [root, *(place for place in sys.path if place != root)]
        importlib.invalidate_caches()
        modules = {
            path: _import(f"{package}.{path.replace('/', '.')}", file, settings)
            for path, file in _module_files(settings)
        }
    return collect_modules(modules, settings)


def collect_modules(modules: Mapping[str, ModuleType], settings: ProjectSettings) -> Registry:
    """The registry of imported modules, by module path (`admin/users`).

    Raises:
        ProjectInvalid: a function or table is not well formed.
    """
    for module in modules.values():
        module.__dict__.setdefault("print", function_print)
    schema = _schema_of(dict(modules))
    records = list(_records_of(modules, settings, schema))
    hashes = {
        path: hashlib.sha256(f"{path} {_mark_of(module)}".encode()).hexdigest()
        for path, module in modules.items()
    }
    return _assembled(records, schema, modules, settings, hashes=hashes)


def _assembled(
    records: Iterable[FunctionRecord],
    schema: Schema,
    modules: Mapping[str, ModuleType],
    settings: ProjectSettings,
    *,
    hashes: Mapping[str, str],
) -> Registry:
    """The registry of functions and tables that were found, with all else that `modules` declare."""
    registry = registry_of(
        records,
        schema,
        module_hashes=hashes,
        root=settings.root,
        http=_router_of(modules, settings),
        variables=_variables_of(modules),
        auth_providers=_auth_of(modules, settings),
    )
    return _with_crons(registry, modules, settings)


def _mark_of(module: ModuleType) -> int:
    """A number that no other module of this process has, or had: addresses are used again."""
    mark: int = module.__dict__.setdefault(_MARK, next(_marks))
    return mark


def _module_files(settings: ProjectSettings) -> Iterator[tuple[str, Path]]:
    """(module path, file) of every module, in the order of their paths."""
    folder = settings.functions_path
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        if any(part in _SKIPPED or part.startswith(".") for part in parts) or parts[-1] == "__init__":
            continue
        for part in parts:
            if not _MODULE_NAME.fullmatch(part):
                raise ProjectInvalid(
                    f"{file.relative_to(settings.root)}: `{part}` cannot be a module name. Use letters, "
                    "digits and underscores."
                )
        yield "/".join(parts), file


def _import(name: str, file: Path, settings: ProjectSettings) -> ModuleType:
    try:
        return importlib.import_module(name)
    except RewakeError as error:
        raise ProjectInvalid(
            f"{file.relative_to(settings.root)}: {error.message}", traceback=author_frames(error)
        ) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if (
            isinstance(error, ModuleNotFoundError)
            and error.name
            and error.name.split(".")[0] != settings.functions.split("/")[0]
        ):
            reason += f". Install it where the server runs: pip install {error.name.split('.')[0]}"
        raise ProjectInvalid(
            f"{file.relative_to(settings.root)} cannot be imported. {reason}",
            traceback=author_traceback(error),
        ) from error
    except SystemExit as error:
        raise ProjectInvalid(
            f"{file.relative_to(settings.root)} ends the process when it is imported (SystemExit: {error})."
        ) from error


def _is_of_project(module: ModuleType, settings: ProjectSettings) -> bool:
    """Whether a module's file lies below the project's root and is not an installed library there."""
    file = getattr(module, "__file__", None)
    if file is None:
        # A folder without __init__.py is a namespace package: it has places instead of a file.
        places = list(getattr(module, "__path__", ()))
        return any(Path(place).is_relative_to(settings.functions_path) for place in places)
    # First as text: this is asked of every module there is, and paths are slow.
    if not os.path.normpath(file).startswith(os.path.join(str(settings.root), "")):
        return False
    path = Path(file)
    if any(path.is_relative_to(place) for place in _PYTHON if place.is_relative_to(settings.root)):
        return False
    inner = path.relative_to(settings.root).parts
    return "site-packages" not in inner and not inner[0].startswith(".")


def _take_out_modules(settings: ProjectSettings) -> dict[str, ModuleType]:
    """Remove the project's modules from `sys.modules`; returns them."""
    top = settings.functions.split("/")[0]
    taken = {
        name: module
        for name, module in list(sys.modules.items())
        if name == top
        or name.startswith(f"{top}.")
        or _stands_in_the_way(name, settings)
        or (isinstance(module, ModuleType) and name != "__main__" and _is_of_project(module, settings))
    }
    for name in taken:
        del sys.modules[name]
    return taken


def _stands_in_the_way(name: str, settings: ProjectSettings) -> bool:
    """Whether a module of another project has a name that this project uses as well."""
    if _owners.get(name) in (None, settings.root):
        return False
    top = name.split(".", maxsplit=1)[0]
    return (settings.root / f"{top}.py").is_file() or (settings.root / top).is_dir()


class _PrintingFinder:
    """Gives modules of the functions folder a `print` that ends in the log lines of the running function.

    Modules of the project are compiled from their source each time. The import system's own cache takes a
    file for unchanged that was saved twice within a second and kept its size; a reload must not. `sources`
    holds what was compiled, by module name: a file may have been saved again since.

    The package itself is looked for in this project only: a library or another project may have one of that
    name, and Python would prefer it wherever ours has no `__init__.py`.
    """

    def __init__(self, settings: ProjectSettings) -> None:
        self._folder = settings.functions_path
        self._root = settings.root
        self._top = settings.functions.split("/")[0]
        self.sources: dict[str, bytes] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(name, [str(self._root)] if name == self._top else path, target)
        if name == self._top and spec is not None and spec.loader is None:
            # A namespace package: a list of ours stays what it is, the import system's own would grow again.
            spec.submodule_search_locations = [str(self._root / self._top)]
            return spec
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or not spec.origin:
            return None
        loader, origin = spec.loader, Path(spec.origin)
        if not origin.is_relative_to(self._root) or "site-packages" in origin.parts:
            return None

        def get_code(fullname: str) -> Any:
            source = self.sources[fullname] = loader.get_data(str(origin))
            _owners[fullname] = self._root
            return loader.source_to_code(looking(source, str(origin)), str(origin))

        loader.get_code = get_code  # type: ignore[method-assign]
        if origin.is_relative_to(self._folder):
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                module.__dict__.setdefault("print", function_print)
                execute(module)

            loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _schema_of(modules: dict[str, ModuleType]) -> Schema:
    classes: dict[type[Any], None] = {}
    explicit: Schema | None = None
    for path, module in modules.items():
        for value in vars(module).values():
            if is_document_class(value) and value.__table__ is not None:
                classes[value] = None
            elif isinstance(value, Schema):
                if explicit is not None and explicit is not value:
                    raise ProjectInvalid(f"{path}.py: a project has one schema object; this is the second.")
                explicit = value
    try:
        return Schema.from_documents(list(classes), explicit)
    except RewakeError as error:
        place = schema_place(classes, error.message)
        raise ProjectInvalid(f"The schema is not well formed: {error.message}", traceback=place) from error


def _variables_of(modules: Mapping[str, ModuleType]) -> dict[str, DeclaredVariable]:
    try:
        return variables_of(modules)
    except RewakeError as error:
        raise ProjectInvalid(f"The environment variables are not well declared: {error.message}") from error


def _router_of(modules: Mapping[str, ModuleType], settings: ProjectSettings) -> HttpRouter | None:
    router = vars(modules["http"]).get("http") if "http" in modules else None
    if "http" in modules and not isinstance(router, HttpRouter):
        raise ProjectInvalid(f"`http` of {settings.functions}/http.py is not an HttpRouter.")
    return router


def _auth_of(modules: Mapping[str, ModuleType], settings: ProjectSettings) -> tuple[Provider, ...]:
    try:
        return providers_of(modules)
    except RewakeError as error:
        raise ProjectInvalid(f"{settings.functions}/{AUTH_CONFIG}.py: {error.message}") from error


def _with_crons(registry: Registry, modules: Mapping[str, ModuleType], settings: ProjectSettings) -> Registry:
    try:
        return replace(registry, crons=crons_of(modules.get("crons"), registry, limits=settings.limits))
    except InvalidCron as error:
        raise ProjectInvalid(f"{settings.functions}/crons.py: {error.message}") from error


def _records_of(
    modules: Mapping[str, ModuleType], settings: ProjectSettings, schema: Schema
) -> Iterator[FunctionRecord]:
    rename = camel_case if settings.case == "camel" else str
    for path, module in modules.items():
        for attribute, value in vars(module).items():
            # A function imported from another module is exported there, once.
            if not isinstance(value, RegisteredFunction) or value.__module__ != module.__name__:
                continue
            name = value.exported_name or rename(attribute)
            try:
                signature = inspect.signature(value.handler)
                names = function_names(value.handler)
                arguments = schema.arguments_codec(
                    list(signature.parameters.values())[1:],
                    names=names,
                    rename=rename,
                    where=attribute,
                )
                returns = None
                if signature.return_annotation is not inspect.Signature.empty:
                    returns = schema.codec_for(
                        signature.return_annotation, names=names, where=f"{attribute}, return value"
                    )
                yield FunctionRecord(
                    path=FunctionPath.parse(f"{path}:{name}"),
                    kind=value.kind,
                    is_internal=value.is_internal,
                    function=value,
                    arguments=arguments,
                    returns=returns,
                )
            except RewakeError as error:
                raise ProjectInvalid(
                    f"{settings.functions}/{path}.py: in `{attribute}`: {error.message}",
                    traceback=handler_place(value.handler),
                ) from error


def _refuse_same_paths(records: list[FunctionRecord], settings: ProjectSettings) -> None:
    seen: dict[FunctionPath, FunctionRecord] = {}
    for record in records:
        other = seen.setdefault(record.path, record)
        if other.function is not record.function:
            raise ProjectInvalid(
                f"{settings.functions}/{record.path.module}.py: `{other.function.__name__}` and "
                f"`{record.function.__name__}` are both exported as {record.path.public}. Give one of them "
                "another name, with `name=` if need be."
            )

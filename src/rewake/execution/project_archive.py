"""The project archive: a project's sources as one ZIP file, the same for the same files.

Floor 3, `execution`. Made where a deploy begins, opened where it is served. What goes in is easy to predict:

    pyproject.toml                     if there is one
    every file of the functions folder but hidden ones, `__pycache__`, `_generated` and `node_modules`
    what `include` of [tool.rewake] names: files, and folders with the same exceptions

Whoever sends an archive may run code on the server anyway; it is read with suspicion all the same, for a
broken or hostile one must come to an error and not to a full disk, or to a file elsewhere.

Not here: sending (`cli`), where it is kept (`database/deploys.py`), loading (`loader.py`).
Source: PKWARE APPNOTE 6.3.3, 4.3 (for the end of the central directory).
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from rewake.errors import InvalidInput
from rewake.execution.loader import ProjectInvalid, ProjectSettings
from rewake.limits import KIB, Limits

SETTINGS_FILE = "pyproject.toml"
_SKIPPED = frozenset({"__pycache__", "_generated", "node_modules"})
_TIME = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644
_PIECE = 256 * KIB
_END_MARK, _END_BYTES = b"PK\x05\x06", 22
_DIRECTORY_BYTES_MAX = 1 * KIB
"""Of the central directory, for each file that there may be: names are shorter."""
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\:]")


class ProjectTooLarge(InvalidInput):
    """There is more in the project than a deploy may have. Leave data files out, or raise the limit."""

    code = "ProjectTooLarge"
    template = "The project has {what}: more than {limit:,} {unit} (setting {setting})."


class ProjectArchiveInvalid(InvalidInput):
    """What was sent is no archive of a project. Send it with `rewake deploy`."""

    code = "InvalidProjectArchive"
    template = "The archive cannot be taken: {reason}."


class ProjectArchive(msgspec.Struct, frozen=True):
    """The files of a project by path, which is relative and has slashes."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The same for the same files, however they were packed."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{len(name)} {name} {hashlib.sha256(self.files[name]).hexdigest()}\n".encode())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(map(len, self.files.values()))

    def pack(self) -> bytes:
        """As a ZIP file."""
        output = io.BytesIO()
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(self.files):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # Unix; it would differ from system to system.
                entry.external_attr = (stat.S_IFREG | _FILE_MODE) << 16
                archive.writestr(entry, self.files[name])
        return output.getvalue()

    def write(self, folder: Path) -> None:
        """Lay the files into a folder that is empty."""
        for name, data in self.files.items():
            file = folder.joinpath(*PurePosixPath(name).parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def gather_project(settings: ProjectSettings, limits: Limits) -> ProjectArchive:
    """The files of a project that go with a deploy.

    Raises:
        ProjectInvalid: `include` names what is not there, or a module imports one of the project that is not
        among them.
        ProjectTooLarge: there are more, or larger ones, than a deploy may have.
    """
    root = settings.root
    found: dict[str, Path] = {}
    if (root / SETTINGS_FILE).is_file():
        found[SETTINGS_FILE] = root / SETTINGS_FILE
    found.update(_files_of(settings.functions_path, root))
    for name in settings.include:
        place = root / name
        if not place.exists():
            raise ProjectInvalid(f"`include` under [tool.rewake] names `{name}`, which {root} does not have.")
        found.update({name: place} if place.is_file() else _files_of(place, root))
    if len(found) > limits.deploy_files_max:
        raise _too_many(len(found), limits)
    size, files = 0, {}
    for name, place in sorted(found.items()):
        size += place.stat().st_size
        if size > limits.deploy_bytes_max:
            raise _too_large(limits)
        files[name] = place.read_bytes()
    archive = ProjectArchive(files)
    _refuse_left_out(archive, root)
    return archive


def open_archive(data: bytes, limits: Limits) -> ProjectArchive:
    """Read an archive that came from outside.

    Raises:
        ProjectArchiveInvalid: it is none, or has names that lead elsewhere.
        ProjectTooLarge: it has more than a deploy may have.
    """
    if len(data) > limits.deploy_archive_bytes_max:
        raise ProjectTooLarge(
            what="a larger archive",
            limit=limits.deploy_archive_bytes_max,
            unit="bytes",
            setting="deploy_archive_bytes_max",
        )
    _check_directory(data, limits)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return ProjectArchive(dict(_entries(archive, limits)))
    except _UNREADABLE as error:
        raise ProjectArchiveInvalid(reason=f"it is no ZIP file that can be read ({error})") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise ProjectArchiveInvalid(reason=f"a name in it cannot be read ({error})") from None


def _check_directory(data: bytes, limits: Limits) -> None:
    """Look at the size of the list of files before anybody reads the list."""
    at = data.rfind(_END_MARK)
    if at < 0 or len(data) - at < _END_BYTES:
        raise ProjectArchiveInvalid(reason="it is no ZIP file")
    (size,) = struct.unpack_from("<L", data, at + 12)
    if size > limits.deploy_files_max * _DIRECTORY_BYTES_MAX:
        raise _too_many(None, limits)


def _entries(archive: zipfile.ZipFile, limits: Limits) -> Iterator[tuple[str, bytes]]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > limits.deploy_files_max:
        raise _too_many(len(entries), limits)
    seen: set[str] = set()
    left = limits.deploy_bytes_max
    for entry in entries:
        name = entry.filename
        _check_name(name, entry)
        if name in seen:
            raise ProjectArchiveInvalid(reason=f"it has `{name[:200]}` twice")
        seen.add(name)
        # What the list says of sizes is the sender's word.
        pieces = []
        with archive.open(entry) as stream:
            while piece := stream.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise _too_large(limits)
                pieces.append(piece)
        yield name, b"".join(pieces)
    folders = {str(parent) for name in seen for parent in PurePosixPath(name).parents}
    both = sorted(folders & seen)
    if both:
        raise ProjectArchiveInvalid(reason=f"`{both[0][:200]}` is a file and a folder in it")


def _check_name(name: str, entry: zipfile.ZipInfo) -> None:
    parts = name.split("/")
    mode = entry.external_attr >> 16
    if _CONTROL.search(name) or name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ProjectArchiveInvalid(reason=f"the name {name[:200]!r} leads out of it, or is none")
    if len(name.encode(errors="replace")) > KIB or any(len(part.encode()) > 255 for part in parts):
        raise ProjectArchiveInvalid(reason=f"the name `{name[:80]}...` is too long")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ProjectArchiveInvalid(reason=f"`{name[:200]}` is no plain file (a link, perhaps)")
    if entry.flag_bits & 1:
        raise ProjectArchiveInvalid(reason=f"`{name[:200]}` is encrypted")


def _files_of(folder: Path, root: Path) -> dict[str, Path]:
    found = {}
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder).parts
        if any(part in _SKIPPED or part.startswith(".") for part in inner) or file.suffix == ".pyc":
            continue
        if file.is_file():
            found[file.relative_to(root).as_posix()] = file
    return found


def _refuse_left_out(archive: ProjectArchive, root: Path) -> None:
    """Find modules of the project that are imported and not in the archive, before the server does."""
    for name, data in archive.files.items():
        if not name.endswith(".py"):
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            continue  # Loading says it better.
        for top in sorted(_tops_of(tree)):
            here = [f"{top}.py"] if (root / f"{top}.py").is_file() else []
            here += [top] if (root / top).is_dir() and next((root / top).rglob("*.py"), None) else []
            within = any(file.partition("/")[0] in (top, f"{top}.py") for file in archive.files)
            if here and not within and not (root / top / "pyvenv.cfg").exists():
                raise ProjectInvalid(
                    f"{name} imports `{top}`, which is a module of the project outside of what is deployed. "
                    f'Add it under [tool.rewake] in {SETTINGS_FILE}: include = ["{here[0]}"]'
                )


def _tops_of(tree: ast.AST) -> set[str]:
    """The first parts of the names of modules that are imported absolutely."""
    tops: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            tops.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            tops.add(node.module.partition(".")[0])
    return tops


def _too_many(count: int | None, limits: Limits) -> ProjectTooLarge:
    what = "too many files" if count is None else f"{count:,} files"
    return ProjectTooLarge(what=what, limit=limits.deploy_files_max, unit="files", setting="deploy_files_max")


def _too_large(limits: Limits) -> ProjectTooLarge:
    limit = limits.deploy_bytes_max
    return ProjectTooLarge(what="larger files", limit=limit, unit="bytes", setting="deploy_bytes_max")

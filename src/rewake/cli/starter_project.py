"""The starter project: what `rewake init` writes.

Floor 8, `cli`. A backend of two functions that runs and type-checks as it is, and says in its files where to
go on. Nothing that exists is ever overwritten: either all files can be written, or none is and the command
names those in the way.

Not here: what the settings mean (`execution.loader`).
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

import msgspec

from rewake.cli.failure import CommandFailed

NAME_LENGTH_MAX = 60

_PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
description = "A live application on Rewake."
requires-python = ">=3.11"
dependencies = ["rewake"]

[tool.rewake]
functions = "backend"  # the folder with schema.py and the functions
"""

_SCHEMA = '''\
"""The tables. Each class is a table; its fields are what a document of it holds."""

from rewake import Document, Index


class Message(Document, table="messages"):
    """One line that somebody wrote. Every document also has `id` and `creation_time`."""

    author: str
    body: str
    by_author = Index("author")
'''

_MESSAGES = '''\
"""Reading and writing messages: clients call `messages:list_recent` and `messages:send`."""

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query

from .schema import Message


@query
def list_recent(ctx: QueryCtx, limit: int = 20) -> list[Message]:
    """The latest messages, newest first. Every screen that shows them follows by itself."""
    return ctx.db.query(Message).order("desc").take(limit)


@mutation
def send(ctx: MutationCtx, body: str, author: str = "somebody") -> Id[Message]:
    """Write a message."""
    if not body.strip():
        raise ApplicationError({"code": "empty_message", "message": "Write something first."})
    return ctx.db.insert(Message(author=author, body=body.strip()))
'''

_GITIGNORE = """\
# Data and the admin key of this machine.
.rewake/

__pycache__/
.venv/
node_modules/
"""

_README = """\
# {title}

A live application on Rewake. The tables are in `backend/schema.py`, the functions in `backend/messages.py`.

    rewake dev                                  # start, and reload on every save

Then, in a second terminal:

    rewake run messages:send body="Hello"       # call a function
    rewake run messages:list_recent --watch     # see its result change

## A page

Every official Convex client works unmodified. With React:

    npm create vite@latest web -- --template react-ts --no-interactive
    cd web && npm install && npm install convex

Say in `pyproject.toml` where the page looks for its types: `generated = "web/src/_generated"`.
Then, in `web/src/main.tsx`:

```tsx
import {{ createRoot }} from "react-dom/client";
import {{ ConvexProvider, ConvexReactClient, useMutation, useQuery }} from "convex/react";
import {{ api }} from "./_generated/api";

const client = new ConvexReactClient("http://127.0.0.1:3210");

function Messages() {{
  const messages = useQuery(api.messages.list_recent, {{}});
  const send = useMutation(api.messages.send);
  return (
    <>
      <button onClick={{() => send({{ body: "Hello" }})}}>Say hello</button>
      <ul>{{messages?.map((message) => <li key={{message._id}}>{{message.body}}</li>)}}</ul>
    </>
  );
}}

createRoot(document.getElementById("root")!).render(
  <ConvexProvider client={{client}}><Messages /></ConvexProvider>,
);
```

`rewake dev` keeps these types in step with the functions, so the page type-checks.

## Serving it

    npm run build --prefix web
    rewake serve . --port 3210 --static web/dist
"""


class Written(msgspec.Struct, frozen=True):
    """What `init` did. Paths are relative to the project."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def starter_files(root: Path) -> dict[str, str]:
    """Every file of the starter project by its path relative to `root`."""
    return {
        "pyproject.toml": _PYPROJECT.format(name=package_name(root.name)),
        ".gitignore": _GITIGNORE,
        "README.md": _README.format(title=" ".join(root.name.split()) or "A live application"),
        "backend/__init__.py": '"""The backend: tables and functions."""\n',
        "backend/schema.py": _SCHEMA,
        "backend/messages.py": _MESSAGES,
    }


def package_name(folder: str) -> str:
    """A valid name for a Python package from any folder name: lower case letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:NAME_LENGTH_MAX].strip("-")
    return name or "my-app"


def write_starter(folder: Path, *, keep: bool) -> Written:
    """Write the starter project into `folder`, making it if need be. With `keep` existing files stay as they
    are.

    Raises:
        CommandFailed: a file is in the way, or the folder cannot be written. Nothing was written in the first
        case.
    """
    root = folder.resolve()
    files = starter_files(root)
    if root.exists() and not root.is_dir():
        raise CommandFailed(f"{folder} is a file. `rewake init` wants a folder.")
    there = [name for name in files if (root / name).exists() or (root / name).is_symlink()]
    in_the_way = [name for name in there if not _holds(root / name, files[name])]
    is_hopeless = any(not (root / name).is_file() for name in in_the_way)
    if (root / "backend").exists() and not (root / "backend").is_dir():
        is_hopeless = True
        in_the_way.append("backend")
    if in_the_way and (is_hopeless or not keep):
        hint = "Choose another folder."
        if not is_hopeless:
            hint = "Choose another folder, or keep these files and write only what is missing: "
            hint += f"rewake init {shlex.quote(str(folder))} --keep"
        raise CommandFailed(
            f"{folder} already has files that `rewake init` would overwrite. Nothing was written.",
            detail="\n".join(in_the_way),
            hint=hint,
        )
    written = []
    try:
        for name, text in files.items():
            if name in there:
                continue
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as output:
                output.write(text)
            written.append(name)
    except OSError as error:
        raise CommandFailed(f"{error.filename or root} cannot be written: {error.strerror}.") from None
    return Written(root, tuple(written), tuple(there))


def _holds(file: Path, text: str) -> bool:
    try:
        return file.is_file() and file.read_bytes() == text.encode()
    except OSError:
        return False

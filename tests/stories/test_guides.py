"""The first steps of the guides, as somebody takes them who copies what stands there into a new project.

A Python block that begins with `# backend/NAME.py` or `# tests/NAME.py` is that whole file, beside those of
`rewake init`.
Each guide is tried in a process of its own, because a project's modules are imported once and stay.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rewake.cli.starter_project import starter_files
from tests.house.source_tree import ROOT

SECONDS_MAX = 60
BLOCK = re.compile(r"^```python\n(# ((?:backend|tests)/\w+\.py)\n.*?)^```$", re.MULTILINE | re.DOTALL)

ACTIONS = """
from backend import answers, messages, whispers

with Service() as service:
    backend.env["ANSWERS_URL"] = f"http://127.0.0.1:{service.server_port}/ask"
    assert backend.action(answers.answer, question="why") == "because of why"
assert [each.author for each in backend.query(messages.list_recent)] == ["bot"]
backend.mutation(whispers.send, body="psst", seconds=5)
[planned] = backend.scheduled()
assert planned.path == "whispers:disappear"
backend.finish_scheduled()
assert [each.author for each in backend.query(messages.list_recent)] == ["bot"]
"""

CRONS = """
from backend import messages

assert [cron.name for cron in backend.crons()] == ["digest", "forget", "greet", "working days"]
assert backend.run_crons() == 1
backend.clock.advance(days=7)
assert backend.run_crons() > 1
assert "Good morning!" in [each.body for each in backend.query(messages.list_recent)]
"""

SIGN_IN = """
from backend import messages

backend.env["CLERK_DOMAIN"] = "hello.clerk.accounts.dev"
backend.as_user("ada").mutation(messages.send, body="hi")
assert [row["body"] for row in backend.run(lambda ctx: ctx.db.query("messages").collect())] == ["hi"]
"""

HTTP = """
answer = backend.fetch("/messages", method="POST", json={"body": "hi"})
assert answer.status_code == 200, answer.text
[message] = answer.json()
assert (message["author"], message["body"]) == ("somebody", "hi")
assert message.keys() == {"_id", "_creationTime", "author", "body"}
"""

MOUNTED = """
from backend import messages

backend.mutation(messages.send, body="hi")
answer = backend.fetch("/api/recent")
assert (answer.status_code, answer.json()) == (200, ["hi"]), answer.text
"""

FILES = """
from backend import images, messages

image = backend.store(b"...", content_type="image/png")
backend.mutation(images.send_image, image=image, author="ada")
assert backend.read_file(image) == b"..."
[message] = backend.query(messages.list_recent)
assert message.image == image
assert "/api/storage/" in backend.query(images.image_url, image=image)
page = backend.store(b"...", content_type="text/html")
try:
    backend.mutation(images.send_image, image=page, author="ada")
except ApplicationError as refused:
    assert refused.data == "Only pictures can be sent."
else:
    raise AssertionError("a page was sent as a picture")
"""

PAGES = """
from backend import messages, schema
from rewake import PaginationOptions

with backend.run() as ctx:
    channel = ctx.db.insert(schema.Channel(name="general"))
    for body in "abc":
        ctx.db.insert(schema.Message(channel=channel, author="ada", body=body))

def page(cursor):
    options = PaginationOptions(num_items=2, cursor=cursor)
    return backend.query(messages.list_page, channel=channel, pagination_opts=options)

first = page(None)
assert [each.body for each in first.page] == ["c", "b"]
assert [each.body for each in page(first.continue_cursor).page] == ["a"]
"""

TESTING = """
import subprocess

command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
done = subprocess.run(command, capture_output=True, text=True)
assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
"""

PROGRAM = """
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from json import dumps, loads

from rewake import ApplicationError
from rewake.testing import Backend


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        question = loads(self.rfile.read(int(self.headers["Content-Length"])))["question"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(dumps({"text": f"because of {question}"}).encode())


class Service(HTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answering)

    def __enter__(self):
        threading.Thread(target=self.handle_request, daemon=True).start()
        return self


with Backend.from_project(".") as backend:
"""


def blocks_of(guide: str) -> list[tuple[str, str]]:
    """Files that a guide gives whole: path and content, in the order of the guide."""
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
    return [(path, content) for content, path in BLOCK.findall(text)]


CASES: dict[str, tuple[list[tuple[str, str]], str]] = {
    "actions": (
        [("actions-and-scheduling", "backend/answers.py"), ("actions-and-scheduling", "backend/whispers.py")],
        ACTIONS,
    ),
    "crons": (
        [
            ("actions-and-scheduling", "backend/answers.py"),
            ("actions-and-scheduling", "backend/whispers.py"),
            ("actions-and-scheduling", "backend/crons.py"),
        ],
        CRONS,
    ),
    "sign-in": (
        [("authentication", "backend/auth_config.py"), ("authentication", "backend/messages.py")],
        SIGN_IN,
    ),
    "http": ([("http-actions", "backend/http.py")], HTTP),
    "mounted": ([("http-actions", "backend/http.py"), ("http-actions", "backend/http.py")], MOUNTED),
    "files": ([("files", "backend/schema.py"), ("files", "backend/images.py")], FILES),
    "pages": ([("schema", "backend/schema.py"), ("pagination", "backend/messages.py")], PAGES),
    "testing": ([("testing", "tests/test_messages.py")], TESTING),
}
"""Files in the order of their guides, and what is then done with them."""


@pytest.mark.parametrize("case", CASES)
def test_what_guides_give_runs_in_a_new_project(tmp_path: Path, case: str) -> None:
    files, steps = CASES[case]
    given = {guide: iter(blocks_of(guide)) for guide, _ in files}
    written = [next(given[guide]) for guide, _ in files]
    assert [path for path, _ in written] == [path for _, path in files]
    for path, content in [*starter_files(tmp_path / "hello").items(), *written]:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    program = PROGRAM + "".join(f"    {line}\n" for line in steps.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_of_a_guide_is_left_untried() -> None:
    tried = {file for files, _ in CASES.values() for file in files}
    guides = (ROOT / "docs" / "guides").glob("*.md")
    given = {(guide.stem, path) for guide in guides for path, _ in blocks_of(guide.stem)}
    assert given == tried

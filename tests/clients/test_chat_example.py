"""`examples/chat` as a person meets it: the scripted session, and the built page in two windows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.chat.tests.conftest import Service
from tests.clients.browser import Browser, Page
from tests.clients.conftest import install_packages
from tests.clients.example_project import assert_types_are_fresh, run
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients

CHAT = Path(__file__).parents[2] / "examples" / "chat"


@pytest.fixture(scope="module")
def built_page(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `vite build` makes it, in a folder of this test run."""
    install_packages(CHAT)
    folder = tmp_path_factory.mktemp("chat") / "dist"
    run("npx", "vite", "build", "--outDir", str(folder), "--emptyOutDir", "--logLevel", "warn", folder=CHAT)
    return folder


@pytest.fixture
def chat(built_page: Path, make_server: Callable[..., ServerProcess]) -> ServerProcess:
    """The chat as it is served to people: data of its own, and the built page."""
    server = make_server(CHAT, "--static", str(built_page))
    server.start()
    return server


def come_in(page: Page, name: str) -> None:
    page.fill("What shall the others call you?", name)
    page.press("What shall the others call you?", "Enter")


def two_windows(browser: Browser, server: ServerProcess) -> tuple[Page, Page]:
    """Ada and Grace, each with a window that shows the same new channel."""
    ada, grace = browser.visit(server.url), browser.visit(server.url)
    come_in(ada, "Ada")
    ada.wait_text("There is no channel yet")
    ada.fill("Name of a new channel", "The Garden")
    ada.press("Name of a new channel", "Enter")
    ada.wait_text("Nobody has written here yet.")
    come_in(grace, "Grace")
    grace.wait_text("the-garden")
    grace.wait_text("Nobody has written here yet.")
    return ada, grace


def write(page: Page, text: str) -> None:
    page.fill("Your message", text)
    page.press("Your message", "Enter")


def set_bot_url(server: ServerProcess, url: str) -> None:
    key = server.data.with_name(server.data.name + ".admin_key").read_text().strip()
    command = [sys.executable, "-m", "rewake", "env", "set", "BOT_URL", url]
    run(*command, "--url", server.url, "--admin-key", key, folder=CHAT)


def test_the_scripted_session_shows_what_both_see(
    node: str, make_server: Callable[..., ServerProcess]
) -> None:
    install_packages(CHAT)
    server = make_server(CHAT)
    server.start()
    # Twice: the second time the channel and old messages are there already.
    for written in (2, 4):
        printed = run(node, "scripted.mjs", server.url, folder=CHAT)
        assert "Both saw the same, live and over HTTP." in printed
        for name in ("Ada", "Grace"):
            assert f"{name:6} sees the whisper" in printed
            assert f"{name:6} sees that it is gone" in printed
            assert f'{name:6} sees the bot say "{written} messages by Ada' in printed


def test_the_scripted_session_fails_when_there_is_no_backend_behind_the_address(
    node: str, make_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    install_packages(CHAT)
    server = make_server()  # Another application: none of the chat's functions are there.
    server.start()
    done = subprocess.run(
        [node, "scripted.mjs", server.url], cwd=CHAT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "scripted: " in done.stderr


@pytest.mark.browser
def test_what_one_window_writes_the_other_shows(chat: ServerProcess, browser: Browser) -> None:
    ada, grace = two_windows(browser, chat)
    for page in (ada, grace):
        page.wait("document.querySelectorAll('[aria-label=\"Who is here\"] li').length === 2")
    write(ada, "Do you see the roses?")
    grace.wait_text("Do you see the roses?")
    write(grace, "And the bees.")
    ada.wait_text("And the bees.")
    for page in (ada, grace):
        page.wait("document.querySelectorAll('[aria-busy=\"true\"]').length === 0")
        page.wait_text("connected")
        assert page.errors == []


CHOOSE = """(() => {
    const field = document.querySelector("[aria-label='Disappears after']");
    field.value = "%s";
    field.dispatchEvent(new Event("change", { bubbles: true }));
})()"""

# Everything that a page has shown, so that what comes and goes is not missed.
REMEMBER = """(() => {
    window.remembered = [];
    const remember = () => window.remembered.push(document.body.innerText);
    const everything = { subtree: true, childList: true, characterData: true };
    new MutationObserver(remember).observe(document.body, everything);
})()"""

PICTURE = """(async () => {
    const bytes = Uint8Array.from(
        atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
        (letter) => letter.charCodeAt(0),
    );
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], "dot.png", { type: "image/png" }));
    const field = document.querySelector("[aria-label='Send a picture']");
    field.files = chosen.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
})()"""


@pytest.mark.browser
def test_a_picture_that_one_window_sends_is_shown_in_the_other(chat: ServerProcess, browser: Browser) -> None:
    ada, grace = two_windows(browser, chat)
    ada.evaluate(PICTURE)
    for page in (ada, grace):
        page.wait("[...document.querySelectorAll('img.picture')].some((each) => each.naturalWidth === 1)")
        assert page.errors == []


@pytest.mark.browser
def test_a_message_that_disappears_goes_from_both_windows(chat: ServerProcess, browser: Browser) -> None:
    ada, grace = two_windows(browser, chat)
    for page in (ada, grace):
        page.evaluate(REMEMBER)
    write(ada, "The roses stay.")
    ada.evaluate(CHOOSE % "10")
    write(ada, "Psst: third pot.")
    ada.evaluate(CHOOSE % "")
    write(ada, "The bees stay.")
    for page in (ada, grace):
        page.wait(
            "window.remembered.some((text) => /gone in \\d+ s/.test(text) && text.includes('third pot'))"
        )
        page.wait("!document.body.innerText.includes('third pot')")
        page.wait_text("The bees stay.")
        page.wait_text("The roses stay.")
        page.wait("!/gone in/.test(document.body.innerText)")
        assert page.errors == []


@pytest.mark.browser
def test_a_message_that_is_taken_back_goes_from_both_windows(chat: ServerProcess, browser: Browser) -> None:
    ada, grace = two_windows(browser, chat)
    write(ada, "Oops.")
    grace.wait_text("Oops.")
    assert grace.evaluate("document.querySelectorAll('button.remove').length") == 0
    ada.wait("document.querySelectorAll('button.remove').length === 1")
    ada.press("Take this message back", "Enter")
    for page in (ada, grace):
        page.wait_text("Nobody has written here yet.")
        assert page.errors == []


@pytest.mark.browser
def test_the_bot_types_and_answers_in_both_windows(chat: ServerProcess, browser: Browser) -> None:
    ada, grace = two_windows(browser, chat)
    with Service.running() as service:
        service.may_answer.clear()
        set_bot_url(chat, service.url)
        write(grace, "@bot What is the answer?")
        for page in (ada, grace):
            page.wait_text("bot is typing…")
        service.may_answer.set()
        for page in (ada, grace):
            page.wait_text("Forty-two.")
            page.wait("!document.body.innerText.includes('bot is typing')")
        assert service.asked[0]["messages"][-1]["content"] == "Grace: @bot What is the answer?"
    # Nobody listens there any more.
    write(ada, "@bot And now?")
    for page in (ada, grace):
        page.wait_text("my service cannot be reached")
    set_bot_url(chat, "")
    write(ada, "@bot roll 2d6")
    for page in (ada, grace):
        page.wait("/\\d \\+ \\d = \\d/.test(document.body.innerText)")
        page.wait("!document.body.innerText.includes('bot is typing')")
        assert page.errors == []


def test_the_page_type_checks(node: str) -> None:
    install_packages(CHAT)
    run("npx", "tsc", "--noEmit", folder=CHAT)


def test_the_committed_types_are_what_codegen_writes(tmp_path: Path) -> None:
    assert_types_are_fresh(CHAT, tmp_path)

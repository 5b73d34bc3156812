"""The provider's pages, as HTML without a line of JavaScript."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from .accounts import Account
from .outbox import Delivery, Outbox

_STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
_SHOWN_MAX = 50


def sign_in(accounts: Iterable[Account]) -> str:
    """Choose who you are. There are no passwords here."""
    rows = "".join(
        f'<form method="post"><input type="hidden" name="account" value="{escape(each.id)}">'
        f"<button>{escape(each.name)} <small>{escape(each.email)}</small></button></form>"
        for each in accounts
    )
    body = f"""<main class="card stack"><h1>Sign in</h1>
<p>A stand-in for Clerk on your machine. Nobody asks for a password.</p>{rows}
<h2>Somebody new</h2><form method="post"><label class="label" for="name">Name</label>
<input id="name" name="name" required maxlength="60" placeholder="Your name" autocomplete="off">
<button class="main">Sign up</button></form></main>"""
    return _page("Sign in", body, narrow=True)


def desk(accounts: Iterable[Account], outbox: Outbox, page_url: str) -> str:
    """Play the provider."""
    people = "".join(_account(each) for each in accounts) or "<p>Nobody is left.</p>"
    sent = (
        "".join(_delivery(each) for each in outbox.deliveries[: -_SHOWN_MAX - 1 : -1]) or "<p>None yet.</p>"
    )
    switch, word = ("release", "Send what waits") if outbox.is_held else ("hold", "Hold webhooks back")
    body = f"""<h1>The provider's desk</h1>
<p>What you do here reaches <a href="{escape(page_url)}">the application</a> by signed webhooks.
Keep it open in another window and watch it change.</p>
<h2>Accounts</h2><div class="card">{people}</div>
<h2>Webhooks</h2><div class="card"><div class="row"><span>{
        "They are held back." if outbox.is_held else "They are sent at once."
    }</span>{_button(f"/outbox/{switch}", word)}</div>{sent}</div>"""
    return _page("The provider's desk", body)


def _account(account: Account) -> str:
    path = f"/accounts/{escape(account.id)}"
    return f"""<div class="row"><span>{escape(account.name)}<small>{escape(account.email)}</small></span>
<form method="post" action="{path}/rename"><label class="label" for="name-{escape(account.id)}">New name of
{escape(account.name)}</label><input id="name-{escape(account.id)}" name="name" required maxlength="60"
placeholder="New name" autocomplete="off"><button>Rename</button></form>
{_button(f"{path}/renew", "Charge a year")}{_button(f"{path}/delete", "Delete")}</div>"""


def _delivery(delivery: Delivery) -> str:
    return f"""<div class="row"><span><code>{escape(delivery.type)}</code>
<small>{escape(delivery.id)}: {escape(delivery.outcome)}</small></span>
<form method="post" action="/outbox/again"><button name="delivery" value="{escape(delivery.id)}">Send
again</button></form></div>"""


def _button(action: str, word: str) -> str:
    return f'<form method="post" action="{action}"><button>{word}</button></form>'


def _page(title: str, body: str, *, narrow: bool = False) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{_STYLE}</style>"
        f'<body class="{"narrow" if narrow else ""}">{body}</body></html>'
    )

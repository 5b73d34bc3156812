"""The provider on one port: pages for people, calls for the application's page, keys for the backend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from . import events, pages
from .accounts import Account, Accounts, now_ms
from .outbox import Outbox
from .tokens import Signer

COOKIE = "stand_in_session"
HISTORY_MONTHS = 12
MINUTE_MS = 60_000


@dataclass
class Provider:
    """Everything that the routes share."""

    page_url: str
    signer: Signer
    outbox: Outbox
    accounts: Accounts
    settle_seconds: float

    async def announce(self) -> None:
        """Tell about the accounts that there are from the beginning."""
        for account in self.accounts.all():
            await self.outbox.post(events.user_saved("user.created", account))

    def app(self) -> Starlette:
        """The ASGI application. Only the application's own page may read answers from another origin."""
        cors = Middleware(
            CORSMiddleware,
            allow_origins=[self.page_url],
            allow_methods=["GET", "POST"],
            allow_credentials=True,
        )
        return Starlette(routes=_routes(self), middleware=[cors])


def _routes(provider: Provider) -> list[Route]:
    desk, browser = _Desk(provider), _Browser(provider)
    signer = provider.signer
    return [
        Route("/.well-known/openid-configuration", lambda _: JSONResponse(signer.discovery())),
        Route("/.well-known/jwks.json", lambda _: JSONResponse(signer.key_set())),
        Route("/sign-in", browser.sign_in_page, methods=["GET"]),
        Route("/sign-in", browser.sign_in, methods=["POST"]),
        Route("/token", browser.token, methods=["GET"]),
        Route("/sign-out", browser.sign_out, methods=["POST"]),
        Route("/checkout", browser.checkout, methods=["POST"]),
        Route("/", desk.page, methods=["GET"]),
        Route("/accounts/{account}/{verb}", desk.act, methods=["POST"]),
        Route("/outbox/{verb}", desk.deliver, methods=["POST"]),
    ]


async def _fields(request: Request) -> dict[str, str]:
    """What a form says. (Starlette's own reader wants one more package.)"""
    return dict(parse_qsl((await request.body()).decode(errors="replace")))


class _Browser:
    """What happens in a user's browser: sign-in, tokens, buying."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._settling: set[asyncio.Task[None]] = set()

    async def sign_in_page(self, request: Request) -> Response:
        return HTMLResponse(pages.sign_in(self._provider.accounts.all()))

    async def sign_in(self, request: Request) -> Response:
        """Sign in as somebody who is there, or sign up under a new name."""
        provider, form = self._provider, await _fields(request)
        account = provider.accounts.find(form.get("account", ""))
        name = form.get("name", "").strip()
        if account is None:
            if not name:
                return RedirectResponse("/sign-in", status_code=303)
            account = provider.accounts.add(name)
            await provider.outbox.post(events.user_saved("user.created", account))
        answer = RedirectResponse(provider.page_url, status_code=303)
        key = provider.accounts.begin_session(account)
        answer.set_cookie(COOKIE, key, httponly=True, samesite="lax")
        return answer

    async def token(self, request: Request) -> Response:
        account = self._account(request)
        token = None if account is None else self._provider.signer.token(account)
        return JSONResponse({"token": token}, headers={"cache-control": "no-store"})

    async def sign_out(self, request: Request) -> Response:
        self._provider.accounts.end_session(request.cookies.get(COOKIE, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer

    async def checkout(self, request: Request) -> Response:
        """Buy a plan: the payment is pending first, and settled a moment later."""
        account, form = self._account(request), await _fields(request)
        plan = events.PLANS.get(form.get("plan", ""))
        if account is None or plan is None:
            return JSONResponse({"error": "Sign in and choose a plan."}, status_code=400)
        pending = events.payment_pending(account, plan)
        settle = events.payment_failed if form.get("card") == "declined" else events.payment_paid
        await self._provider.outbox.post(events.event("paymentAttempt.created", pending))
        task = asyncio.create_task(self._settle(settle, pending))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return JSONResponse({"payment": pending["payment_id"]})

    async def _settle(self, settle: Any, pending: events.Json) -> None:
        await asyncio.sleep(self._provider.settle_seconds)
        await self._provider.outbox.post(events.event("paymentAttempt.updated", settle(pending)))

    def _account(self, request: Request) -> Account | None:
        return self._provider.accounts.of_session(request.cookies.get(COOKIE, ""))


class _Desk:
    """What you do as the provider: change accounts, charge, hold webhooks back, send them again."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def page(self, request: Request) -> Response:
        return HTMLResponse(
            pages.desk(self._provider.accounts.all(), self._provider.outbox, self._provider.page_url)
        )

    async def act(self, request: Request) -> Response:
        account = self._provider.accounts.find(request.path_params["account"])
        form = await _fields(request)
        match request.path_params["verb"], account:
            case "rename", Account():
                account.rename(form.get("name", "").strip() or account.name)
                await self._provider.outbox.post(events.user_saved("user.updated", account))
            case "delete", Account():
                self._provider.accounts.remove(account)
                await self._provider.outbox.post(events.user_deleted(account))
            case "renew", Account():
                await self._renew(account)
        return RedirectResponse("/", status_code=303)

    async def deliver(self, request: Request) -> Response:
        outbox, form = self._provider.outbox, await _fields(request)
        delivery = outbox.find(form.get("delivery", ""))
        match request.path_params["verb"]:
            case "hold":
                outbox.is_held = True
            case "release":
                await outbox.release()
            case "again" if delivery is not None:
                await outbox.send(delivery)
        return RedirectResponse("/", status_code=303)

    async def _renew(self, account: Account) -> None:
        """A year of monthly charges, so that there is something to page through."""
        plan = events.PLANS["starter"]
        today = now_ms()
        for month in range(HISTORY_MONTHS, 0, -1):
            billed_at = today - month * 30 * events.DAY_MS
            pending = events.payment_pending(account, plan, billed_at=billed_at) | {
                "charge_type": "recurring"
            }
            paid = events.payment_paid(pending, at=billed_at + MINUTE_MS)
            await self._provider.outbox.post(events.event("paymentAttempt.updated", paid))

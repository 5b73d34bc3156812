"""Requests of a mounted application wait their turn, and are refused as by our own process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from msgspec.structs import replace

from rewake.environment import Environment, ManualClock
from rewake.execution import Turnstile
from rewake.http_api import build_app, lane_at_turnstile
from rewake.limits import DEFAULT_LIMITS
from tests.http_api.fake_backend import FakeBackend


class Nobody:
    """Who waits and is never heard of again."""

    def begin(self) -> None:
        pass

    def turn_away(self, error: Any) -> None:
        pass


def test_lanes_are_addresses_with_a_few_for_bearers_and_one_for_health() -> None:
    plain = lane_at_turnstile("10.0.0.9", "/api/query", [(b"host", b"here")])
    assert plain == lane_at_turnstile("10.0.0.9", "/api/mutation", [])
    assert plain != lane_at_turnstile("10.0.0.8", "/api/query", [])
    assert plain != lane_at_turnstile("10.0.0.9", "/readyz", [])
    bearers = {
        lane_at_turnstile("10.0.0.9", "/", [(b"authorization", b"Bearer %d" % n)]).name for n in range(999)
    }
    assert len(bearers) == 8
    assert plain.name not in bearers


def test_who_would_wait_for_too_long_is_told_so_and_a_neighbour_is_served_in_his_turn() -> None:
    async def story() -> None:
        ready: list[Any] = []
        limits = replace(DEFAULT_LIMITS, queue_wait_seconds_max=0.1)
        turnstile = Turnstile(limits, Environment(clock=ManualClock()), soon=ready.append)
        backend = FakeBackend()
        app = build_app(backend, turnstile=turnstile)

        def client(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=app, client=(address, 1))
            return httpx.AsyncClient(transport=transport, base_url="http://test")

        while turnstile.has_room():
            pass
        flood = lane_at_turnstile("10.0.0.9", "", ())
        while turnstile.refuses(flood) is None:
            turnstile.wait(Nobody(), flood)
        async with client("10.0.0.9") as flooding, client("10.0.0.8") as gentle:
            refused = await flooding.get("/version", headers={"origin": "https://any.example"})
            assert refused.status_code == 503
            assert refused.json()["code"] == "ServerFullError"
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["access-control-allow-origin"] == "https://any.example"
            assert backend.tallies.refusals["http", "ServerFullError"] == 1
            waiting = asyncio.create_task(gentle.get("/version"))
            while len(turnstile) == 0 or not waiting:
                await asyncio.sleep(0)
            before = len(turnstile)
            while len(turnstile) == before:
                await asyncio.sleep(0)
            assert not waiting.done()
            step, ready[:] = ready[0], []
            step()
            assert (await waiting).status_code == 200

    asyncio.run(story())

"""What the door counts of its answers."""

from __future__ import annotations

from tests.http_api.fake_backend import ADMIN, FakeBackend, caller


def test_answers_are_counted_by_status_and_refusals_by_reason() -> None:
    backend = FakeBackend()
    ask = caller(backend)
    ask.get("/version")
    ask.get("/no/such/page")
    ask.get("/metrics")
    ask.get("/metrics", headers={"Authorization": "Bearer bad"})
    ask.get("/metrics", headers=ADMIN)
    assert backend.tallies.responses == {200: 2, 404: 1, 403: 1, 401: 1}
    assert backend.tallies.refusals == {
        ("http", "BadDeployKey"): 1,
        ("http", "Unauthenticated"): 1,
    }

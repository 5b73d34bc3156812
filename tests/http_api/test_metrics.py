"""Who may read the page of metrics, and where."""

from __future__ import annotations

from rewake.auth import Scope
from rewake.http_api import build_metrics
from tests.http_api.fake_backend import ADMIN, SCOPED, Caller, FakeBackend, assert_error, caller


def test_the_page_is_for_keys_that_may_read() -> None:
    ask = caller(FakeBackend())
    for headers in (ADMIN, SCOPED[Scope.READ]):
        response = ask.get("/metrics", headers=headers)
        assert response.text == "fake_metric 1\n"
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
    assert_error(ask.get("/metrics"), 403, "BadDeployKey")
    assert ask.get("/metrics", headers=SCOPED[Scope.DEPLOY]).status_code == 403


def test_at_a_port_of_its_own_it_needs_no_key() -> None:
    backend = FakeBackend()
    ask = Caller(build_metrics(backend.metrics, backend.environment, backend.ready))
    assert ask.get("/metrics").text == "fake_metric 1\n"
    assert ask.get("/healthz").text == "ok"
    assert ask.get("/readyz").status_code == 200
    backend.is_ready = False
    assert ask.get("/readyz").status_code == 503
    assert ask.get("/api/query").status_code == 404

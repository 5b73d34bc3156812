"""Where a deployment is reached: one answer, for everybody who asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.auth import Admin
from rewake.deployment import Origins, PublicUrlInvalid, origins_of
from tests.deployment.stage import Stage, play

MODULE = """
    from rewake import MutationCtx, QueryCtx, mutation, query

    @query
    def seen(ctx: QueryCtx) -> list[str]:
        return [ctx.env["CONVEX_CLOUD_URL"], ctx.env["CONVEX_SITE_URL"]]

    @mutation
    def upload(ctx: MutationCtx) -> str:
        return ctx.storage.generate_upload_url()
"""
HERE, SITE = "http://127.0.0.1:3210", "http://127.0.0.1:3211"


@pytest.mark.threads_only("no deployment is needed")
@pytest.mark.parametrize(
    ("cloud", "site", "origins"),
    [
        (None, None, Origins(HERE, SITE, is_said=False)),
        ("https://chat.example/", None, Origins("https://chat.example", "https://chat.example/http", True)),
        (
            "https://chat.example/a",
            " https://site.example/ ",
            Origins("https://chat.example/a", "https://site.example", True),
        ),
        (None, "https://site.example", Origins(HERE, "https://site.example", is_said=False)),
    ],
)
def test_what_the_operator_says_comes_first(cloud: str | None, site: str | None, origins: Origins) -> None:
    assert origins_of(cloud=cloud, site=site, listening=HERE, site_listening=SITE) == origins


@pytest.mark.threads_only("no deployment is needed")
def test_without_a_port_of_its_own_the_site_lies_below_the_api() -> None:
    origins = origins_of(cloud=None, site=None, listening=HERE, site_listening=None)
    assert origins.site == f"{HERE}/http"


@pytest.mark.threads_only("no deployment is needed")
@pytest.mark.parametrize(
    "url", ["", "chat.example", "ftp://x", "https://x?y", "https://a b", "https://u:p@x"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(PublicUrlInvalid):
        origins_of(cloud=url, site=None, listening=HERE, site_listening=SITE)
    with pytest.raises(PublicUrlInvalid):
        origins_of(cloud=None, site=url, listening=HERE, site_listening=SITE)


def test_who_is_told_again_of_what_is_as_before_hears_nothing(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        before = deployment.last_ts
        await deployment.serve_at(Origins(HERE, SITE, is_said=False))
        (row,) = deployment._database.log_rows(after=before)
        assert row.ts == deployment.last_ts, "all of it in one commit"
        await deployment.serve_at(Origins(HERE, SITE, is_said=False))
        assert deployment.last_ts == row.ts

    play(tmp_path, story, m=MODULE)


def test_functions_files_and_doors_are_told_the_same(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        assert (deployment.site_url, deployment.public_url) == (None, None)
        await deployment.serve_at(Origins(HERE, SITE, is_said=False))
        assert (deployment.site_url, deployment.public_url) == (SITE, None)
        assert await stage.query("m:seen", Admin()) == [HERE, SITE]
        await deployment.serve_at(Origins("https://a.example", "https://b.example", is_said=True))
        assert (deployment.site_url, deployment.public_url) == ("https://b.example", "https://a.example")
        assert await stage.query("m:seen") == ["https://a.example", "https://b.example"]
        assert (await stage.mutate("m:upload")).startswith("https://a.example/api/storage/upload?token=")

    play(tmp_path, story, m=MODULE)

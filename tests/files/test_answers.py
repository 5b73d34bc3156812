"""What a request for a file is answered."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.database import FileFacts
from rewake.files import Asked, plan_answer
from rewake.files.answers import is_harmless

FILE = FileFacts("id", "key", "c2hhMjU2", 10, "text/plain")
ETAG = '"c2hhMjU2"'


def test_the_whole_file_with_its_digest() -> None:
    answer = plan_answer(FILE, Asked())
    assert (answer.status, answer.start, answer.stop) == (200, 0, 10)
    assert answer.headers == {
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=2592000",
        "content-length": "10",
        "content-type": "text/plain",
        "digest": "sha-256=c2hhMjU2",
        "etag": ETAG,
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-3", 0, 4),
        ("bytes=4-", 4, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
        ("bytes=9-9999", 9, 10),
        ("Bytes = 0 - 0", 0, 1),
    ],
)
def test_one_range_that_fits_is_cut_to_the_file(header: str, start: int, stop: int) -> None:
    answer = plan_answer(FILE, Asked(range=header))
    assert (answer.status, answer.start, answer.stop) == (206, start, stop)
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/10"
    assert answer.headers["content-length"] == str(stop - start)
    assert "digest" not in answer.headers


@pytest.mark.parametrize(
    "header",
    ["bytes=10-", "bytes=5-4", "bytes=-0", "bytes=0-1,3-4", "bytes=-", "bytes=x-y", f"bytes={'9' * 40}-"],
)
def test_several_ranges_or_one_that_does_not_fit_are_416(header: str) -> None:
    answer = plan_answer(FILE, Asked(range=header))
    assert (answer.status, answer.start, answer.stop) == (416, 0, 0)
    assert answer.headers["content-range"] == "bytes */10"


def test_a_unit_that_is_not_known_is_ignored() -> None:
    assert plan_answer(FILE, Asked(range="lines=1-2")).status == 200


@pytest.mark.parametrize("header", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
def test_who_has_it_is_not_sent_it_again(header: str) -> None:
    answer = plan_answer(FILE, Asked(if_none_match=header, range="bytes=0-1"))
    assert answer.status == 304
    assert answer.headers["etag"] == ETAG
    assert "content-length" not in answer.headers
    assert plan_answer(FILE, Asked(if_none_match='"other"')).status == 200


def test_a_range_of_another_version_is_the_whole_file() -> None:
    assert plan_answer(FILE, Asked(range="bytes=0-1", if_range=ETAG)).status == 206
    assert plan_answer(FILE, Asked(range="bytes=0-1", if_range='"other"')).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "text/html; charset=utf-8",
        "TEXT/HTML",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "application/javascript",
        "multipart/x-mixed-replace",
        "x/y",
        "nonsense",
    ],
)
def test_what_a_browser_could_run_is_sandboxed_and_offered_for_saving(content_type: str) -> None:
    headers = plan_answer(replace(FILE, content_type=content_type), Asked()).headers
    assert "sandbox" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["content-disposition"] == "attachment"
    assert headers["content-type"] == content_type
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content_type", ["image/png", "video/mp4", "application/pdf", "audio/ogg", None])
def test_what_can_only_be_shown_is_shown(content_type: str | None) -> None:
    assert is_harmless(content_type)
    headers = plan_answer(replace(FILE, content_type=content_type), Asked()).headers
    assert "content-security-policy" not in headers

from __future__ import annotations

import pytest

from rewake.functions import InvalidPaginationOptions, PaginationOptions, PaginationResult
from rewake.schema import codec_for


def test_options_are_taken_as_a_client_sends_them() -> None:
    sent = {"numItems": 10.0, "cursor": None, "id": 3.0, "maximumRowsRead": 5.0, "endCursor": "e"}
    options = PaginationOptions.of(sent)
    assert (options.num_items, options.cursor, options.end_cursor) == (10, None, "e")
    assert (options.maximum_rows_read, options.id) == (5, 3.0)
    assert PaginationOptions.of(options) is options


@pytest.mark.parametrize("sent", [{}, {"numItems": 1.5, "cursor": None}, {"numItems": 1}, 5])
def test_anything_else_is_refused_with_its_reason(sent: object) -> None:
    with pytest.raises(InvalidPaginationOptions, match="`paginate` was given options that cannot be"):
        PaginationOptions.of(sent)  # type: ignore[arg-type]


def test_the_door_knows_the_official_names() -> None:
    options = codec_for(PaginationOptions).validator.to_json()["value"]
    assert set(options) == {
        "numItems", "cursor", "endCursor", "maximumRowsRead", "maximumBytesRead", "id",
    }  # fmt: skip
    assert {name for name, of in options.items() if not of["optional"]} == {"numItems", "cursor"}
    result = codec_for(PaginationResult[str]).validator.to_json()["value"]
    assert set(result) == {"page", "isDone", "continueCursor", "splitCursor", "pageStatus"}
    assert result["page"]["fieldType"] == {"type": "array", "value": {"type": "string"}}


def test_a_result_keeps_its_place_when_its_page_becomes_something_else() -> None:
    result = PaginationResult(page=[1, 2], is_done=False, continue_cursor="c", split_cursor="s")
    assert result.with_page(["a"]) == PaginationResult(
        page=["a"], is_done=False, continue_cursor="c", split_cursor="s", page_status=None
    )

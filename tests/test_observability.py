"""One setting governs what the house logs."""

import pytest

from rewake.observability import logger, redacted, wanted_level


def test_every_logger_is_below_the_root_of_the_house():
    assert logger("rewake.sync.session").name == "rewake.sync.session"
    assert logger("tests").name == "rewake.tests"


@pytest.mark.parametrize(
    ("said", "level"),
    [(None, None), (" ", None), ("debug", 10), (" Info ", 20), ("warning", 30), ("error", 40), ("loud", 30)],
)
def test_the_level_of_the_log_is_a_word(said: str | None, level: int | None) -> None:
    assert wanted_level({} if said is None else {"REWAKE_LOG_LEVEL": said}) == level


SECRET = "ab" * 32
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"key chat|{SECRET} end", "key chat|[redacted] end"),
        (f"chat|rk{SECRET}:eyJhIjoxfQ==", "chat|[redacted]"),
        (f"{{'authorization': 'Convex chat|rk{SECRET}'}}", "{'authorization': 'Convex [redacted]'}"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer [redacted]"),
        ("(b'authorization', b'Bearer abcdefgh')", "(b'authorization', b'Bearer [redacted]')"),
        ('{\\"authorization\\": \\"Basic QWxhZGRpbg==\\"}', '{\\"authorization\\": \\"Basic [redacted]\\"}'),
        (f"a token {JWT}.", "a token [redacted]."),
        ("GET /api/keys?x=1&adminKey=chat%7Cabc&y=2", "GET /api/keys?x=1&adminKey=[redacted]&y=2"),
        ("POST /api/storage/upload?token=AbC_d-1", "POST /api/storage/upload?token=[redacted]"),
        ("a hunter2 b", "a [redacted] b"),
    ],
)
def test_keys_and_tokens_are_taken_out(text: str, told: str) -> None:
    assert redacted(text, ["hunter2"]) == told
    assert redacted(told, ["hunter2"]) == told


@pytest.mark.parametrize(
    "part", ["z", "-eyJ", "eyJabcdef-", "a.", "bearer ", "authorization", "z|", "|abc", "?token="]
)
def test_long_words_are_gone_through_once(part: str) -> None:
    """Going through the rest of them from each of their letters takes an hour."""
    redacted(part * (2_000_000 // len(part)))


def test_what_stands_behind_the_beginning_of_a_token_is_taken_out() -> None:
    assert redacted("eyJabcdefg-bearer abcdefg") == "eyJabcdefg-bearer [redacted]"
    assert redacted(f"eyJabcdef.chat|{SECRET}") == "eyJabcdef.chat|[redacted]"
    assert redacted(f"|{SECRET}") == "|[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of bad news",
        "This Convex deployment is running.",
        "a | b",
        "a|deadbeef",
        "x.y.z",
        "eyJabcdefg.x",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redacted(text) == text

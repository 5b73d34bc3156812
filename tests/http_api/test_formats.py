"""Which format an answer gets, and what the formats make of each type."""

from __future__ import annotations

import json

import pytest

from rewake.http_api.formats import OutputFormat, in_format, output_format
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion
from rewake.values import UnknownFormat, encode
from tests.http_api.fake_backend import EVERY_TYPE


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("json", OutputFormat.CLEAN),
        ("convex_clean_json", OutputFormat.CLEAN),
        ("convex_json", OutputFormat.ENCODED),
        ("convex_encoded_json", OutputFormat.ENCODED),
        ("export_json", OutputFormat.EXPORT),
        (None, OutputFormat.CLEAN),
    ],
)
def test_a_format_has_its_names(name: str | None, wanted: OutputFormat) -> None:
    assert output_format(name, UNKNOWN_CLIENT) is wanted


def test_a_named_format_wins_over_an_old_client() -> None:
    assert output_format("json", ClientVersion("npm", (1, 0, 0))) is OutputFormat.CLEAN


@pytest.mark.parametrize("name", ["xml", "JSON", "", "ENCODED"])
def test_an_unknown_format_is_refused(name: str) -> None:
    with pytest.raises(UnknownFormat) as caught:
        output_format(name, UNKNOWN_CLIENT)
    assert str(caught.value) == f"format param must be one of [`json`]. Got {name}"
    assert (caught.value.code, caught.value.status) == ("BadFormat", 400)


def test_encoded_text_passes_untouched() -> None:
    text = encode(EVERY_TYPE)
    assert in_format(text, OutputFormat.ENCODED) is text


def test_clean_text_is_for_people() -> None:
    text = in_format(encode(EVERY_TYPE), OutputFormat.CLEAN)
    assert json.loads(text) == {
        "none": None,
        "yes": True,
        "one": 1.0,
        "tiny": 1e-7,
        "nan": "NaN",
        "inf": "Infinity",
        "minus_zero": 0.0,
        "big": "9007199254740993",
        "bytes": "AAEC",
        "text": "é",
        "list": [1.0, {"a": "1"}],
    }
    assert '"one":1.0' in text
    assert '"minus_zero":-0.0' in text


def test_export_text_tells_integers_from_floats() -> None:
    text = in_format(encode(EVERY_TYPE), OutputFormat.EXPORT)
    assert '"big":9007199254740993' in text
    assert '"one":1.0' in text
    assert '"bytes":{"$bytes":"AAEC"}' in text
    assert '"nan":{"$float":"AAAAAAAA+H8="}' in text

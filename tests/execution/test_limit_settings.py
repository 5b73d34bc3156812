from __future__ import annotations

import pytest

from rewake.execution.limit_settings import LimitSettingInvalid, limits_from_environment, limits_from_table
from rewake.limits import DEFAULT_LIMITS, MIB, SETTINGS, Limits

PLACE = "[tool.rewake.limits] in pyproject.toml"


def from_table(**table: object) -> Limits:
    return limits_from_table(table, place=PLACE)


def refusal(**table: object) -> str:
    with pytest.raises(LimitSettingInvalid) as caught:
        from_table(**table)
    return caught.value.message


def test_what_is_left_out_keeps_its_default() -> None:
    assert from_table() == DEFAULT_LIMITS
    assert from_table(documents_read_max=7) == Limits(documents_read_max=7)


def test_every_limit_can_be_set_to_its_bounds_and_its_default() -> None:
    for name, setting in SETTINGS.items():
        assert setting.least <= setting.default <= setting.most, name
        for value in (setting.least, setting.default, setting.most):
            written = int(value) if setting.is_whole else value
            assert getattr(from_table(**{name: written}), name) == value
            assert type(getattr(from_table(**{name: written}), name)) is type(setting.default), name


@pytest.mark.parametrize(
    ("text", "size"),
    [("32 MiB", 32 * MIB), ("32MiB", 32 * MIB), ("1.5 GiB", 1536 * MIB), ("4096", 4096), ("64 KiB", 65_536)],
)
def test_sizes_can_be_written_with_their_unit(text: str, size: int) -> None:
    assert from_table(bytes_read_max=text).bytes_read_max == size
    assert limits_from_environment({"REWAKE_LIMIT_BYTES_READ_MAX": text}).bytes_read_max == size


def test_the_environment_stands_above_the_file() -> None:
    base = from_table(documents_read_max=7, documents_written_max=8)
    environ = {"REWAKE_LIMIT_DOCUMENTS_READ_MAX": " 9 ", "REWAKE_LIMIT_GROUP_SECONDS": "", "PATH": "x"}
    limits = limits_from_environment(environ, base=base)
    assert (limits.documents_read_max, limits.documents_written_max) == (9, 8)
    assert limits.group_seconds == DEFAULT_LIMITS.group_seconds


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    assert refusal(document_read_max=1) == (
        f"Unknown limit `document_read_max` in {PLACE}. Did you mean `documents_read_max`? "
        "docs/reference/limits.md lists all limits."
    )
    assert "Did you mean" not in refusal(zzz=1)
    with pytest.raises(LimitSettingInvalid) as caught:
        limits_from_environment({"REWAKE_LIMIT_BYTES_WRITEN_MAX": "1"})
    assert "Unknown limit `REWAKE_LIMIT_BYTES_WRITEN_MAX` in the environment." in caught.value.message
    assert "Did you mean `REWAKE_LIMIT_BYTES_WRITTEN_MAX`?" in caught.value.message


def test_errors_name_value_and_unit() -> None:
    assert refusal(documents_read_max=0) == (
        f"`documents_read_max` under {PLACE} must lie between 1 and 100,000,000 documents; got 0."
    )
    assert refusal(bytes_read_max="65 GiB") == (
        f"`bytes_read_max` under {PLACE} must lie between 1,024 and 68,719,476,736 bytes; "
        "got '65 GiB', which is 69,793,218,560."
    )
    assert refusal(documents_read_max="many") == (
        f"`documents_read_max` under {PLACE} must be a whole number of documents; got 'many'."
    )
    with pytest.raises(LimitSettingInvalid) as caught:
        limits_from_environment({"REWAKE_LIMIT_FUNCTION_SECONDS_MAX": "soon"})
    assert caught.value.message == (
        "The environment variable REWAKE_LIMIT_FUNCTION_SECONDS_MAX must be a number of seconds; got 'soon'."
    )


@pytest.mark.parametrize("value", [True, None, [1], 1.5, float("nan"), float("inf"), "1 MiB", "0x10", ""])
def test_what_is_no_number_is_refused(value: object) -> None:
    assert "must be a whole number of documents" in refusal(documents_read_max=value)


@pytest.mark.parametrize("value", ["MiB", "1 TB", "-1 MiB", "0.3 B", "1,000"])
def test_what_is_no_size_is_refused(value: str) -> None:
    assert 'bytes, or a size such as "32 MiB"' in refusal(bytes_read_max=value)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(LimitSettingInvalid, match="must be a table of limits"):
        limits_from_table([1], place=PLACE)

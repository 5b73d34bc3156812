"""The page of limits is the dataclass of limits, in words."""

from __future__ import annotations

import re

import pytest

from rewake.limits import DEFAULT_LIMITS, GIB, KIB, MIB, SETTINGS, Setting
from tests.house.source_tree import ROOT

PAGE = ROOT / "docs" / "reference" / "limits.md"
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", flags=re.MULTILINE)
_UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB, "days": 86_400, "hour": 3_600, "hours": 3_600}


def rows() -> dict[str, tuple[str, str, str]]:
    return {
        name: (default.strip(), bounds.strip(), reason.strip())
        for name, default, bounds, reason in _ROW.findall(PAGE.read_text(encoding="utf-8"))
    }


def amount(text: str) -> float:
    """`16 MiB` and `32,000` as numbers."""
    number, _, unit = text.partition(" ")
    return float(number.replace(",", "")) * _UNITS.get(unit, 1)


def test_every_limit_has_its_row_and_every_row_its_limit() -> None:
    listed = [name for name, *_ in _ROW.findall(PAGE.read_text(encoding="utf-8"))]
    assert sorted(listed) == sorted(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_default_unit_and_bounds_are_what_the_page_says(setting: Setting) -> None:
    default, bounds, reason = rows()[setting.name]
    least, most = bounds.split(" to ")
    assert (amount(default), amount(least), amount(most)) == (setting.default, setting.least, setting.most)
    unit = default.partition(" ")[2]
    assert setting.unit == {"KiB": "bytes", "MiB": "bytes", "GiB": "bytes"}.get(unit, unit) or unit in _UNITS
    assert setting.default == getattr(DEFAULT_LIMITS, setting.name)
    assert len(reason) > 20


def test_names_end_in_what_they_count_where_they_have_a_unit_of_measure() -> None:
    for setting in SETTINGS.values():
        if setting.unit in ("bytes", "seconds"):
            assert setting.unit in setting.name, setting.name

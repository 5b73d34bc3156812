"""Values of Python objects without a hint."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections import UserDict
from typing import Any

import msgspec
import pydantic
import pytest

from rewake.limits import VALUE_NESTING_MAX
from rewake.schema import Document, field, plain_value
from rewake.values import COMMIT_TS, UNSET, Int64, InvalidValue, TooNested, Unset, nesting


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(msgspec.Struct):
    x: int
    y: float | Unset = UNSET
    z: str = msgspec.field(name="zed", default="")


@dataclasses.dataclass
class Box:
    inside: Any
    other: Any = UNSET


class Model(pydantic.BaseModel):
    name: str = pydantic.Field(alias="fullName")
    sizes: list[int] = []


class Note(Document, table="notes"):
    body: str
    external: str = field(name="externalId", default="e")


class Text(str):
    pass


@pytest.mark.parametrize(
    ("thing", "value"),
    [
        (None, None),
        (True, True),
        (5, 5.0),
        (Int64(5), Int64(5)),
        (COMMIT_TS, COMMIT_TS),
        ("a", "a"),
        (Text("a"), "a"),
        (b"a", b"a"),
        ((1, "a"), [1.0, "a"]),
        ({"a": 1, "b": UNSET}, {"a": 1.0}),
        (UserDict({"a": 1}), {"a": 1.0}),
        ({Text("a"): 1}, {"a": 1.0}),
        (Color.RED, "red"),
        (Level.LOW, 1.0),
        (Point(1), {"x": 1.0, "zed": ""}),
        (Box([Point(1, 2.0, "c")]), {"inside": [{"x": 1.0, "y": 2.0, "zed": "c"}]}),
        (Model(fullName="n", sizes=[1]), {"fullName": "n", "sizes": [1.0]}),
        (Note(body="b"), {"body": "b", "externalId": "e"}),
        (UNSET, UNSET),
    ],
)
def test_objects_have_their_natural_values(thing: Any, value: Any) -> None:
    found = plain_value(thing)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (datetime.datetime(2024, 1, 1), "milliseconds since the epoch"),
        ([{"a"}], "store a list"),
        (object(), "is not a supported Convex type"),
        ({1: "a"}, "1"),
        (2**53 + 1, "Int64"),
    ],
)
def test_what_stands_for_no_value_is_refused(thing: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        plain_value(thing)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_as_many_levels_as_a_value_may_have_pass() -> None:
    assert nesting(plain_value(nested(VALUE_NESTING_MAX))) == VALUE_NESTING_MAX


def test_what_contains_itself_or_is_very_deep_is_too_nested() -> None:
    ring: list[Any] = []
    ring.append(ring)
    loop: dict[str, Any] = {}
    loop["again"] = loop
    box = Box(None)
    box.inside = box
    for thing in (ring, loop, box, nested(100_000)):
        with pytest.raises(TooNested, match="nested 65 levels deep > maximum nesting 64"):
            plain_value(thing)

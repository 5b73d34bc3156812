"""From type hints to validators and back and forth between values and objects."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import uuid
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)

import annotated_types
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from rewake.schema import (
    CommitTs,
    Document,
    Id,
    Purpose,
    Scope,
    TypeCodec,
    UnknownReference,
    UnsupportedType,
    ValidationFailed,
    codec_for,
    v,
)
from rewake.schema.constraints import WHOLE_NUMBER
from rewake.values import (
    COMMIT_TS,
    UNSET,
    CommitTsPlaceholder,
    Int64,
    InvalidValue,
    Placeholders,
    Unset,
    decode,
    encode,
)

T = TypeVar("T")
UserName = NewType("UserName", str)
Json = dict[str, "Json"] | list["Json"] | str | None


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Flags(enum.Flag):
    A = 1


class User(Document, table="users"):
    name: str
    age: int = 0


class Point(msgspec.Struct):
    x: int
    y: float = 0.5
    note: str | Unset = UNSET
    renamed: bool = msgspec.field(name="flag", default=False)


class Tree(msgspec.Struct):
    name: str
    children: list[Tree] = []
    parent: Optional["Tree"] = None  # noqa: UP037, UP045


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    first: T | None = None


@dataclasses.dataclass
class Box:
    width: int
    label: str = "b"
    area: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError("a box has no negative width")
        self.area = self.width**2


class Options(TypedDict):
    name: str
    limit: NotRequired[int]


class Model(pydantic.BaseModel):
    full_name: str = pydantic.Field(alias="fullName", max_length=5)
    ages: list[int] = []
    box: Box | None = None

    @pydantic.field_validator("full_name")
    @classmethod
    def _not_bad(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("bad is not a name")
        return value


def codec(annotation: Any, **options: Any) -> TypeCodec:
    return codec_for(annotation, module=__name__, **options)


def whole() -> Any:
    return v.float64().constrained(WHOLE_NUMBER)


ROUND_TRIPS: list[tuple[Any, Any, list[tuple[Any, Any]]]] = [
    (str, v.string(), [("a", "a")]),
    (int, whole(), [(5, 5.0), (-(2**53), -(2.0**53))]),
    (float, v.float64(), [(1.5, 1.5)]),
    (bool, v.boolean(), [(True, True)]),
    (bytes, v.bytes(), [(b"a", b"a")]),
    (None, v.null(), [(None, None)]),
    (Int64, v.int64(), [(Int64(5), Int64(5))]),
    (CommitTsPlaceholder, v.commit_ts(), [(COMMIT_TS, COMMIT_TS), (Int64(5), Int64(5))]),
    (Int64 | CommitTsPlaceholder, v.commit_ts(), [(COMMIT_TS, COMMIT_TS), (Int64(5), Int64(5))]),
    (CommitTs, v.commit_ts(), [(COMMIT_TS, COMMIT_TS), (Int64(5), Int64(5))]),
    (CommitTs | None, v.union(v.commit_ts(), v.null()), [(COMMIT_TS, COMMIT_TS), (None, None)]),
    (Annotated[Int64, v.commit_ts()], v.commit_ts(), [(COMMIT_TS, COMMIT_TS), (Int64(5), Int64(5))]),
    (Any, v.any(), [({"a": [1.0]}, {"a": [1.0]})]),
    (object, v.any(), [("x", "x")]),
    (UserName, v.string(), [("a", "a")]),
    (list, v.array(v.any()), [(["a", 1.0], ["a", 1.0])]),
    (dict, v.record(v.string(), v.any()), [({"a": 1.0}, {"a": 1.0})]),
    (list[int], v.array(whole()), [([1, 2], [1.0, 2.0])]),
    (tuple[int, ...], v.array(whole()), [((1, 2), [1.0, 2.0])]),
    (tuple, v.array(v.any()), [((1.0,), [1.0])]),
    (collections.abc.Sequence[str], v.array(v.string()), [(["a"], ["a"])]),
    (dict[str, int], v.record(v.string(), whole()), [({"a": 1}, {"a": 1.0})]),
    (collections.abc.Mapping[str, Color], v.record(v.string(), v.union(v.literal("red"), v.literal("blue"))),
     [({"a": Color.RED}, {"a": "red"})]),
    (dict[Id[User], str], v.record(v.id("users"), v.string()), [({"x": "y"}, {"x": "y"})]),
    (Id[User], v.id("users"), [("x", "x")]),
    (Id["User"], v.id("users"), [("x", "x")]),
    (Literal["a"], v.literal("a"), [("a", "a")]),
    (Literal["a", 1, True, None], v.union(v.literal("a"), v.literal(1), v.literal(True), v.null()),
     [(1, 1.0), (True, True), (None, None), ("a", "a")]),
    (Color, v.union(v.literal("red"), v.literal("blue")), [(Color.RED, "red")]),
    (Level, v.union(v.literal(1), v.literal(2)), [(Level.HIGH, 2.0)]),
    (str | None, v.union(v.string(), v.null()), [("a", "a"), (None, None)]),
    (int | None, v.union(whole(), v.null()), [(5, 5.0), (None, None)]),
    (int | float, v.float64(), [(1.5, 1.5)]),
    (int | str | bool, v.union(whole(), v.string(), v.boolean()), [(5, 5.0), ("5", "5"), (True, True)]),
    (Literal["a", "b"] | None, v.union(v.literal("a"), v.literal("b"), v.null()), [("a", "a"), (None, None)]),
    (Point | list[Point] | None, None,
     [(Point(1), {"x": 1.0, "y": 0.5, "flag": False}), ([], []), (None, None)]),
    (Options, v.object({"name": v.string(), "limit": v.optional(whole())}),
     [({"name": "a"}, {"name": "a"}), ({"name": "a", "limit": 5}, {"name": "a", "limit": 5.0})]),
    (Box, v.object({"width": whole(), "label": v.string(), "area": whole()}),
     [(Box(2), {"width": 2.0, "label": "b", "area": 4.0})]),
    (Page[int], v.object({"items": v.array(whole()), "first": v.union(whole(), v.null())}),
     [(Page([1], 2), {"items": [1.0], "first": 2.0})]),
    (Model, None, [(Model(fullName="n", ages=[1], box=Box(1)),
                    {"fullName": "n", "ages": [1.0], "box": {"width": 1.0, "label": "b", "area": 1.0}})]),
    (Tree, None, [(Tree("a", [Tree("b")]), {"name": "a", "parent": None, "children": [
        {"name": "b", "children": [], "parent": None}]})]),
    (Annotated[Any, v.string()], v.string(), [("a", "a")]),
    (v.array(v.int64()), v.array(v.int64()), [([Int64(1)], [Int64(1)])]),
    (list[Int64 | None], v.array(v.union(v.int64(), v.null())), [([Int64(1), None], [Int64(1), None])]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "validator", "pairs"), ROUND_TRIPS)
def test_a_hint_has_a_validator_and_converts_both_ways(
    annotation: Any, validator: Any, pairs: list[tuple[Any, Any]]
) -> None:
    made = codec(annotation)
    if validator is not None:
        assert made.validator == validator
    for thing, value in pairs:
        found = made.to_value(thing)
        assert encode(found) == encode(value)
        assert made.validator.accepts(found, None)
        back = made.to_python(decode(encode(found), placeholders=Placeholders.COMMIT_TS))
        assert back == thing
        assert type(back) is type(thing)


@given(st.integers(-(2**53), 2**53) | st.none() | st.text(max_size=3) | st.booleans())
def test_unions_of_scalars_never_mix_their_members_up(thing: Any) -> None:
    made = codec(int | None | str | bool)
    back = made.to_python(made.to_value(thing))
    assert back == thing
    assert type(back) is type(thing)


def test_defaults_make_fields_optional_for_callers_only() -> None:
    stored, sent = codec(Point), codec(Point, purpose=Purpose.INPUT)
    assert str(stored.validator) == (
        "v.object({flag: v.boolean(), note: v.optional(v.string()), x: v.float64(), y: v.float64()})"
    )
    assert str(sent.validator) == (
        "v.object({flag: v.optional(v.boolean()), note: v.optional(v.string()), x: v.float64(), "
        "y: v.optional(v.float64())})"
    )
    assert sent.to_python({"x": 1.0}) == Point(1)
    assert codec(Options, purpose=Purpose.INPUT).validator == codec(Options).validator
    assert "fullName: v.string()" in str(codec(Model, purpose=Purpose.INPUT).validator)
    assert "ages: v.optional" in str(codec(Model, purpose=Purpose.INPUT).validator)
    assert "area: v.optional" in str(codec(Box, purpose=Purpose.INPUT).validator)


def test_documents_have_system_fields_which_callers_may_leave_out() -> None:
    assert str(codec(User).validator) == (
        'v.object({_creationTime: v.float64(), _id: v.id("users"), age: v.float64(), name: v.string()})'
    )
    assert "_id: v.optional" in str(codec(User, purpose=Purpose.INPUT).validator)
    user = codec(User).to_python({"_id": "i", "_creationTime": 5.0, "name": "n", "age": 3.0})
    assert (user.id, user.creation_time, user.age) == ("i", 5.0, 3)
    assert type(user.age) is int
    assert codec(list[User]).to_value([user]) == [{"_id": "i", "_creationTime": 5.0, "name": "n", "age": 3.0}]


def test_a_recursive_type_is_any_outside_and_checked_inside() -> None:
    made = codec(Tree)
    assert made.validator.to_json()["value"]["children"]["fieldType"] == {
        "type": "array",
        "value": {"type": "any"},
    }
    value = made.to_value(Tree("a", [Tree("b", [Tree("c")])], Tree("p")))
    back = made.to_python(value)
    assert back.children[0].children[0].name == "c"
    value["children"][0]["children"][0]["name"] = 5.0
    with pytest.raises(ValidationFailed, match=r"Path: .children\[0\].children\[0\].name"):
        made.validator.check(value)


def test_a_recursive_alias_is_checked_inside() -> None:
    made = codec(Json)
    made.validator.check({"a": [{"b": "c"}, None]})
    with pytest.raises(ValidationFailed):
        made.validator.check({"a": [{"b": 1.0}]})


def test_constraints_reach_the_members_that_they_mean() -> None:
    made = codec(Annotated[str | None, annotated_types.MaxLen(2)])
    made.validator.check(None)
    made.validator.check("ab")
    assert not made.validator.accepts("abc", None)
    nested = codec(list[Annotated[int, msgspec.Meta(ge=1)]])
    with pytest.raises(ValidationFailed, match=r"Path: \[1\](.|\n)*Constraint: must be at least 1"):
        nested.validator.check([1.0, 0.0])
    with pytest.raises(
        UnsupportedType, match=r"annotation: the constraint `must be at least 1` has no meaning"
    ):
        codec(Annotated[str | None, annotated_types.Ge(1)])
    with pytest.raises(UnsupportedType, match="no meaning"):
        codec(Annotated[int, annotated_types.MaxLen(1)])


def test_pydantic_judges_values_as_it_constructs() -> None:
    made = codec(Model)
    with pytest.raises(ValidationFailed, match=r"Constraint: must have at most 5 elements"):
        made.validator.check({"fullName": "abcdef", "ages": [], "box": None})
    with pytest.raises(ValidationFailed, match="bad is not a name"):
        made.to_python({"fullName": "bad", "ages": [], "box": None})


def test_a_class_that_refuses_a_value_fails_the_validation() -> None:
    with pytest.raises(ValidationFailed) as failure:
        codec(Box, purpose=Purpose.INPUT).to_python({"width": -1.0})
    assert str(failure.value).splitlines()[-1] == "Constraint: a box has no negative width"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (datetime.datetime, "datetime cannot be stored or sent: store milliseconds"),
        (list[uuid.UUID], "UUID cannot be stored or sent"),
        (set[str], "set cannot be stored or sent: store a list"),
        (set, "set cannot be stored or sent"),
        (frozenset[str], "frozenset cannot be"),
        (tuple[int, str], r"write tuple\[T, ...\]"),
        (dict[int, str], "dict keys must be str or Id"),
        (dict[Literal["a"], str], "write a TypedDict for a fixed set of keys"),
        (Literal[b"a"], "cannot be a literal"),
        (Flags, "is a Flag"),
        (collections.abc.Callable[[], None], "is no type of value"),
        (print, "is no type of value"),
        (Exception, "Exception is no type of value"),
        (list[str | Unset], "only a field or an argument can be Unset"),
        (Unset, ""),
    ],
)
def test_a_type_without_values_is_refused_with_advice(annotation: Any, words: str) -> None:
    with pytest.raises(UnsupportedType, match=f"(?s)^place: .*{words}"):
        codec(annotation, where="place")


def test_unsupported_structs_say_what_to_do() -> None:
    class Tagged(msgspec.Struct, tag=True):
        x: int

    class Arrays(msgspec.Struct, array_like=True):
        x: int

    class NoDefault(msgspec.Struct):
        x: int | Unset

    class Odd(msgspec.Struct):
        x: int = msgspec.field(name="a b")

    for kind, words in (
        (Tagged, "declare a field `kind"),
        (Arrays, "array_like=True"),
        (NoDefault, "needs the default UNSET"),
        (Odd, "invalid character"),
    ):
        with pytest.raises(UnsupportedType, match=words):
            codec_for(kind)


def test_unknown_names_and_tables_are_reported() -> None:
    with pytest.raises(UnknownReference, match="'Nope'"):
        codec("list[Nope]")
    with pytest.raises(UnknownReference, match="Id\\['Nope'\\]"):
        codec(Id["Nope"], scope=Scope({}, frozenset({"users"})))
    assert codec(Id["notes"]).validator == v.id("notes")


def test_strings_are_looked_up_in_module_and_scope() -> None:
    assert codec("User | None").to_value(None) is None
    scope = Scope({"Person": User}, None)
    assert codec("Id[Person]", scope=scope).validator == v.id("users")
    assert codec_for("Thing", names={"Thing": int}).to_python(5.0) == 5


def test_wrong_objects_become_their_natural_values_for_the_validator_to_judge() -> None:
    for annotation, thing, value in (
        (str, 5, 5.0),
        (int, "a", "a"),
        (list[int], "ab", "ab"),
        (list[int], {"a": 1}, {"a": 1.0}),
        (dict[str, int], [1], [1.0]),
        (Point, "p", "p"),
        (Point, {"x": 1, "zz": 2}, {"x": 1.0, "zz": 2.0}),
        (Options, [1], [1.0]),
        (Color, "green", "green"),
        (Point | list[int], 5, 5.0),
        (Tree, None, None),
    ):
        made = codec(annotation)
        found = made.to_value(thing)
        assert found == value
        assert not made.validator.accepts(found, None)
    with pytest.raises(InvalidValue):
        codec(str).to_value(object())


def test_a_plain_int_is_a_bigint_where_the_hint_says_so() -> None:
    assert type(codec(Int64).to_value(5)) is Int64
    assert type(codec(Int64 | None).to_value(5)) is Int64
    assert type(codec(Int64 | str).to_value(5)) is Int64
    assert type(codec(Int64 | CommitTsPlaceholder).to_value(5)) is Int64
    assert type(codec(Annotated[Int64, v.commit_ts()] | str | None).to_value(5)) is Int64
    assert type(codec(Int64 | float | str).to_value(5)) is float


def test_unset_is_null_as_a_whole_and_absent_in_objects() -> None:
    assert codec(str).to_value(UNSET) is None
    assert codec(Point | str).to_value(UNSET) is None
    assert codec(Options).to_value({"name": "a", "limit": UNSET}) == {"name": "a"}
    assert codec(dict[str, int]).to_value({"a": UNSET}) == {}
    assert "note" not in codec(Point).to_value(Point(1))


def test_enum_values_may_be_given_in_place_of_members() -> None:
    assert codec(Color).to_value("red") == "red"
    assert codec(Color).to_python("red") is Color.RED
    assert codec(Level).to_python(2.0) is Level.HIGH


def test_paths_are_mapped_through_nested_classes() -> None:
    class Outer(Document, table="outer"):
        inner: Point = msgspec.field(name="innerPoint")
        maybe: Point | None = None

    made = codec_for(Outer)
    assert made.stored_path("inner.renamed") == "innerPoint.flag"
    assert made.stored_path("maybe.renamed") == "maybe.flag"
    assert made.stored_path("id") == "_id"
    assert made.stored_path("unknown.x") == "unknown.x"
    assert made.at("innerPoint.flag") is not None
    assert made.at("innerPoint.nope") is None
    assert made.at("nope") is None


def test_aliases_are_what_they_stand_for_recursive_ones_too() -> None:
    names = {"Nested": TypeAliasType("Nested", dict[str, ForwardRef("Nested")] | int)}
    made = codec_for("Nested", names=names)
    assert made.to_python({"a": {"b": 5.0}}) == {"a": {"b": 5}}
    assert not made.validator.accepts({"a": {"b": "x"}}, None)
    assert codec(TypeAliasType("Numbers", list[int])).validator == v.array(whole())


def test_type_variables_are_their_bounds() -> None:
    bound = TypeVar("bound", bound=str)
    assert codec(list[bound]).validator == v.array(v.string())


def test_generic_dataclasses_and_unbound_variables() -> None:
    assert codec(Page).validator == v.object({"items": v.array(v.any()), "first": v.union(v.any(), v.null())})
    assert codec(Page[Page[str]]).to_python(
        {"items": [{"items": ["a"], "first": None}], "first": None}
    ) == Page([Page(["a"])])

"""Stored text and documents: the fast way and the slow way give the same."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.schema import Document, DocumentUnreadable, Id, Schema, field
from rewake.schema.stored_documents import DocumentCodec
from rewake.values import UNSET, Int64, Unset, encode


class Color(enum.Enum):
    RED = "red"
    NULL = "null"


class Spot(msgspec.Struct):
    x: int
    name: str | None = None


class Fast(Document, table="fast"):
    text: str
    number: float
    whole: int
    flag: bool
    maybe: str | None
    ref: Id[Fast]
    kind: Literal["a", "null"]
    color: Color
    anything: Any
    spots: list[Spot] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    other: str | Unset = UNSET
    external: str = field(name="externalId", default="")


class Slow(Document, table="slow"):
    data: bytes
    big: Int64 | None
    either: int | str
    nullable: Literal["a", "null"] | None


SCHEMA = Schema.from_documents([Fast, Slow])
FAST, SLOW = SCHEMA.table("fast"), SCHEMA.table("slow")

_TEXTS = st.sampled_from(["", "a", "null", "true", "1", "$", "$x", '"$', "é", "1.0"])
_FLOATS = st.floats(allow_nan=False)
_WHOLE = st.integers(-(2**53), 2**53)
_SPOTS = st.builds(Spot, x=_WHOLE, name=st.none() | _TEXTS)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | _FLOATS | _TEXTS | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)
FAST_DOCUMENTS = st.builds(
    Fast,
    text=_TEXTS,
    number=_FLOATS,
    whole=_WHOLE,
    flag=st.booleans(),
    maybe=st.none() | _TEXTS,
    ref=_TEXTS,
    kind=st.sampled_from(["a", "null"]),
    color=st.sampled_from(Color),
    anything=_ANYTHING,
    spots=st.lists(_SPOTS, max_size=2),
    names=st.dictionaries(st.sampled_from(["x", "y"]), _WHOLE, max_size=2),
    other=st.just(UNSET) | _TEXTS,
    external=_TEXTS,
    _id=_TEXTS,
    _creationTime=_FLOATS,
)
SLOW_DOCUMENTS = st.builds(
    Slow,
    data=st.binary(max_size=3),
    big=st.none() | st.sampled_from([Int64(-1), Int64(5)]),
    either=_WHOLE | _TEXTS,
    nullable=st.sampled_from(["a", "null", None]),
    _id=_TEXTS,
    _creationTime=_FLOATS,
)


def without_decoder(codec: DocumentCodec) -> DocumentCodec:
    slow = object.__new__(DocumentCodec)
    slow.__dict__.update(codec.__dict__)
    slow._decoder = None
    return slow


def test_the_fast_way_exists_where_it_is_right() -> None:
    assert FAST.codec._decoder is not None
    assert SLOW.codec._decoder is None


@given(FAST_DOCUMENTS)
def test_both_ways_read_the_same_document(document: Any) -> None:
    text = encode(FAST.document_value(document))
    fast, slow = FAST.decode_document(text), without_decoder(FAST.codec).decode(text)
    assert repr(fast) == repr(slow)
    assert fast == document
    assert encode(FAST.document_value(fast)) == text


@given(st.lists(FAST_DOCUMENTS, max_size=3))
def test_many_documents_are_read_as_each_is(documents: list[Any]) -> None:
    texts = [encode(FAST.document_value(document)) for document in documents]
    assert repr(FAST.codec.decode_page(texts)) == repr([FAST.codec.decode(text) for text in texts])
    plain = DocumentCodec(None, None, SCHEMA.scope)
    assert plain.decode_page(texts) == [plain.decode(text) for text in texts]


@given(st.lists(SLOW_DOCUMENTS, max_size=3))
def test_many_documents_with_values_that_json_lacks_are_read_as_each_is(documents: list[Any]) -> None:
    texts = [encode(SLOW.document_value(document)) for document in documents]
    assert repr(SLOW.codec.decode_page(texts)) == repr([SLOW.codec.decode(text) for text in texts])
    plain = DocumentCodec(None, None, SCHEMA.scope)
    assert repr(plain.decode_page(texts)) == repr([plain.decode(text) for text in texts])


def test_of_many_documents_the_one_that_does_not_fit_is_named() -> None:
    good = '{"_creationTime":1.0,"_id":"%s"}'
    with pytest.raises(DocumentUnreadable, match='ID "first"'):
        FAST.codec.decode_page([good % "first", good % "second"])


@given(SLOW_DOCUMENTS)
def test_documents_with_values_that_json_lacks_round_trip(document: Any) -> None:
    text = encode(SLOW.document_value(document))
    back = SLOW.decode_document(text)
    assert repr(back) == repr(document)
    assert [type(x) for x in (back.big, back.either)] == [type(x) for x in (document.big, document.either)]


def test_fields_that_the_class_no_longer_has_are_left_out_both_ways() -> None:
    fast = (
        '{"_creationTime":1.0,"_id":"i","anything":%s,"color":"red","externalId":"","flag":true,"gone":1.0,'
        '"kind":"a","maybe":null,"names":{},"number":1.0,"ref":"r","spots":[],"text":"t","whole":1.0}'
    )
    for anything in ("null", '"$x"'):
        document = FAST.decode_document(fast % anything)
        assert document.text == "t"
        assert not hasattr(document, "gone")


@pytest.mark.parametrize("anything", ["null", '"$x"'])
def test_a_document_that_does_not_fit_names_id_table_class_and_field(anything: str) -> None:
    text = f'{{"_creationTime":1.0,"_id":"i","anything":{anything},"text":5.0}}'
    with pytest.raises(DocumentUnreadable) as failure:
        FAST.decode_document(text)
    assert str(failure.value).startswith(
        'Document with ID "i" in table "fast" does not fit the class Fast: Object is missing the required '
        "field `color`."
    )


def test_missing_optional_fields_and_defaults_apply() -> None:
    class Lenient(Document, table="lenient"):
        a: str | Unset = UNSET
        b: bytes | Unset = UNSET

    table = Schema.from_documents([Lenient]).table("lenient")
    document = table.decode_document('{"_creationTime":1.0,"_id":"i"}')
    assert (document.a, document.b) == (UNSET, UNSET)
    assert table.document_value(document) == {"_id": "i", "_creationTime": 1.0}


def test_unsaved_documents_have_no_system_fields() -> None:
    value = SLOW.document_value(Slow(data=b"", big=None, either=5, nullable=None))
    assert set(value) == {"data", "big", "either", "nullable"}


def test_patches_are_made_of_stored_names_and_keep_unset() -> None:
    patch = FAST.codec.patch_to_value(
        {"external": "e", "whole": 5, "other": UNSET, "unknown": 1, "color": Color.RED}
    )
    assert patch == {"externalId": "e", "whole": 5.0, "other": UNSET, "unknown": 1.0, "color": "red"}
    assert type(SLOW.codec.patch_to_value({"big": 5})["big"]) is Int64
    plain = DocumentCodec(None, None, SCHEMA.scope)
    assert plain.patch_to_value({"a": 1, "b": UNSET}) == {"a": 1.0, "b": UNSET}
    assert plain.stored_path("a.b") == "a.b"


def test_a_dict_may_stand_for_a_document_of_a_class() -> None:
    assert FAST.document_value({"text": "t", "whole": 5, "other": UNSET}) == {"text": "t", "whole": 5.0}


def test_string_annotations_are_settled_for_msgspec() -> None:
    # This module has `from __future__ import annotations`; a name that only the schema knows must not cost
    # the fast way.
    class Referring(Document, table="referring"):
        to: Id[Elsewhere]  # noqa: F821

    elsewhere: Any = type(Document)(
        "Elsewhere", (Document,), {"__annotations__": {}, "__module__": __name__}, table="elsewhere"
    )
    table = Schema.from_documents([Referring, elsewhere]).table("referring")
    assert table.codec._decoder is not None
    assert table.decode_document('{"_creationTime":1.0,"_id":"i","to":"x"}').to == "x"

"""Document classes: what the metaclass makes of them."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import msgspec
import pytest

from rewake.schema import (
    Document,
    Id,
    Index,
    InvalidSchema,
    SearchIndex,
    UnsavedDocument,
    UnsupportedType,
    field,
    is_document_class,
    mark_stored,
)
from rewake.values import UNSET, Unset


class Tracked(Document):
    created_by: str = ""
    by_creator = Index("created_by")


class Message(Tracked, table="messages"):
    channel: Id[Channel]
    body: str
    tags: list[str] = field(default_factory=list)
    nickname: str | Unset = UNSET
    by_channel = Index("channel")
    search_body = SearchIndex("body")


class Channel(Tracked, table="channels"):
    name: str


def test_the_class_knows_its_table_and_bases_have_none() -> None:
    assert (Message.__table__, Channel.__table__, Tracked.__table__, Document.__table__) == (
        "messages",
        "channels",
        None,
        None,
    )
    assert is_document_class(Message)
    assert is_document_class(Tracked)
    assert not is_document_class(msgspec.Struct)
    assert not is_document_class(Message(channel="c", body="b"))


def test_indexes_are_no_fields_and_inherited_ones_know_the_heirs_table() -> None:
    assert "by_channel" not in Message.__struct_fields__
    assert set(Message.__indexes__) == {"by_channel", "search_body", "by_creator"}
    assert Message.by_creator.table == "messages"
    assert Channel.by_creator.table == "channels"
    assert Tracked.by_creator.table is None


def test_fields_are_given_by_keyword_and_defaults_are_fresh() -> None:
    first, second = Message(channel="c", body="b"), Message(channel="c", body="b")
    first.tags.append("x")
    assert second.tags == []
    assert second.nickname is UNSET
    with pytest.raises(TypeError):
        Message("c", "b")


def test_an_unsaved_document_says_that_it_has_no_id() -> None:
    message: Any = Message(channel="c", body="b")
    for attribute in ("id", "creation_time"):
        with pytest.raises(UnsavedDocument, match=f"no {attribute} yet.*ctx.db.insert"):
            getattr(message, attribute)


def test_a_stored_document_has_its_system_fields() -> None:
    message = Message(channel="c", body="b")
    assert mark_stored(message, id="i", creation_time=5.0) is message
    assert (message.id, message.creation_time) == ("i", 5.0)


def test_repr_shows_what_is_set_under_authors_names() -> None:
    message = Message(channel="c", body="b")
    assert repr(message) == "Message(created_by='', channel='c', body='b', tags=[])"
    mark_stored(message, id="i", creation_time=5.0)
    assert repr(message).startswith("Message(id='i', creation_time=5.0, created_by='', channel='c'")


def test_equality_is_by_class_and_fields_system_fields_included() -> None:
    one, other = Channel(name="a"), Channel(name="a")
    assert one == other
    mark_stored(other, id="i", creation_time=1.0)
    assert one != other
    assert Channel(name="a") != Tracked()


@pytest.mark.parametrize("attribute", ["id", "creation_time"])
def test_the_systems_attributes_cannot_be_redeclared(attribute: str) -> None:
    with pytest.raises(InvalidSchema, match=f'other_{attribute}: ... = field\\(name="{attribute}"\\)'):
        type(Document)("Bad", (Document,), {"__annotations__": {attribute: str}, "__module__": __name__})


def test_a_field_may_be_stored_under_the_name_of_a_system_attribute() -> None:
    class Import(Document, table="imports"):
        other_id: str = field(name="id")

    assert Import.__struct_encode_fields__[-1] == "id"


@pytest.mark.parametrize(
    ("namespace", "words"),
    [
        ({"__annotations__": {"_secret": str}}, "cannot start with an underscore"),
        ({"__annotations__": {"a": str}, "a": msgspec.field(name="a b")}, "invalid character"),
        ({"__annotations__": {"a": str}, "a": msgspec.field(name="_b")}, "cannot start with an underscore"),
    ],
)
def test_names_that_cannot_be_stored_are_refused(namespace: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSchema, match=words):
        type(Document)("Bad", (Document,), {**namespace, "__module__": __name__})


@pytest.mark.parametrize("option", [{"array_like": True}, {"tag": True}, {"tag_field": "kind"}])
def test_options_that_make_no_objects_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema, match="documents cannot have the option"):
        type(Document)("Bad", (Document,), {"__module__": __name__}, **option)


def test_types_that_can_never_be_stored_are_refused_at_the_class() -> None:
    with pytest.raises(
        UnsupportedType, match=r"Bad\.sent_at: datetime cannot be stored or sent: store milliseconds"
    ):

        class Bad(Document, table="bad"):
            sent_at: datetime.datetime

    with pytest.raises(UnsupportedType, match=r"Worse\.prices: Decimal"):

        class Worse(Document, table="bad"):
            prices: dict[str, list[decimal.Decimal | None]]


def test_names_that_are_not_there_yet_wait_for_the_schema() -> None:
    class Early(Document, table="early"):
        later: Id[Late]  # noqa: F821

    assert Early.__table__ == "early"


def test_an_annotated_index_is_still_no_field() -> None:
    class Annotated(Document, table="annotated"):
        name: str
        by_name: Index = Index("name")

    assert "by_name" not in Annotated.__struct_fields__
    assert Annotated.by_name.table == "annotated"


def test_rename_and_frozen_work_as_in_msgspec() -> None:
    class Camel(Document, table="camel", rename="camel", frozen=True):
        first_name: str

    assert "firstName" in Camel.__struct_encode_fields__
    one = Camel(first_name="a")
    with pytest.raises(AttributeError):
        one.first_name = "b"
    assert mark_stored(one, id="i", creation_time=1.0).id == "i"


def test_an_index_works_before_every_name_of_its_class_is_known() -> None:
    class Early(Document, table="early"):
        later: Id[NotThere]  # noqa: F821
        first: str = field(name="firstName")
        by_first = Index("first", "later")

    assert Early.by_first.definition.fields == ("firstName", "later")
    assert [x.field for x in Early.by_first.bounds(first=1, id="x")] == ["firstName", "_id"]

"""`Id[...]` at run time; what type checkers see of it is tested under tests/typing."""

from __future__ import annotations

from typing import Annotated, ForwardRef, Literal, get_args, get_origin

import msgspec

from rewake.schema import Document, Id, IdOf


class User(Document, table="users"):
    name: str


def test_an_id_is_an_annotated_string() -> None:
    assert get_origin(Id[User]) is Annotated
    assert get_args(Id[User]) == (str, IdOf(User))


def test_a_reference_may_be_a_name_a_literal_or_a_forward_reference() -> None:
    assert get_args(Id["Channel"])[1] == IdOf("Channel")
    assert get_args(Id[Literal["users"]])[1] == IdOf("users")
    assert get_args(Id[ForwardRef("Channel")])[1] == IdOf("Channel")


def test_msgspec_takes_it_for_a_string() -> None:
    assert msgspec.convert("abc", Id[User]) == "abc"


def test_calling_it_gives_a_plain_string() -> None:
    assert type(Id("abc")) is str
    assert type(Id[User]("abc")) is str

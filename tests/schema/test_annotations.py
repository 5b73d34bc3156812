"""Looking up what annotations mean."""

from __future__ import annotations

from typing import Any, ClassVar, ForwardRef

import pytest

from rewake.schema import Document, Id, IdOf, Scope, UnknownReference
from rewake.schema.annotations import NO_SCOPE, class_hints, evaluate, module_names, own_annotations


class User(Document, table="users"):
    name: str


class Plain(Document):
    pass


class Holder:
    user: Id[User]
    other: list[Elsewhere]  # noqa: F821
    shared: ClassVar[int] = 5


class Elsewhere_(Document, table="elsewhere"):
    pass


SCOPE = Scope({"User": User, "Elsewhere": Elsewhere_}, frozenset({"users", "elsewhere", "notes"}))


def table_of(reference: object, scope: Scope = SCOPE, **names: Any) -> str:
    return scope.table_of(reference, where="here", names=names)


def test_a_reference_is_a_class_its_name_or_a_table() -> None:
    assert table_of(User) == "users"
    assert table_of("User") == "users"
    assert table_of("users") == "users"
    assert table_of("notes") == "notes"
    assert table_of("_storage") == "_storage"


def test_the_module_comes_before_the_scope_for_class_names() -> None:
    assert table_of("User", User=Elsewhere_) == "elsewhere"
    assert table_of("User", User=5) == "users"


def test_without_a_schema_any_table_may_be_meant() -> None:
    assert table_of("anything", NO_SCOPE) == "anything"
    assert table_of("User", NO_SCOPE, User=User) == "users"


@pytest.mark.parametrize("reference", ["Usr", "nowhere", 5, int, Plain])
def test_an_unknown_reference_names_the_place_and_what_is_known(reference: object) -> None:
    with pytest.raises(UnknownReference, match="here: "):
        table_of(reference)


def test_the_message_lists_what_is_declared() -> None:
    with pytest.raises(UnknownReference) as failure:
        table_of("Usr")
    assert str(failure.value) == (
        "here: Id['Usr'] refers to no document class and no table of this schema. "
        "Declared: Elsewhere, User, elsewhere, notes, users"
    )


def test_strings_are_evaluated_in_the_given_names() -> None:
    assert evaluate("list[Thing]", {"Thing": int}, where="x") == list[int]
    assert evaluate(list[ForwardRef("Thing")], {"Thing": int}, where="x") == list[int]
    assert evaluate(int, {}, where="x") is int


def test_an_unknown_name_is_reported_with_its_place() -> None:
    with pytest.raises(UnknownReference, match=r"Message\.body: the annotation 'Nope' uses the name 'Nope'"):
        evaluate("Nope", {}, where="Message.body")


def test_class_hints_look_in_module_class_and_scope() -> None:
    hints = class_hints(Holder, SCOPE)
    assert hints["other"] == list[Elsewhere_]
    assert hints["user"].__metadata__ == (IdOf(User),)


def test_own_annotations_are_the_classs_own() -> None:
    class Child(Holder):
        pass

    assert own_annotations(Child) == {}
    assert set(own_annotations(Holder)) == {"user", "other", "shared"}


def test_names_of_a_module_that_is_not_there_are_none() -> None:
    assert module_names("no.such.module") == {}
    assert module_names(None) == {}
    assert module_names(__name__) is globals() or "User" in module_names(__name__)

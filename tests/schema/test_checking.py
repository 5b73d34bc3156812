"""What generated checks stand on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import pytest

from rewake.schema.checking import CheckWriter, id_belongs, table_number_of
from tests.schema.support import TABLES, an_id


def test_an_id_belongs_to_the_table_that_its_number_names() -> None:
    assert id_belongs(an_id("users"), "users", TABLES)
    assert not id_belongs(an_id("users"), "channels", TABLES)
    assert not id_belongs("nothing", "users", TABLES)
    assert id_belongs("nothing", "users", None)


def test_an_id_that_was_just_read_is_not_looked_at_again() -> None:
    class Reading:
        read_ids: Mapping[str, Collection[str]] = MappingProxyType({"users": {"known"}})

        def table_name(self, number: int) -> str | None:
            return TABLES.table_name(number)

    assert id_belongs("known", "users", Reading())
    assert not id_belongs("known", "channels", Reading())
    assert not id_belongs("kn\ud800own", "users", Reading())
    assert id_belongs(an_id("users"), "users", Reading())
    assert not id_belongs(an_id("channels"), "users", Reading())


@pytest.mark.parametrize("text", ["", "x", "z" * 32, "0" * 10_000])
def test_what_is_no_id_has_no_table_number(text: str) -> None:
    assert table_number_of(text) is None


def test_a_function_is_written_once_for_each_owner() -> None:
    writer = CheckWriter()
    owner = object()
    first = writer.function(owner, lambda: ["return x == 1"])
    assert writer.function(owner, lambda: ["return False"]) == first
    assert writer.compile(f"{first}(x, tables)")(1.0, None)


def test_a_function_may_call_itself() -> None:
    writer = CheckWriter()
    owner = object()

    def body() -> list[str]:
        name = writer.function(owner, body)
        return [f"return not x or {name}(x[1:], tables)"]

    assert writer.compile(f"{writer.function(owner, body)}(x, tables)")("abc", None)


def test_constants_are_handed_in_as_objects() -> None:
    writer = CheckWriter()
    nasty = "'); raise SystemExit; ('"
    assert writer.compile(f"x == {writer.constant(nasty)}")(nasty, None)

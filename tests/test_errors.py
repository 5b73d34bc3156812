"""The tree of errors: every class has a code and a status, and a sentence from its fields."""

import importlib
import pkgutil

import rewake
from rewake.errors import ApplicationError, InvalidInput, RewakeError


class _Named(InvalidInput):
    code = "Named"
    template = "There is no {thing}."


def all_subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from all_subclasses(child)


def test_the_sentence_is_made_from_the_fields():
    error = _Named(thing="moon")
    assert str(error) == error.message == "There is no moon."
    assert error.fields == {"thing": "moon"}


def test_a_ready_sentence_is_taken_as_it_is():
    assert str(_Named("With {braces}.")) == "With {braces}."


def test_every_error_of_the_house_has_a_code_a_status_and_a_text_for_people():
    for module in pkgutil.walk_packages(rewake.__path__, "rewake."):
        if module.name != "rewake.__main__":
            importlib.import_module(module.name)
    kinds = [kind for kind in all_subclasses(RewakeError) if kind.__module__.startswith("rewake.")]
    assert len(kinds) > 50
    for kind in kinds:
        assert 400 <= kind.status <= 599, kind
        assert kind.code, kind
        assert kind.__doc__, kind


def test_application_errors_keep_their_data():
    assert ApplicationError({"code": "full"}).data == {"code": "full"}
    assert ApplicationError().data is None

"""Errors of the house cross a pipe and are what they were."""

from __future__ import annotations

from rewake.database import SchemaMismatch
from rewake.errors import FunctionError, RewakeError
from rewake.execution import DocumentSource, ProjectInvalid
from rewake.execution.error_facts import ErrorFacts


def test_an_error_of_the_house_is_the_same_on_the_other_side() -> None:
    source = DocumentSource("Person", "schema", {"name": "str"})
    mismatch = SchemaMismatch(table="people", id="j", path=".a", detail="no", source=source)
    again = ErrorFacts.of(mismatch).error()
    assert type(again) is SchemaMismatch
    assert (again.message, again.fields) == (mismatch.message, mismatch.fields)


def test_an_invalid_project_keeps_the_traceback_of_its_author() -> None:
    again = ErrorFacts.of(ProjectInvalid("no", traceback="Traceback ...")).error()
    assert isinstance(again, ProjectInvalid)
    assert (again.message, again.traceback) == ("no", "Traceback ...")


def test_an_error_class_of_an_author_comes_as_the_nearest_one_of_the_house() -> None:
    class Own(FunctionError):
        pass

    again: RewakeError = ErrorFacts.of(Own("own", thing=object())).error()
    assert type(again) is FunctionError
    assert again.message == "own"

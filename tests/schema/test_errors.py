"""The tree of definition errors."""

from __future__ import annotations

import pytest

from rewake.errors import InvalidInput
from rewake.schema import InvalidSchema, InvalidValidator, UnknownReference, UnsupportedType


@pytest.mark.parametrize("kind", [InvalidValidator, UnknownReference, UnsupportedType])
def test_every_definition_error_is_an_invalid_schema_with_a_code_of_its_own(
    kind: type[InvalidSchema],
) -> None:
    assert issubclass(kind, InvalidSchema)
    assert issubclass(kind, InvalidInput)
    assert kind.code == kind.__name__

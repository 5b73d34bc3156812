from __future__ import annotations

from rewake.database import ActiveSchemas, stored_form
from rewake.database.active_schema import StoredSchema, mark_of
from rewake.schema import Schema, codec_for, define_schema, define_table, v


def schema_of(annotation: object) -> Schema:
    return define_schema({"t": define_table(v.object({"n": codec_for(annotation).validator}))})


def test_equal_schemas_have_equal_keys() -> None:
    assert stored_form(schema_of(int)).key == stored_form(schema_of(int)).key


def test_constraints_tell_schemas_apart_whose_json_is_equal() -> None:
    whole, any_number = stored_form(schema_of(list[int])), stored_form(schema_of(list[float]))
    assert whole.text == any_number.text
    assert whole.key != any_number.key


def test_marks_see_the_validator_and_not_the_indexes() -> None:
    plain = define_schema({"t": define_table({"n": v.number()})}).tables["t"]
    indexed = define_schema({"t": define_table({"n": v.number()}).index("by_n", ["n"])}).tables["t"]
    other = define_schema({"t": define_table({"n": v.string()})}).tables["t"]
    assert mark_of(plain.validator) == mark_of(indexed.validator) != mark_of(other.validator)


def test_code_is_preferred_to_the_stored_text() -> None:
    schemas = ActiveSchemas()
    schema = schema_of(int)
    stored = schemas.register(schema)
    assert schemas.validators(stored)["t"] is schema.tables["t"].validator
    foreign = ActiveSchemas().validators(StoredSchema(stored.text, stored.marks))
    assert foreign["t"].to_json() == schema.tables["t"].validator.to_json()


def test_nothing_is_enforced_without_validation() -> None:
    schema = define_schema({"t": define_table({"n": v.number()})}, schema_validation=False)
    stored = stored_form(schema)
    assert ActiveSchemas().validators(stored) == {}
    schemas = ActiveSchemas()
    assert schemas.validators(schemas.register(schema)) == {}

from __future__ import annotations

import rewake.values

EXPORTED = [
    "COMMIT_TS",
    "UNSET",
    "ArrayTooLong",
    "CommitTs",
    "CommitTsUnsupported",
    "DocumentId",
    "Int64",
    "InvalidDocument",
    "InvalidFieldName",
    "InvalidId",
    "InvalidKey",
    "InvalidName",
    "InvalidValue",
    "Placeholders",
    "TooManyFields",
    "TooNested",
    "UnknownFormat",
    "Unset",
    "Value",
    "ValueTooLarge",
    "check_document_limits",
    "check_field_name",
    "check_identifier",
    "check_table_name",
    "check_value",
    "compare",
    "decode",
    "decode_id",
    "decode_key",
    "decode_stored",
    "encode",
    "encode_clean",
    "encode_export",
    "encode_format",
    "encode_id",
    "encode_key",
    "get_path",
    "holds_commit_ts",
    "key_offsets",
    "key_successor",
    "nesting",
    "new_internal_id",
    "normalize",
    "parse_field_path",
    "render",
    "unicode_advice",
    "value_size",
    "values_equal",
]


def test_the_package_exports_these_names_and_no_others() -> None:
    assert rewake.values.__all__ == EXPORTED
    assert all(hasattr(rewake.values, name) for name in EXPORTED)

"""Values: what documents, arguments and results are made of.

Floor 0: everything above stores, sends or compares values, and imports nothing below but limits and errors.

    outside text --decode--> value --encode--> canonical text --decode_stored--> value
                               |                    `-- equality, cache keys, what is on disk
                               |--encode_key--> bytes in the order of the values (indexes, intervals)
                               |--encode_clean, encode_export--> text for HTTP and export
                               `--render--> a piece of an error message

Start reading at `types.py`, then `encoding.py`; `key_codec.py` carries the database's reads.

Not here: which values a table or an argument admits (`schema`).
"""

from rewake.values.decoding import (
    Placeholders,
    decode,
    decode_export,
    decode_stored,
    decode_stored_document,
)
from rewake.values.document_id import ID_LENGTHS, DocumentId, decode_id, encode_id
from rewake.values.encoding import encode, holds_commit_ts, resolve_commit_ts
from rewake.values.errors import (
    ArrayTooLong,
    CommitTsUnresolved,
    InvalidDocument,
    InvalidFieldName,
    InvalidId,
    InvalidName,
    InvalidValue,
    TooManyFields,
    TooNested,
    ValueTooLarge,
)
from rewake.values.formats import (
    UnknownFormat,
    encode_clean,
    encode_export,
    stored_as_clean,
    stored_as_export,
)
from rewake.values.key_codec import InvalidKey, decode_key, encode_key, key_of_id, key_offsets, key_successor
from rewake.values.names import (
    check_field_name,
    check_identifier,
    check_table_name,
    get_path,
    parse_field_path,
)
from rewake.values.new_ids import NewIds
from rewake.values.normal_form import normalize, plain_text
from rewake.values.order import compare, values_equal
from rewake.values.rendering import render
from rewake.values.sizes import check_document_limits, check_value, nesting, value_size
from rewake.values.surrogates import unicode_advice
from rewake.values.types import COMMIT_TS, UNSET, CommitTsPlaceholder, Int64, Unset, Value

__all__ = [
    "COMMIT_TS",
    "ID_LENGTHS",
    "UNSET",
    "ArrayTooLong",
    "CommitTsPlaceholder",
    "CommitTsUnresolved",
    "DocumentId",
    "Int64",
    "InvalidDocument",
    "InvalidFieldName",
    "InvalidId",
    "InvalidKey",
    "InvalidName",
    "InvalidValue",
    "NewIds",
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
    "decode_export",
    "decode_id",
    "decode_key",
    "decode_stored",
    "decode_stored_document",
    "encode",
    "encode_clean",
    "encode_export",
    "encode_id",
    "encode_key",
    "get_path",
    "holds_commit_ts",
    "key_of_id",
    "key_offsets",
    "key_successor",
    "nesting",
    "normalize",
    "parse_field_path",
    "plain_text",
    "render",
    "resolve_commit_ts",
    "stored_as_clean",
    "stored_as_export",
    "unicode_advice",
    "value_size",
    "values_equal",
]

"""Schema: types are the contract.

Floor 1, beside `storage`; imports `values` only. From document classes, type hints and `v.*` builders come
the validators of tables, arguments and results, the checks that run on every call, and what official tools
are told.

    author's class / type hint / v.*  ->  Validator  ->  check, messages, exported JSON
    Index(...)                        ->  IndexDefinition, and the interval of keys that a range covers

Start with `validators.py`, then `documents.py` and `type_codec.py`.

Not here: when something is checked (`functions`, `database`), TypeScript (`codegen`).
"""

from rewake.schema.annotations import NO_SCOPE, Scope
from rewake.schema.argument_readers import ReadArguments, argument_reader
from rewake.schema.arguments import ArgumentsCodec, arguments_codec, explicit_arguments, function_names
from rewake.schema.builders import Builders, CommitTs, as_object_validator, v, validator_from_json
from rewake.schema.codec import Purpose, TypeCodec
from rewake.schema.declared_variables import (
    DeclaredVariable,
    EnvironmentVariables,
    declared_variables,
    variables_from_json,
    variables_to_json,
)
from rewake.schema.document_writers import WriteDocument, as_it_is, document_writer
from rewake.schema.documents import Document, UnsavedDocument, field, is_document_class, mark_stored
from rewake.schema.errors import InvalidSchema, InvalidValidator, UnknownReference, UnsupportedType
from rewake.schema.ids import Id, IdOf
from rewake.schema.index_range import (
    Comparison,
    InvalidIndexRange,
    Order,
    QuerySpec,
    RangeBound,
    gt,
    gte,
    interval_for,
    lt,
    lte,
    range_bounds,
)
from rewake.schema.indexes import (
    Index,
    IndexDefinition,
    SearchIndex,
    SearchIndexDefinition,
    VectorIndex,
    VectorIndexDefinition,
)
from rewake.schema.mismatch import NOTHING_READ, TableNames, ValidationFailed
from rewake.schema.plain_values import plain_value
from rewake.schema.schemas import Schema, define_schema, schema_from_json
from rewake.schema.stored_documents import DocumentUnreadable
from rewake.schema.subset import is_subset
from rewake.schema.tables import PLAIN_DOCUMENTS, TableBuilder, TableDefinition, define_table
from rewake.schema.text_writers import NotPlain, WriteText, text_writer
from rewake.schema.type_codec import codec_for
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VArray,
    VBoolean,
    VBytes,
    VCommitTs,
    VFloat64,
    VId,
    VInt64,
    VLiteral,
    VNull,
    VObject,
    VRecord,
    VString,
    VUnion,
)

__all__ = [
    "NOTHING_READ",
    "NO_SCOPE",
    "PLAIN_DOCUMENTS",
    "ArgumentsCodec",
    "Builders",
    "CommitTs",
    "Comparison",
    "DeclaredVariable",
    "Document",
    "DocumentUnreadable",
    "EnvironmentVariables",
    "Id",
    "IdOf",
    "Index",
    "IndexDefinition",
    "InvalidIndexRange",
    "InvalidSchema",
    "InvalidValidator",
    "NotPlain",
    "Order",
    "Purpose",
    "QuerySpec",
    "RangeBound",
    "ReadArguments",
    "Schema",
    "Scope",
    "SearchIndex",
    "SearchIndexDefinition",
    "TableBuilder",
    "TableDefinition",
    "TableNames",
    "TypeCodec",
    "UnknownReference",
    "UnsavedDocument",
    "UnsupportedType",
    "VAny",
    "VArray",
    "VBoolean",
    "VBytes",
    "VCommitTs",
    "VFloat64",
    "VId",
    "VInt64",
    "VLiteral",
    "VNull",
    "VObject",
    "VRecord",
    "VString",
    "VUnion",
    "ValidationFailed",
    "Validator",
    "VectorIndex",
    "VectorIndexDefinition",
    "WriteDocument",
    "WriteText",
    "argument_reader",
    "arguments_codec",
    "as_it_is",
    "as_object_validator",
    "codec_for",
    "declared_variables",
    "define_schema",
    "define_table",
    "document_writer",
    "explicit_arguments",
    "field",
    "function_names",
    "gt",
    "gte",
    "interval_for",
    "is_document_class",
    "is_subset",
    "lt",
    "lte",
    "mark_stored",
    "plain_value",
    "range_bounds",
    "schema_from_json",
    "text_writer",
    "v",
    "validator_from_json",
    "variables_from_json",
    "variables_to_json",
]

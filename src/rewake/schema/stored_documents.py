"""Stored documents: between the text in a table and what the author's code holds.

Floor 1, `schema`, on `type_codec` and `documents`. Reading rows is the hottest thing that a query does, so
text of a document class goes straight into the struct wherever `msgspec.json` provably gives the same objects
as the way through values (`Native`): twice as fast. Text that holds `"$`, which introduces every value that
JSON lacks, and text that does not fit the class take the slow way, which knows how to say what is wrong.

Not here: checking what is about to be stored (`tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rewake.schema.annotations import Scope, class_hints, own_annotations
from rewake.schema.codec import InstanceOf, Native, Purpose, TypeCodec
from rewake.schema.mismatch import ValidationFailed
from rewake.schema.plain_values import plain_value
from rewake.schema.type_codec import CodecBuilder
from rewake.values import UNSET, Unset, Value, decode_stored

_SPECIAL = '"$'
"""Looked for where there is a `$` at all: one character is found many times as fast as two."""


class DocumentUnreadable(ValidationFailed):
    """A stored document does not fit the class of its table.

    It was written before the class had its present form, with schema validation off. Make the field optional
    (`T | Unset = UNSET`), or change the documents with a migration.
    """

    code = "DocumentUnreadable"


class DocumentCodec:
    """Converts the documents of one table; `kind` is their class, or None for dicts."""

    def __init__(self, kind: type[Any] | None, codec: TypeCodec | None, scope: Scope) -> None:
        self._kind = kind
        self._codec = codec
        self._decoder = _fast_decoder(kind, codec, scope)
        """None where only the slow way is right."""
        self._page_decoder = _page_decoder(kind, self._decoder)
        """The same for many documents."""
        made_of = None if codec is None else codec.made_of
        self.instance = made_of if isinstance(made_of, InstanceOf) else None
        """What instances of the class are made of."""
        self.to_value: Callable[[object], dict[str, Any]] = plain_value if codec is None else codec.encode
        """The fields of a document, or of a dict under stored names, as values.

        UNSET fields are left out, and system fields unless the document has them.
        """

    def decode(self, text: str) -> Any:
        """Read the canonical text of a stored document, system fields included.

        Raises:
            DocumentUnreadable: the text is a document, but none of this class.
        """
        if self._decoder is not None and ("$" not in text or _SPECIAL not in text):
            try:
                return self._decoder.decode(text)
            except msgspec.ValidationError:
                # The slow way either finds the same fault and names it, or finds none.
                pass
        document = decode_stored(text)
        if self._codec is None:
            return document
        assert isinstance(document, dict), "a stored document is an object"
        if not self._codec.validator.accepts(document, None):
            # Fields that the class does not know are left out, as `msgspec` leaves them out.
            known = {stored for stored, _ in (self._codec.attributes or {}).values()}
            document = {name: value for name, value in document.items() if name in known}
            difference = self._codec.validator.explain(document)
            if difference is not None:
                raise self._unreadable(document, difference)
        return self._codec.to_python(document)

    def decode_page(self, texts: list[str]) -> list[Any]:
        """Read many stored documents.

        Raises:
            DocumentUnreadable: one of them is none of this class.
        """
        if self._codec is None:
            documents = decode_stored(f"[{','.join(texts)}]")
            assert isinstance(documents, list), "they were put into one"
            return documents
        if self._page_decoder is not None:
            whole = f"[{','.join(texts)}]"
            if "$" not in whole or _SPECIAL not in whole:
                try:
                    return self._page_decoder.decode(whole)
                except msgspec.ValidationError:
                    pass  # One by one it is found out which.
        return [self.decode(text) for text in texts]

    def _unreadable(self, document: dict[str, Value], difference: ValidationFailed) -> DocumentUnreadable:
        kind: Any = self._kind
        return DocumentUnreadable(
            f'Document with ID "{document.get("_id")!s}" in table "{kind.__table__}" does not fit the class '
            f"{kind.__name__}: {difference}",
            path=difference.path,
        )

    def patch_to_value(self, fields: Mapping[str, object]) -> dict[str, Value | Unset]:
        """The fields that a patch sets, under stored names; UNSET, which removes a field, stays.

        `fields` may use Python attributes or stored names.
        """
        value: dict[str, Value | Unset] = {}
        attributes = (self._codec and self._codec.attributes) or {}
        for name, thing in fields.items():
            if name in attributes:
                stored, inner = attributes[name]
                value[stored] = inner.encode(thing)
            else:
                stored = self.stored_path(name)
                value[stored] = self.field_to_value(stored, thing)
        return value

    def stored_path(self, path: str) -> str:
        """A dotted path of Python attributes under stored names; stored names stay as they are."""
        return path if self._codec is None else self._codec.stored_path(path)

    def field_to_value(self, path: str, thing: object) -> Any:
        """The value of an object meant for the field at a stored path, as the class declares it."""
        inner = None if self._codec is None else self._codec.at(path)
        return UNSET if thing is UNSET else plain_value(thing) if inner is None else inner.encode(thing)


def document_codec(kind: type[Any], scope: Scope) -> tuple[DocumentCodec, TypeCodec]:
    """The codec of a document class, with the one that knows its validator.

    Raises:
        UnsupportedType: a field's type stands for no value.
        UnknownReference: a field refers to what is declared nowhere.
    """
    builder = CodecBuilder(scope=scope, purpose=Purpose.OUTPUT)
    codec = builder.build(kind, names={}, where=kind.__name__)
    return DocumentCodec(kind, codec, scope), codec


def _fast_decoder(
    kind: type[Any] | None, codec: TypeCodec | None, scope: Scope
) -> msgspec.json.Decoder[Any] | None:
    if kind is None or codec is None or codec.native is Native.NO:
        return None
    _settle_annotations(kind, scope)
    try:
        return msgspec.json.Decoder(kind, strict=codec.native is Native.STRICT)
    except (NameError, TypeError):
        # A nested struct whose strings only we can look up, or a type that msgspec will not take: the slow
        # way is as right, and slower.
        return None


def _page_decoder(
    kind: Any, decoder: msgspec.json.Decoder[Any] | None
) -> msgspec.json.Decoder[list[Any]] | None:
    return None if decoder is None else msgspec.json.Decoder(list[kind], strict=decoder.strict)


def _settle_annotations(kind: type[Any], scope: Scope) -> None:
    """Replace a class's string annotations by what we found them to mean, where msgspec will look."""
    hints = class_hints(kind, scope)
    for base in kind.__mro__:
        annotations = own_annotations(base)
        if hasattr(base, "__table__") and any(isinstance(hint, str) for hint in annotations.values()):
            base.__annotations__ = {name: hints[name] for name in annotations}

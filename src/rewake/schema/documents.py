"""`Document`: the class of a table's documents.

Floor 1, `schema`, on `ids` and `indexes`. A document is a msgspec struct, made by a metaclass that

    takes `table="messages"`                  `Message.__table__`
    takes the indexes out of the fields       `Message.by_channel`, which knows its table and name
    takes `staged=MessageNext`                `Message.__staged__`, what documents are to become
    adds `_id` and `_creationTime`            read as `message.id`, `message.creation_time`

Names in annotations are looked up later (`annotations`), so classes may refer to each other in any order;
types that can never be stored are refused here already, where the traceback shows the author's line.

Not here: validators and conversion (`type_codec`), the assembled table (`tables`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform, get_args

import msgspec

from rewake.errors import InvalidInput
from rewake.schema.annotations import NO_SCOPE, class_names, evaluate, own_annotations
from rewake.schema.codec import TypeCodec
from rewake.schema.errors import InvalidSchema, UnknownReference, UnsupportedType
from rewake.schema.ids import Id
from rewake.schema.indexes import (
    CREATION_TIME,
    DOCUMENT_ID,
    SYSTEM_ATTRIBUTES,
    FieldNaming,
    Index,
    SearchIndex,
    VectorIndex,
)
from rewake.schema.plain_values import plain_value
from rewake.schema.refusals import advice_for
from rewake.schema.type_codec import codec_for
from rewake.values import UNSET, Unset, check_identifier

AnyIndex = Index | SearchIndex | VectorIndex
field = msgspec.field
"""Describes one field, as msgspec's does; `field(name="externalId")` stores it under another name."""

_REFUSED_OPTIONS = ("array_like", "tag", "tag_field")


class UnsavedDocument(InvalidInput):
    """This document was not read from the database, so it has no id and no time of creation yet.

    `ctx.db.insert` returns the id; read the document with `ctx.db.get` to have both.
    """

    code = "UnsavedDocument"


class DocumentMeta(msgspec.StructMeta):
    """Makes document classes; see the head of this module."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        table: str | None = None,
        staged: type[Any] | None = None,
        **options: Any,
    ) -> Any:
        """Make one class. `options` are those of `msgspec.Struct`, without what makes arrays of documents."""
        for option in _REFUSED_OPTIONS:
            if option in options:
                raise InvalidSchema(f"{name}: documents cannot have the option {option}={options[option]!r}")
        options.setdefault("kw_only", True)
        indexes = {key: value for key, value in namespace.items() if isinstance(value, AnyIndex)}
        for key in indexes:
            del namespace[key]
            # An index is no field, also where somebody annotated it.
            namespace.get("__annotations__", {}).pop(key, None)
        made: Any = super().__new__(mcs, name, bases, namespace, **options)
        inherited = {
            key: value
            for base in reversed(made.__mro__[1:])
            for key, value in getattr(base, "__indexes__", {}).items()
        }
        made.__table__ = table
        made.__staged__ = _checked_staged(name, table, staged)
        made.__indexes__ = _bound({**inherited, **indexes}, made)
        for key, index in made.__indexes__.items():
            setattr(made, key, index)
        if bases != (msgspec.Struct,):
            _check_fields(made)
        return made


def _checked_staged(name: str, table: str | None, staged: type[Any] | None) -> type[Any] | None:
    if staged is None:
        return None
    if table is None or not is_document_class(staged) or getattr(staged, "__table__", None) is not None:
        raise InvalidSchema(
            f"{name}: `staged` is what the documents of a table are to become, a class of fields without a "
            f"table: class {name}Next(Document): ..., then class {name}(Document, table=..., "
            f"staged={name}Next): ..."
        )
    return staged


class _ClassNaming:
    """What a class by itself knows of its fields' names and types, for its indexes."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._codec: TypeCodec | None = None
        """None -> the class's codec: when an index first asks and every hint can be looked up."""

    def stored_path(self, path: str) -> str:
        """A dotted path of attributes under stored names."""
        codec = self._codec or self._known_codec()
        if codec is not None:
            return codec.stored_path(path)
        head, dot, rest = path.partition(".")
        names = zip(self._owner.__struct_fields__, self._owner.__struct_encode_fields__, strict=True)
        stored = {**dict(names), **SYSTEM_ATTRIBUTES}
        return f"{stored.get(head, head)}{dot}{rest}"

    def to_value(self, path: str, thing: object) -> Any:
        """The value of an object meant for the field at a stored path."""
        codec = self._codec or self._known_codec()
        inner = None if codec is None else codec.at(path)
        return plain_value(thing) if inner is None else inner.encode(thing)

    def _known_codec(self) -> TypeCodec | None:
        if self._codec is None:
            try:
                # Good for names and conversions; checking ids is for the schema's own codec.
                self._codec = codec_for(self._owner)
            except UnknownReference:
                # A hint that only the whole schema can resolve: names of nested fields stay as they are.
                return None
        return self._codec


def _bound(indexes: dict[str, AnyIndex], owner: Any) -> dict[str, AnyIndex]:
    class_naming = _ClassNaming(owner)
    naming = FieldNaming(owner, class_naming.stored_path, class_naming.to_value)
    return {key: index.bind(key, naming) for key, index in indexes.items()}


def _check_fields(made: Any) -> None:
    """Refuse names that cannot be stored and types that never could, at the line of the class."""
    names = dict(zip(made.__struct_fields__, made.__struct_encode_fields__, strict=True))
    for name, stored in names.items():
        if name in (DOCUMENT_ID, CREATION_TIME):
            continue
        if name in SYSTEM_ATTRIBUTES:
            raise InvalidSchema(
                f"{made.__name__}.{name}: every document has this attribute already (stored as "
                f'"{SYSTEM_ATTRIBUTES[name]}"). For a field of your own choose another attribute: '
                f'other_{name}: ... = field(name="{name}")'
            )
        if stored.startswith("_"):
            raise InvalidSchema(
                f"{made.__name__}.{name}: names of stored fields cannot start with an underscore, which "
                "marks the system's. Rename it, or store it under another name: "
                f'field(name="{stored.lstrip("_")}")'
            )
        try:
            check_identifier(stored)
        except InvalidInput as error:
            raise InvalidSchema(f"{made.__name__}.{name}: {error}") from None
    lookup = class_names(made, NO_SCOPE)
    for name, annotation in own_annotations(made).items():
        where = f"{made.__name__}.{name}"
        try:
            parts = list(_parts(evaluate(annotation, lookup, where=where)))
        except UnknownReference:
            # Declared further down, or in a module that imports this one: asked again at assembly.
            continue
        for part in parts:
            advice = advice_for(part) if isinstance(part, type) else None
            if advice is not None:
                raise UnsupportedType(f"{where}: {advice}")


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


if TYPE_CHECKING:
    # On the class and not on its metaclass, since mypy would find the mark on `msgspec.Struct` before that
    # one.
    @dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
    class Document(msgspec.Struct, metaclass=DocumentMeta, kw_only=True):
        """The base of every class whose instances are a table's documents."""

        __table__: ClassVar[str | None]
        __staged__: ClassVar[type[Any] | None]
        __indexes__: ClassVar[dict[str, AnyIndex]]

        @property
        def id(self) -> Id[Self]:
            """The document's id."""

        @property
        def creation_time(self) -> float:
            """When the document was inserted, in milliseconds since the epoch."""

else:

    class Document(msgspec.Struct, metaclass=DocumentMeta, kw_only=True):
        """The base of every class whose instances are a table's documents.

        class Message(Document, table="messages"):
            channel: Id["Channel"]
            body: str
            by_channel = Index("channel")

        Fields are given by keyword. What was read from the database has `id` and `creation_time`.
        """

        # Type checkers do not see these two: authors never pass them to the constructor.
        _id: str | Unset = UNSET
        _creationTime: float | Unset = UNSET

        @property
        def id(self) -> str:
            """The document's id.

            Raises:
                UnsavedDocument: it was not read from the database.
            """
            if self._id is UNSET:
                raise UnsavedDocument(_unsaved(self, "id"))
            return self._id

        @property
        def creation_time(self) -> float:
            """When the document was inserted, in milliseconds since the epoch.

            Raises:
                UnsavedDocument: it was not read from the database.
            """
            if self._creationTime is UNSET:
                raise UnsavedDocument(_unsaved(self, "creation_time"))
            return self._creationTime

        def __repr__(self) -> str:
            shown = {attribute: getattr(self, stored) for attribute, stored in SYSTEM_ATTRIBUTES.items()}
            shown |= {
                name: getattr(self, name) for name in self.__struct_fields__ if not name.startswith("_")
            }
            fields = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value is not UNSET)
            return f"{type(self).__name__}({fields})"


D = TypeVar("D", bound=Document)


def _unsaved(document: Any, attribute: str) -> str:
    name = type(document).__name__
    return (
        f"This {name} was not read from the database, so it has no {attribute} yet. `ctx.db.insert` returns "
        "the id; read the document with `ctx.db.get` to have both."
    )


def mark_stored(document: D, *, id: str, creation_time: float) -> D:
    """Give a document that was just inserted its system fields, in place, and return it."""
    msgspec.structs.force_setattr(document, DOCUMENT_ID, id)
    msgspec.structs.force_setattr(document, CREATION_TIME, creation_time)
    return document


def is_document_class(kind: object) -> bool:
    """Whether `kind` is a class of documents, with a table or as a base of such."""
    return isinstance(kind, DocumentMeta)

"""The fields of an author's class, whatever kind of class it is.

Floor 1, `schema`, on `annotations`. msgspec structs, dataclasses, TypedDicts and pydantic models say the same
things in four dialects; here they become one list. pydantic is never imported: a model is known by what it
offers.

Not here: document classes' system fields (`documents`), codecs of the fields (`type_codec`).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin

import msgspec

from rewake.schema.annotations import Scope, class_hints
from rewake.schema.errors import UnsupportedType

SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})
"""The fields that the system gives to every document, by attribute and by stored name."""


class ClassField(msgspec.Struct, frozen=True):
    """One field of a class."""

    name: str
    """The Python attribute (or key, of a TypedDict)."""
    stored: str
    """Its name in values."""
    annotation: Any
    has_default: bool
    may_be_missing: bool = False
    """Absent values stay absent in Python (`NotRequired`), without a default taking their place."""
    constructed: bool = True
    """It is given to the constructor."""


class ClassShape(msgspec.Struct, frozen=True):
    """A class with fields, and how to make an instance of it."""

    fields: tuple[ClassField, ...]
    construct: Callable[..., Any]
    """Takes the fields by keyword, or, if `from_mapping`, one mapping of stored names to undecoded values."""
    from_mapping: bool = False
    is_mapping: bool = False
    """Instances are dicts."""
    is_struct: bool = False


def shape_of(kind: type, scope: Scope) -> ClassShape | None:
    """The fields of a class, or None if it is not of a kind that has them.

    Raises:
        UnsupportedType: it is of such a kind, with a feature that has no place in values.
    """
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_shape(kind, scope)
    if is_typed_dict(kind):
        return _typed_dict_shape(kind, scope)
    if is_pydantic_model(kind):
        return _pydantic_shape(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_shape(kind, scope)
    return None


def is_typed_dict(kind: type) -> bool:
    """Whether `kind` is a TypedDict, also of `typing_extensions`, which pydantic wants before 3.12."""
    return typing.is_typeddict(kind) or type(kind).__name__ == "_TypedDictMeta"


def is_pydantic_model(kind: type) -> bool:
    """Whether `kind` is a pydantic model class."""
    return any(
        base.__name__ == "BaseModel" and base.__module__.startswith("pydantic.")
        for base in getattr(kind, "__mro__", ())
    )


def _struct_shape(kind: Any, scope: Scope) -> ClassShape:
    config = kind.__struct_config__
    if config.array_like:
        raise UnsupportedType(
            f"{kind.__name__}: structs with array_like=True are not supported; leave it out"
        )
    if config.tag is not None:
        # The tag is a field that only msgspec sees; a Literal field says the same to every client.
        raise UnsupportedType(
            f'{kind.__name__}: tagged structs are not supported; declare a field `kind: Literal["..."]` '
            "instead"
        )
    hints = class_hints(kind, scope)
    defaults = dict(zip(kind.__struct_fields__[::-1], kind.__struct_defaults__[::-1], strict=False))
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    fields = []
    is_base_document = getattr(kind, "__table__", "") is None
    for name, stored in names:
        if is_base_document and name in SYSTEM_FIELDS:
            # Without a table there is nothing that would give it an id.
            continue
        # Keyword-only fields without a default have NODEFAULT in their place.
        has_default = defaults.get(name, msgspec.NODEFAULT) is not msgspec.NODEFAULT
        fields.append(ClassField(name, stored, hints[name], has_default))
    return ClassShape(tuple(fields), kind, is_struct=True)


def _dataclass_shape(kind: Any, scope: Scope) -> ClassShape:
    hints = class_hints(kind, scope)
    fields = []
    for item in dataclasses.fields(kind):
        has_default = (
            item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
        )
        fields.append(
            ClassField(
                item.name, item.name, hints[item.name], has_default or not item.init, constructed=item.init
            )
        )
    return ClassShape(tuple(fields), kind)


def _typed_dict_shape(kind: Any, scope: Scope) -> ClassShape:
    fields = []
    # A TypedDict copies the annotations of its bases and is no subclass of them, so totality comes from the
    # class.
    for name, annotation in class_hints(kind, scope).items():
        required = name in kind.__required_keys__
        while get_origin(annotation) in (Required, NotRequired) or _is_read_only(annotation):
            # Under `from __future__ import annotations` the class itself did not see these marks.
            if not _is_read_only(annotation):
                required = get_origin(annotation) is Required
            (annotation,) = get_args(annotation)
        fields.append(ClassField(name, name, annotation, not required, may_be_missing=not required))
    return ClassShape(tuple(fields), dict, is_mapping=True)


def _is_read_only(annotation: Any) -> bool:
    return getattr(get_origin(annotation), "_name", None) == "ReadOnly"


def _pydantic_shape(kind: Any) -> ClassShape:
    if not kind.__pydantic_complete__:
        kind.model_rebuild(raise_errors=False)
    fields = []
    for name, info in kind.model_fields.items():
        annotation = info.annotation
        if info.metadata:
            annotation = Annotated[annotation, *info.metadata]
        fields.append(ClassField(name, info.alias or name, annotation, not info.is_required()))
    return ClassShape(tuple(fields), kind.model_validate, from_mapping=True)

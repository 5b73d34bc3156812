"""`Id[...]`: the type of a document's id, which knows its table.

Floor 1, `schema`. Two things under one name:

    to a type checker    a generic subclass of `str`, so an id of the wrong table is a type error
    at run time          `Id[User]` is `Annotated[str, IdOf(User)]`, because msgspec knows no subclasses of
                         `str`; ids are plain strings everywhere

A reference is a document class, the name of one (`Id["Channel"]`, resolved when the schema is assembled, so
order of declaration does not matter) or the name of a table (`Id[Literal["users"]]` where a checker reads
along).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ForwardRef, Generic, Literal, TypeVar, get_args, get_origin

import msgspec

T = TypeVar("T")


class IdOf(msgspec.Struct, frozen=True):
    """The mark that `Id[...]` leaves in an annotation."""

    reference: Any
    """A document class, or the name of a document class or table."""


if TYPE_CHECKING:

    class Id(str, Generic[T]):
        """An id of a document of class (or table) `T`: a string that only the server makes."""

        __slots__ = ()

else:

    class Id:
        """An id of a document: `Id[User]`, `Id["User"]` or `Id["users"]`; at run time a plain string."""

        def __new__(cls, text: str = "") -> str:
            return str(text)

        def __class_getitem__(cls, reference: Any) -> Any:
            if isinstance(reference, ForwardRef):
                reference = reference.__forward_arg__
            elif get_origin(reference) is Literal:
                (reference,) = get_args(reference)
            return Annotated[str, IdOf(reference)]

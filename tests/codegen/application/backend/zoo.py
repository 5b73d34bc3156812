"""Every kind of type that an argument or a result can have, and names that other languages reserve."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any, Literal, NotRequired

import msgspec
from annotated_types import Ge, MaxLen
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from rewake import Id, Int64, QueryCtx, query
from rewake.schema import v

from .schema import Message, Mood, User


class Parcel(msgspec.Struct, rename="camel"):
    """A struct whose names are turned."""

    weight_grams: float
    is_fragile: bool = False


class Address(BaseModel):
    """A pydantic model with an alias."""

    post_code: str = Field(alias="postCode")
    lines: list[str] = []


class Wish(TypedDict):
    """A typed dictionary, one field of which may be left out."""

    title: str
    price: NotRequired[float]


@dataclass
class Tree:
    """A type that meets itself."""

    label: str
    children: list[Tree] = dataclass_field(default_factory=list["Tree"])


class Everything(TypedDict):
    """One field of each kind."""

    address: Address
    anything: Any
    big: Int64
    blob: bytes
    flag: bool
    mood: Mood
    named: dict[str, Parcel]
    nothing: None
    owner: Id[User]
    parcel: Parcel
    pair: tuple[str, ...]
    rating: Literal[1, 2, 3] | None
    steps: list[list[float]]
    tree: Tree
    wish: Wish
    with_dash: NotRequired[Annotated[str, MaxLen(5)]]


@query
def echo(ctx: QueryCtx, everything: Everything) -> Everything:
    return everything


@query
def either(ctx: QueryCtx, value: str | float | Int64 | bool | bytes | list[str] | Parcel | None) -> str:
    return type(value).__name__


@query
def bounded(ctx: QueryCtx, age: Annotated[int, Ge(0)], tags: Annotated[list[str], MaxLen(3)]) -> None:
    return None


Odd = TypedDict("Odd", {"class": str, "delete": Id[User], "list": NotRequired[str]})


@query
def odd(ctx: QueryCtx, odd: Odd, ids: Annotated[Any, v.record(v.id("users"), v.int64())] = None) -> list[Odd]:
    return [odd]


@query
def never(ctx: QueryCtx) -> Annotated[Any, v.union()]:
    raise ValueError("this returns nothing, ever")


@query
def untyped(ctx: QueryCtx, /, **arguments: Any):  # type: ignore[no-untyped-def]
    return arguments


@query
def tree(ctx: QueryCtx, tree: Tree) -> Tree:
    return tree


@query
def default(ctx: QueryCtx) -> str:
    """*/ export const broken = 1; /* a docstring that would end its comment."""
    return "default"


@query
def delete(ctx: QueryCtx) -> str:
    return "delete"


@query
def new(ctx: QueryCtx) -> str:
    return "new"


@query
def function(ctx: QueryCtx, var: str, let: str = "let") -> str:
    return var + let


@query
def constructor(ctx: QueryCtx) -> str:
    return "constructor"


class Latest(TypedDict):
    """Documents inside something else."""

    messages: list[Message]
    by: User | None


@query
def latest(ctx: QueryCtx) -> Latest:
    return {"messages": ctx.db.query(Message).take(3), "by": None}

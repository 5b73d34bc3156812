"""Tables of an application that uses every type that can be stored.

Its functions are what pages in `../projects` are type-checked against, and it is itself held to what pyright
(strict) and mypy (strict) accept of authors.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from rewake import Document, Id, Index, Int64, Unset
from rewake.schema import field
from rewake.values import UNSET


class Mood(enum.Enum):
    """How somebody feels."""

    GLAD = "glad"
    SO_SO = "so-so"


class Place(TypedDict):
    """Where somebody is; the street is a secret of some."""

    city: str
    street: NotRequired[str]


@dataclass
class Reaction:
    """What somebody thinks of a message."""

    by: Id[User]
    sign: str


class User(Document, table="users"):
    """Somebody."""

    name: str
    mood: Mood = Mood.GLAD
    place: Place | None = None
    avatar: str | Unset = UNSET
    by_name = Index("name")


class Message(Document, table="messages"):
    """What somebody said."""

    author: Id[User]
    body: str
    kind: Literal["text", "system"] = "text"
    reactions: list[Reaction] = field(default_factory=list[Reaction])
    likes: dict[str, float] = field(default_factory=dict[str, float])
    serial: Int64 = Int64(0)
    preview: bytes | None = None
    answers: Id[Message] | Unset = UNSET
    extra: Any = None
    by_author = Index("author")

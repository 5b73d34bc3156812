"""The tables of the chat. Each class is a table; its fields are what a document of it holds."""

from typing import Literal

from rewake import UNSET, Document, Id, Index, Unset


class Channel(Document, table="channels"):
    """A room. Names are unique because `channels.open` looks before it inserts."""

    name: str
    by_name = Index("name")


class Message(Document, table="messages"):
    """One line that somebody wrote, or a picture."""

    channel: Id[Channel]
    author: str
    body: str
    image: Id[Literal["_storage"]] | Unset = UNSET
    disappears_at: float | Unset = UNSET
    """In milliseconds since the epoch; the page counts down to it."""
    disappearing: Id[Literal["_scheduled_functions"]] | Unset = UNSET
    """The job that takes the message away then."""
    by_channel = Index("channel")
    by_image = Index("image")


class Typing(Document, table="typing"):
    """A question that the bot has not answered yet. Whoever deletes this document has the last word on it."""

    channel: Id[Channel]
    question: Id[Message]
    clean_up: Id[Literal["_scheduled_functions"]]
    """The job that deletes this document if no answer does."""
    by_channel = Index("channel")
    by_question = Index("question")


class Presence(Document, table="presence"):
    """One open window: which channel it shows and whose it is."""

    channel: Id[Channel]
    client: str
    name: str
    by_client = Index("client")
    by_channel = Index("channel", "name")


class Heartbeat(Document, table="heartbeats"):
    """When a window was last heard of, in milliseconds since the epoch.

    Kept apart from `Presence` on purpose: heartbeats change all the time and no query reads them, so
    they wake nobody. What queries read changes only when somebody comes, goes or moves.
    """

    presence: Id[Presence]
    last_seen: float
    by_presence = Index("presence")
    by_last_seen = Index("last_seen")

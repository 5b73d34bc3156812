"""The tables that the client tests write into."""

from rewake import Document, Index


class Message(Document, table="messages"):
    author: str
    body: str


class Counter(Document, table="counters"):
    name: str
    value: float
    by_name = Index("name")


class Entry(Document, table="entries"):
    """One numbered mutation that was carried out; carried out twice, it is there twice."""

    source: str
    number: int
    by_source = Index("source", "number")


class Post(Document, table="posts"):
    feed: str
    number: float
    by_feed = Index("feed", "number")

"""The tables of the benchmarks."""

from rewake import Document, Index


class Note(Document, table="notes"):
    """One small document with one index."""

    channel: str
    body: str
    by_channel = Index("channel")


class Account(Document, table="accounts"):
    """Money of one owner."""

    number: int
    balance: int
    by_number = Index("number")

"""Lists that are only appended to, each stored twice: as one document, and as one document for each value."""

from rewake import Document, Index


class List(Document, table="lists"):
    """A whole list. It changes its shelf with every append: a reader who found it on the first shelf hears of
    the next append only by the key that it had *before*.
    """

    key: str
    shelf: int
    values: list[str]
    by_shelf = Index("key", "shelf")


class Item(Document, table="items"):
    """One value of a list."""

    key: str
    place: int
    value: str
    by_place = Index("key", "place")

"""Results near the limit of 16 MiB, which are 20 MB and more on the wire."""

from rewake import QueryCtx, query

from .schema import Counter

PATTERN = "0aé€🌊"
"""Characters of one to four bytes in UTF-8, so that every cut between bytes falls within one sometimes."""


@query
def data(ctx: QueryCtx, size: int, name: str) -> bytes:
    """`size` bytes, every one of them the value of the counter `name`."""
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name=name).unique()
    value = 0 if counter is None else int(counter.value)
    return bytes([value % 256]) * size


@query
def text(ctx: QueryCtx, repeats: int) -> str:
    """`PATTERN` again and again: 11 bytes of UTF-8 each time."""
    return PATTERN * repeats

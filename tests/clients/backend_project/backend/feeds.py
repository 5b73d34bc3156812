"""Long lists, shown in pages."""

from rewake import MutationCtx, PaginationOptions, PaginationResult, QueryCtx, mutation, query

from .schema import Counter, Post


@query
def list_page(ctx: QueryCtx, feed: str, pagination_opts: PaginationOptions) -> PaginationResult[Post]:
    return ctx.db.query(Post).with_index(Post.by_feed, feed=feed).paginate(pagination_opts)


@query
def numbers_page(ctx: QueryCtx, feed: str, pagination_opts: PaginationOptions) -> PaginationResult[float]:
    """The direction follows a stored setting: when that changes, every cursor is of another query."""
    setting = ctx.db.query(Counter).with_index(Counter.by_name, name="direction").first()
    order = "asc" if setting is None or setting.value >= 0 else "desc"
    found = ctx.db.query(Post).with_index(Post.by_feed, feed=feed).order(order).paginate(pagination_opts)
    return found.with_page([post.number for post in found.page])


@query
def numbers(ctx: QueryCtx, feed: str) -> list[float]:
    return [post.number for post in ctx.db.query(Post).with_index(Post.by_feed, feed=feed)]


@mutation
def post(ctx: MutationCtx, feed: str, numbers: list[float]) -> None:
    for number in numbers:
        ctx.db.insert(Post(feed=feed, number=number))


@mutation
def remove(ctx: MutationCtx, feed: str, numbers: list[float]) -> None:
    for number in numbers:
        found = ctx.db.query(Post).with_index(Post.by_feed, feed=feed, number=number).first()
        if found is not None:
            ctx.db.delete(found.id)


@mutation
def turn_around(ctx: MutationCtx) -> None:
    ctx.db.insert(Counter(name="direction", value=-1))

"""The application of the histories: whoever reads a list reads its whole past."""

from rewake import (
    ApplicationError,
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    QueryCtx,
    internal_mutation,
    mutation,
    query,
)

from .schema import Item, List


def find(ctx: QueryCtx | MutationCtx, key: str) -> List | None:
    """The list, on whichever shelf it stands: the second is looked at only if it is not on the first."""
    for shelf in (0, 1):
        found = ctx.db.query(List).with_index(List.by_shelf, key=key, shelf=shelf).unique()
        if found is not None:
            return found
    return None


def values_of(ctx: QueryCtx | MutationCtx, key: str) -> list[str]:
    found = find(ctx, key)
    return [] if found is None else found.values


def put(ctx: MutationCtx, key: str, value: str) -> None:
    """Append, to both forms of the list."""
    found = find(ctx, key)
    place = 0 if found is None else len(found.values)
    if found is None:
        ctx.db.insert(List(key=key, shelf=place % 2, values=[value]))
    else:
        ctx.db.patch(found.id, shelf=place % 2, values=[*found.values, value])
    ctx.db.insert(Item(key=key, place=place, value=value))


@query
def read(ctx: QueryCtx, keys: list[str]) -> list[list[str]]:
    """Several lists."""
    return [values_of(ctx, key) for key in keys]


@query
def read_items(ctx: QueryCtx, key: str) -> list[str]:
    """A list, value by value."""
    return [item.value for item in ctx.db.query(Item).with_index(Item.by_place, key=key)]


@query
def read_page(ctx: QueryCtx, key: str, pagination_opts: PaginationOptions) -> PaginationResult[str]:
    """A list in pages, newest first."""
    found = ctx.db.query(Item).with_index(Item.by_place, key=key).order("desc").paginate(pagination_opts)
    return found.with_page([item.value for item in found.page])


@query
def read_own(ctx: QueryCtx) -> list[str]:
    """The list of whoever asks."""
    identity = ctx.auth.get_user_identity()
    return values_of(ctx, "own-nobody" if identity is None else f"own-{identity.subject}")


@internal_mutation
def part(ctx: MutationCtx, key: str, value: str, fails: bool) -> None:
    """Append as a part of another mutation; `fails` after it has."""
    put(ctx, key, value)
    if fails:
        raise ApplicationError("this part fails")


@mutation
def transact(ctx: MutationCtx, steps: list[list[str]], fails: bool = False) -> list[list[str]]:
    """Take steps in order: `read key`, `append key value`, the same in a `part`, or in a part that is `lost`.

    Gives what each read was shown, and an empty list for every other step. `fails` after all of them.
    """
    results: list[list[str]] = []
    for step in steps:
        shown: list[str] = []
        match step:
            case ["read", key]:
                shown = values_of(ctx, key)
            case ["append", key, value]:
                put(ctx, key, value)
            case ["part", key, value]:
                ctx.run_mutation(part, key=key, value=value, fails=False)
            case ["lost", key, value]:
                try:
                    ctx.run_mutation(part, key=key, value=value, fails=True)
                except ApplicationError:
                    pass
            case _:
                raise ApplicationError(f"no such step: {step}")
        results.append(shown)
    if fails:
        raise ApplicationError("this mutation fails")
    return results

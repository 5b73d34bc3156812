"""Fund transfers: read two, write two."""

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, gte, mutation, query

from .schema import Account


@mutation
def open_many(ctx: MutationCtx, first: int, count: int, balance: int) -> list[Id[Account]]:
    """Open `count` accounts, numbered from `first`."""
    return [ctx.db.insert(Account(number=number, balance=balance)) for number in range(first, first + count)]


@mutation
def transfer(ctx: MutationCtx, source: Id[Account], target: Id[Account], amount: int) -> None:
    """Move money from one account to another."""
    giver = ctx.db.get(source)
    taker = ctx.db.get(target)
    if giver is None or taker is None:
        raise ApplicationError({"code": "no_account"})
    ctx.db.patch(source, balance=giver.balance - amount)
    ctx.db.patch(target, balance=taker.balance + amount)


@query
def total(ctx: QueryCtx, first: int, count: int) -> float:
    """The money in `count` accounts, numbered from `first`."""
    accounts = ctx.db.query(Account).with_index(Account.by_number, number=gte(first)).take(count)
    return float(sum(account.balance for account in accounts))

"""Call options: under which conditions a nested call runs, apart from its arguments.

Floor 2, `functions`. Said before the call, so that no option can collide with an argument of the callee:

    ctx.with_limits(documents_read=100).run_query(search, text=text)
    ctx.at_begin_snapshot().run_query(balance, account=account)

Not here: what they do (`execution/host.py`).
Source: semantics 5.6.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from rewake.errors import InvalidInput


class InvalidCallLimit(InvalidInput):
    """`with_limits` takes whole numbers from 0 up."""

    code = "InvalidCallLimit"
    template = "`{name}` in `with_limits` must be a non-negative integer; got {value!r}."


class CallOptions(msgspec.Struct, frozen=True):
    """How a nested call is run."""

    caps: Mapping[str, int] = msgspec.field(default_factory=dict)
    """How much more it may use, by the names of `ctx.meta.get_transaction_metrics()`."""
    is_at_begin: bool = False
    """Whether it sees the database as it stood before the caller's own writes, leaving no dependency."""

    def capped(self, caps: Mapping[str, int | None]) -> CallOptions:
        """The same with further caps; None sets none.

        Raises:
            InvalidCallLimit: a cap is no whole number from 0 up.
        """
        given = {name: value for name, value in caps.items() if value is not None}
        for name, value in given.items():
            if type(value) is not int or value < 0:
                raise InvalidCallLimit(name=name, value=value)
        return replace(self, caps={**self.caps, **given})

    def at_begin(self) -> CallOptions:
        """The same at the caller's begin snapshot."""
        return replace(self, is_at_begin=True)


PLAIN_CALL = CallOptions()
"""A call with no options."""

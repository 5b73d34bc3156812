"""Errors: one tree, drawn here.

Floor 0, under `values`. Every error that a user can cause has a class with a code that outlives
rewording, an HTTP status, and a sentence made from its fields.

    RewakeError
    ├── InvalidInput            400  the caller must change something
    │   └── (InvalidValue, InvalidId, ValidationFailed, ... next to what they check)
    ├── Unauthenticated         401  who are you?
    ├── Forbidden               403  you may not
    ├── NotFound                404
    ├── Conflict                409
    ├── RateLimited             429  too much at once from one caller
    ├── Unavailable             503  not now; try again (a full disk, a restart)
    ├── Internal                500  our mistake
    └── FunctionError           400  what a function run ends with; a result, never a closed socket
        └── LimitExceeded            a limit of the call or its transaction

    ApplicationError                 raised by authors; its data always reaches the client
    FunctionFailed                   what a caller of a function in Python sees of every other failure

Which error becomes which HTTP status or close code is decided in one table at each door
(`http_api/errors.py`, `sync/closing.py`). Not here: the texts of one check, which live beside the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class RewakeError(Exception):
    """Something went wrong in a way that has a name."""

    code: ClassVar[str] = "InternalServerError"
    status: ClassVar[int] = 500
    template: ClassVar[str] = "{message}"
    client_data: ClassVar[Mapping[str, Any] | None] = None
    """What official clients receive as the `data` of a ConvexError, where they act on this error."""
    retry_seconds: int | None = None
    """After how many seconds to try again, where that is known: nothing was done."""

    def __init__(self, message: str | None = None, /, **fields: Any) -> None:
        """Make the error from its fields, or from a ready sentence where one already exists."""
        self.fields = fields
        if message is None:
            message = self.template.format(**fields)
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        return self.message


class InvalidInput(RewakeError):
    """The caller sent something that cannot be accepted as it stands."""

    code, status = "BadRequest", 400


class Unauthenticated(RewakeError):
    """The caller's credentials are missing, wrong or expired."""

    code, status = "Unauthenticated", 401


class Forbidden(RewakeError):
    """The caller is known and may not do this."""

    code, status = "Forbidden", 403


class NotFound(RewakeError):
    """The thing that was named does not exist."""

    code, status = "NotFound", 404


class Conflict(RewakeError):
    """The request does not fit the present state of what it names."""

    code, status = "Conflict", 409


class RateLimited(RewakeError):
    """One caller asks for too much at once. Wait and send less."""

    code, status = "TooManyConcurrentRequests", 429


class Unavailable(RewakeError):
    """The server cannot do this now. Nothing was written; try again."""

    code, status = "Unavailable", 503


class Internal(RewakeError):
    """A mistake of the server's own. The text stays in the log; callers see a neutral sentence."""

    code, status = "InternalServerError", 500


INTERNAL_MESSAGE = "Your request couldn't be completed. Try again later."


class FunctionError(RewakeError):
    """A function run cannot go on. Delivered as the function's result, never as a closed connection."""

    code, status = "FunctionError", 400


class LimitExceeded(FunctionError):
    """A call went over one of its limits. Read, write or pass less, or raise the named setting.

    The text is the one that applications know; `setting`, `observed` and `limit` say which limit it was.
    """

    code = "LimitExceeded"
    setting: ClassVar[str] = ""
    """The field of `limits.Limits`."""

    def __init__(
        self,
        message: str | None = None,
        /,
        *,
        limit: float = 0,
        observed: float = 0,
        cap: str | None = None,
        **fields: Any,
    ) -> None:
        """`cap` names the limit of `with_limits` that was reached, where it was not the transaction's own."""
        shown = {"shown_limit": self.show(limit), "shown_observed": self.show(observed)}
        super().__init__(message, limit=limit, observed=observed, cap=cap, **shown, **fields)
        # Python shows notes under a traceback; the text itself stays as it is known.
        self.add_note(self.detail)

    @staticmethod
    def show(amount: float) -> str:
        """An amount as the text says it."""
        return str(amount)

    @property
    def limit(self) -> float:
        """What there may be at most."""
        return self.fields["limit"]  # type: ignore[no-any-return]

    @property
    def observed(self) -> float:
        """What there was."""
        return self.fields["observed"]  # type: ignore[no-any-return]

    @property
    def detail(self) -> str:
        """Which limit it was and by how much: a line under the text, for authors and operators."""
        cap = self.fields.get("cap")
        source = f"setting {self.setting}" if cap is None else f"with_limits({cap})"
        return f"[{source}, observed {self.fields['observed']}, limit {self.fields['limit']}]"


class ApplicationError(Exception):
    """Raise this in a function to tell the client something it can act on.

    `data` is any value (see `rewake.values`); official clients receive a ConvexError whose `data` is this
    value, in development and in production alike. A string also becomes the message.
    """

    def __init__(self, data: Any = None) -> None:
        self.data = data
        super().__init__(data)


class FunctionFailed(Exception):
    """A function that was called from an action or a test failed otherwise than by an ApplicationError.

    `message` is what a client would read, without the request id; `log_lines` is what the function printed.
    """

    def __init__(self, message: str, log_lines: tuple[str, ...] = ()) -> None:
        self.message = message
        self.log_lines = log_lines
        super().__init__(message)

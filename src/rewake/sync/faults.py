"""Faults: what a client, or the house, can do wrong on a socket, each with its name.

Floor 6, `sync`. How each ends the socket is decided by its family, in the one table of `closing.py`: mistakes
in the conversation are `InvalidInput` and get a FatalError; those that the official server calls internal are
`ClientFault`, whose text goes to the log and not to the client.
"""

from __future__ import annotations

from rewake.errors import Internal, InvalidInput, NotFound, RateLimited, Unauthenticated


class BaseVersionMismatch(InvalidInput):
    """A client's step of the query set does not begin where its last one ended."""

    code = "BaseVersionMismatch"
    template = "Base version {base} passed up doesn't match the current version {current}"


class NewVersionTooLow(InvalidInput):
    """A client's step of the query set does not lead forward."""

    code = "NewVersionTooLow"
    template = "New version {new} passed up is not above the base version {base}"


class ConnectMisplaced(InvalidInput):
    """Connect is the first message of a socket, and comes once."""

    code = "ConnectMisplaced"
    template = "Connect must be the first message on a websocket, and must be sent exactly once"


class TooManyQueries(InvalidInput):
    """One page subscribes to more than there may be. Subscribe to fewer, or to pages of a list; or raise
    `socket_queries_max`. A new connection would ask the same, so the client is told for good.
    """

    code = "TooManyQueries"
    template = "Too many live queries on a single websocket (limit: {limit})."


class ComponentCallNotAllowed(InvalidInput):
    """A client without the admin key named a component."""

    code = "ComponentCallNotAllowed"
    template = "Only admin or system users can call functions on non-root components directly"


class ClientFault(Internal):
    """A client's mistake that the official server calls its own: the socket ends as by a mistake of the
    house, and the log says whose it was.
    """


class BinaryMessage(ClientFault):
    """A client sent a binary message; this protocol has none."""


class QueryIdMisused(ClientFault):
    """A client added a query id that lives, or removed one that does not."""


class IdentityVersionMismatch(ClientFault):
    """A client's Authenticate does not begin at the identity version that it last sent."""


class ObservedTimestampAhead(ClientFault):
    """The client saw a later commit than this server knows: it must not be led back in time."""


class WaveBroken(Internal):
    """A wave went back in time or left a new query without an answer. A mistake of the house."""


class TokenExpired(Unauthenticated):
    """The token that a client signed in with has ended. Sign in with a new one."""

    code = "TokenExpired"
    template = "Convex token identity expired"


class InactiveClient(NotFound):
    """No frame came from the client for so long that it is taken for gone."""

    code = "InactiveClient"
    template = "No frame came from the client for {seconds} seconds"


class TooManyConcurrentMutations(RateLimited):
    """Too many mutations of one socket wait their turn. Wait for answers before sending more."""

    code = "TooManyConcurrentMutations"
    template = (
        "Too many concurrent mutations. Only up to {limit} pending mutations allowed on a single websocket."
    )


class TooManyMutationBytes(RateLimited):
    """Mutations of one socket that wait their turn are too large together. Wait for answers before sending
    more."""

    code = "TooManyConcurrentMutations"
    template = "Too many bytes of pending mutations on a single websocket (limit: {limit})."


class TooManyActions(RateLimited):
    """Too many actions of one socket are in flight. Wait for answers before sending more."""

    code = "TooManyInflightActionsForSingleClient"
    template = "Inflight actions overloaded for a single client, max concurrency: {limit}"

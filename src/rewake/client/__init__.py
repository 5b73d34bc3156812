"""The client: call a server's functions from Python, and follow its queries live.

Floor 2, `client`. It stands beside the server, not on it: nothing of the database or of functions is loaded,
and a contract of import-linter keeps it so. The command line uses it, applications do, and it speaks to the
official servers as well, for it knows nothing but the wire.

    Client, SyncClient      what a program holds
      Watch                 one reader of a live query
      Connection            sockets, silence, coming back
        Conversation        the rules, without I/O: QuerySet, Calls, Authentication

Start with `client.py`; the rules begin in `conversation.py`.
"""

from rewake.client.client import Client
from rewake.client.errors import (
    AuthenticationRefused,
    CallFailed,
    ClientClosed,
    ClientError,
    ConnectionLost,
    ConversationEnded,
    InvalidAddress,
    NotConnected,
)
from rewake.client.outcomes import Result
from rewake.client.references import ActionReference, MutationReference, QueryReference
from rewake.client.sync_client import SyncClient, SyncWatch
from rewake.client.tokens import TokenFetcher
from rewake.client.watch import Watch
from rewake.errors import ApplicationError
from rewake.values import Int64

__all__ = [
    "ActionReference",
    "ApplicationError",
    "AuthenticationRefused",
    "CallFailed",
    "Client",
    "ClientClosed",
    "ClientError",
    "ConnectionLost",
    "ConversationEnded",
    "Int64",
    "InvalidAddress",
    "MutationReference",
    "NotConnected",
    "QueryReference",
    "Result",
    "SyncClient",
    "SyncWatch",
    "TokenFetcher",
    "Watch",
]

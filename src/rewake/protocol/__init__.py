"""Protocol: the messages of the official sync protocol, without any opinion on when to send them.

Floor 1. Above, `sync` holds sessions that speak it and `http_api` shares paths, versions and timestamps.
Public behaviour is fixed by wire section 1: nothing here can be improved upon without breaking a client.
"""

from rewake.protocol.client_messages import (
    Action,
    Add,
    Authenticate,
    ClientMessage,
    Connect,
    Event,
    InvalidMessage,
    ModifyQuerySet,
    Mutation,
    Remove,
    parse_client_message,
)
from rewake.protocol.client_version import UNKNOWN_CLIENT, ClientVersion, InvalidClientVersion, client_version
from rewake.protocol.forwarded import (
    FORWARDING_HEADERS,
    LOOPBACK,
    CallerFacts,
    ProxyAddressInvalid,
    TrustedProxies,
)
from rewake.protocol.function_path import FunctionPath, InvalidFunctionPath, canonical_path
from rewake.protocol.request_id import random_request_id, random_request_ids, session_request_id
from rewake.protocol.timestamps import TIMESTAMP_MAX, InvalidTimestamp, decode_ts, encode_ts
from rewake.protocol.versions import ZERO_VERSION, StateVersion

__all__ = [
    "FORWARDING_HEADERS",
    "LOOPBACK",
    "TIMESTAMP_MAX",
    "UNKNOWN_CLIENT",
    "ZERO_VERSION",
    "Action",
    "Add",
    "Authenticate",
    "CallerFacts",
    "ClientMessage",
    "ClientVersion",
    "Connect",
    "Event",
    "FunctionPath",
    "InvalidClientVersion",
    "InvalidFunctionPath",
    "InvalidMessage",
    "InvalidTimestamp",
    "ModifyQuerySet",
    "Mutation",
    "ProxyAddressInvalid",
    "Remove",
    "StateVersion",
    "TrustedProxies",
    "canonical_path",
    "client_version",
    "decode_ts",
    "encode_ts",
    "parse_client_message",
    "random_request_id",
    "random_request_ids",
    "session_request_id",
]

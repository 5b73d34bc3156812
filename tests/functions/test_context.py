"""The context is a thin face of its host: it passes on, and notes what was looked at."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rewake.auth import ANONYMOUS, Admin, Identity, User
from rewake.functions import (
    PLAIN_CALL,
    CallOptions,
    DatabaseReader,
    DatabaseWriter,
    MutationCtx,
    NotSignedIn,
    QueryCtx,
    UserIdentity,
)

ANNA = User.from_attributes(
    {"tokenIdentifier": "i|s", "issuer": "i", "subject": "s", "name": "Anna", "role": "owner"}
)


class FakeHost:
    def __init__(self, identity: Identity = ANONYMOUS) -> None:
        self.identity = identity
        self.seen: list[Any] = []

    def read_identity(self) -> Identity:
        self.seen.append("identity")
        return self.identity

    def read_clock(self) -> float:
        self.seen.append("clock")
        return 5.0

    def random(self) -> Random:
        return Random(3)

    def call(
        self, reference: object, arguments: dict[str, Any], *, kinds: tuple[str, ...], options: CallOptions
    ) -> Any:
        self.seen.append((reference, arguments, kinds, options))
        return "called"


def test_looking_at_the_caller_and_the_clock_is_noted():
    host = FakeHost()
    ctx = QueryCtx(host)  # type: ignore[arg-type]
    assert ctx.now == 5.0
    assert ctx.auth.get_user_identity() is None
    assert ctx.random.random() == Random(3).random()
    assert host.seen == ["clock", "identity"]


@pytest.mark.parametrize("identity", [ANNA, Admin(ANNA)])
def test_a_signed_in_user_has_claims(identity):
    user = QueryCtx(FakeHost(identity)).auth.require_identity()  # type: ignore[arg-type]
    assert (user.token_identifier, user.subject, user.issuer) == ("i|s", "s", "i")
    assert (user.name, user.email) == ("Anna", None)
    assert (user["role"], user.get("nothing"), user.get("nothing", 1)) == ("owner", None, 1)
    assert repr(user) == f"UserIdentity({user.attributes!r})"
    assert isinstance(user, UserIdentity)


@pytest.mark.parametrize("identity", [ANONYMOUS, Admin()])
def test_nobody_is_signed_in(identity):
    ctx = QueryCtx(FakeHost(identity))  # type: ignore[arg-type]
    with pytest.raises(NotSignedIn, match="requires a signed-in user"):
        ctx.auth.require_identity()


def test_calls_go_to_the_host_with_the_kinds_that_they_may_have():
    host = FakeHost()
    ctx = MutationCtx(host)  # type: ignore[arg-type]
    assert ctx.run_query("m:q", a=1) == ctx.run_mutation("m:m", b=2) == "called"
    assert host.seen == [
        ("m:q", {"a": 1}, ("query",), PLAIN_CALL),
        ("m:m", {"b": 2}, ("mutation",), PLAIN_CALL),
    ]
    for run in (ctx.run_query, ctx.run_mutation):
        with pytest.raises(TypeError, match="takes arguments by name"):
            run("m:f", 1)


def test_options_are_said_before_the_call():
    host = FakeHost()
    reads, writes = QueryCtx(host), MutationCtx(host)  # type: ignore[arg-type]
    reads.with_limits(documents_read=1, bytes_read=None).run_query("m:q", documents_read=5)
    writes.with_limits(documents_written=2).run_mutation("m:m")
    writes.at_begin_snapshot().with_limits(bytes_read=3).run_query("m:q")
    assert host.seen == [
        ("m:q", {"documents_read": 5}, ("query",), CallOptions({"documents_read": 1})),
        ("m:m", {}, ("mutation",), CallOptions({"documents_written": 2})),
        ("m:q", {}, ("query",), CallOptions({"bytes_read": 3}, is_at_begin=True)),
    ]
    assert not hasattr(writes.at_begin_snapshot(), "run_mutation")


def test_options_add_up_and_a_mutation_keeps_its_verbs():
    host = FakeHost()
    ctx = MutationCtx(host)  # type: ignore[arg-type]
    ctx.with_limits(documents_read=9).with_limits(documents_written=2).run_mutation("m:m")
    assert host.seen == [
        ("m:m", {}, ("mutation",), CallOptions({"documents_read": 9, "documents_written": 2})),
    ]


def test_only_mutations_are_given_a_database_to_write():
    host = FakeHost()
    assert type(QueryCtx(host).db) is DatabaseReader  # type: ignore[arg-type]
    assert type(MutationCtx(host).db) is DatabaseWriter  # type: ignore[arg-type]
    assert not hasattr(QueryCtx(host), "run_mutation")  # type: ignore[arg-type]

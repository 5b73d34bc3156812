"""What a key may do, operation by operation."""

import pytest

from rewake.auth import EVERYTHING, Grant, OperationNotPermitted, Scope, denial_of, scope_of_call

READ, RUN, DEPLOY = (Grant("k", frozenset((scope,))) for scope in (Scope.READ, Scope.RUN, Scope.DEPLOY))


@pytest.mark.parametrize(
    ("grant", "permitted"),
    [
        (EVERYTHING, set(Scope)),
        (READ, {Scope.READ}),
        (RUN, {Scope.RUN, Scope.READ}),
        (DEPLOY, {Scope.DEPLOY}),
        (Grant("k", frozenset((Scope.DEPLOY, Scope.RUN))), {Scope.DEPLOY, Scope.RUN, Scope.READ}),
        (Grant("k", frozenset()), set()),
    ],
)
def test_a_grant_permits_its_scopes_and_no_more(grant: Grant, permitted: set[Scope]) -> None:
    assert {scope for scope in Scope if grant.may(scope)} == permitted


def test_a_refusal_names_the_scope_in_the_words_that_the_official_command_line_looks_for() -> None:
    with pytest.raises(OperationNotPermitted) as refused:
        READ.require(Scope.RUN)
    assert refused.value.status == 403
    assert refused.value.message == (
        "You do not have permission to perform this operation (run). "
        "The key that was shown has not the scope `run`."
    )
    READ.require(Scope.READ)


@pytest.mark.parametrize(
    ("path", "kind", "scope"),
    [
        ("m:f", "query", Scope.READ),
        ("m:f", "mutation", Scope.RUN),
        ("m:f", "action", Scope.RUN),
        ("m:gone", None, Scope.READ),
        ("_system/cli/queryEnvironmentVariables:default", "query", Scope.DEPLOY),
        ("_system/cli/queryEnvironmentVariables", "query", Scope.DEPLOY),
        ("_system/keys:create", "mutation", Scope.ADMIN),
        ("_system/anything:read", "query", Scope.READ),
    ],
)
def test_each_call_needs_one_scope(path: str, kind: str | None, scope: Scope) -> None:
    assert scope_of_call(path, kind) is scope
    if kind is not None:
        assert f"({scope.value})" in denial_of(path, kind).message

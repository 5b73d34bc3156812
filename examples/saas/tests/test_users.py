"""Users come, change and go by webhooks, which may arrive twice and in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from backend import payments, users
from backend.schema import User
from provider import events
from provider.accounts import Account

from rewake import ApplicationError, PaginationOptions
from rewake.testing import Backend

ADA = Account("Ada", "Lovelace")
RENAMED = replace(ADA, last_name="King", updated_at=ADA.updated_at + 10)


def user_of(backend: Backend, account: Account) -> User | None:
    return backend.as_user(account.id).query(users.current)


def test_a_user_is_made_and_changed(backend: Backend, deliver: Callable[..., int]) -> None:
    with backend.as_user(ADA.id).watch(users.current) as live:
        assert live.value is None
        deliver(events.user_saved("user.created", ADA))
        deliver(events.user_saved("user.updated", RENAMED))
        assert [each and each.name for each in live.history] == [None, "Ada Lovelace", "Ada King"]


def test_what_comes_late_does_not_undo_what_is_newer(backend: Backend, deliver: Callable[..., int]) -> None:
    deliver(events.user_saved("user.updated", RENAMED))
    assert deliver(events.user_saved("user.created", ADA)) == 200
    user = user_of(backend, ADA)
    assert user is not None
    assert user.name == "Ada King"


def test_a_deleted_user_does_not_come_back(backend: Backend, deliver: Callable[..., int]) -> None:
    deliver(events.user_saved("user.created", ADA))
    deliver(events.user_deleted(ADA))
    assert user_of(backend, ADA) is None
    assert deliver(events.user_saved("user.updated", RENAMED)) == 200
    assert deliver(events.user_deleted(ADA)) == 200
    assert user_of(backend, ADA) is None


def test_a_user_who_is_deleted_before_being_known_is_never_made(
    backend: Backend, deliver: Callable[..., int]
) -> None:
    deliver(events.user_deleted(ADA))
    deliver(events.user_saved("user.created", ADA))
    assert user_of(backend, ADA) is None


@pytest.mark.parametrize(
    ("changes", "name", "email"),
    [
        ({"last_name": None}, "Ada", "ada@example.com"),
        ({"first_name": None, "last_name": None, "username": "ada"}, "ada", "ada@example.com"),
        ({"first_name": None, "last_name": None}, "ada@example.com", "ada@example.com"),
        ({"first_name": "", "last_name": "", "email_addresses": []}, "Nameless", None),
        ({"primary_email_address_id": None}, "Ada Lovelace", None),
    ],
)
def test_a_user_without_a_name_or_an_address(
    backend: Backend, deliver: Callable[..., int], changes: dict[str, object], name: str, email: str | None
) -> None:
    event = events.user_saved("user.created", ADA)
    assert deliver(event | {"data": event["data"] | changes}) == 200
    user = user_of(backend, ADA)
    assert user is not None
    assert (user.name, user.email) == (name, email)


def test_strangers_are_refused(backend: Backend, deliver: Callable[..., int]) -> None:
    deliver(events.user_saved("user.created", ADA))
    page = PaginationOptions(num_items=5, cursor=None)
    # Nobody, somebody whose webhook has not come, and somebody of another issuer with the same words in mind.
    for stranger in (backend.as_anonymous(), backend.as_user("user_unknown"), backend.as_user(name=ADA.name)):
        assert stranger.query(users.current) is None
        for call in (
            lambda who=stranger: who.query(payments.mine, pagination_opts=page),
            lambda who=stranger: who.query(payments.summary),
        ):
            with pytest.raises(ApplicationError) as refused:
                call()
            assert refused.value.data["code"] == "no_user"

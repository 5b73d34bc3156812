"""As whom the client speaks: fixed and fetched credentials, refreshes, refusals."""

from __future__ import annotations

import base64
import json

import pytest

from rewake.client.authentication import (
    FRESH_TOKENS_MAX,
    REFRESH_AGAIN_SECONDS,
    REFRESH_SECONDS_MAX,
    AdminKey,
    Authentication,
    UserToken,
    token_expiry,
)
from rewake.client.incoming import AuthError
from rewake.client.instructions import Disconnect, FetchToken, Instruction, RefreshLater, Send


class Stage:
    """An authentication and what it emitted."""

    def __init__(self) -> None:
        self.emitted: list[Instruction] = []
        self.it = Authentication(self.emitted.append)

    def sent(self) -> list[dict[str, object]]:
        return [json.loads(each.text) for each in self.emitted if isinstance(each, Send)]

    def asked(self) -> list[FetchToken]:
        return [each for each in self.emitted if isinstance(each, FetchToken)]

    def answer(self, token: str | None) -> None:
        """The fetcher answers its newest question."""
        self.it.token_fetched(self.asked()[-1].number, token)

    def confirm(self, *, server_seconds: float = 0.0) -> None:
        """A Transition shows the newest identity."""
        self.it.transition(self.it.version - 1, self.it.version, server_seconds=server_seconds)

    def refuse(self, *, attempted: bool = True, base: int | None = None) -> None:
        """The server refuses, closes, and a new socket is opened if that is of use."""
        version = self.it.version - 1 if base is None else base
        self.it.auth_error(AuthError(error="no", base_version=version, auth_update_attempted=attempted))
        if Disconnect(None) in self.emitted:
            self.it.close()

    def timers(self) -> list[float | None]:
        return [each.seconds for each in self.emitted if isinstance(each, RefreshLater)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def token(expiry: object = None, **claims: object) -> str:
    payload = json.dumps(claims | ({} if expiry is None else {"exp": expiry})).encode()
    return f"h.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.s"


def test_a_fixed_token_goes_with_every_socket(stage: Stage) -> None:
    stage.it.set_fixed(UserToken("t"))
    for _ in range(2):
        stage.it.open()
        stage.it.close()
    message = {"type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": "t"}
    assert stage.sent() == [message, message]


def test_an_admin_key_may_play_the_part_of_a_user(stage: Stage) -> None:
    stage.it.open()
    stage.it.set_fixed(AdminKey("k", {"issuer": "i", "subject": "s"}))
    stage.it.set_fixed(AdminKey("k"))
    assert [(each["baseVersion"], each.get("impersonating")) for each in stage.sent()] == [
        (0, {"issuer": "i", "subject": "s"}),
        (1, None),
    ]


def test_logging_out_says_so_on_an_open_socket(stage: Stage) -> None:
    stage.it.set_fixed(UserToken("t"))
    stage.it.open()
    stage.it.set_fixed(None)
    assert stage.sent()[-1] == {"type": "Authenticate", "baseVersion": 1, "tokenType": "None"}


def test_calls_wait_for_the_first_token(stage: Stage) -> None:
    stage.it.set_fetched()
    assert stage.it.is_held
    assert [each.is_forced for each in stage.asked()] == [False]
    stage.answer("t")
    assert not stage.it.is_held
    stage.it.open()
    assert stage.sent()[0]["value"] == "t"
    assert not stage.it.is_settled
    stage.confirm()
    assert stage.it.is_settled


def test_without_a_kept_token_a_fresh_one_is_asked_for_and_then_it_is_nobody(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer(None)
    assert stage.it.is_held
    assert [each.is_forced for each in stage.asked()] == [False, True]
    stage.answer(None)
    assert not stage.it.is_held
    stage.it.open()
    assert stage.sent() == []


def test_a_fetcher_that_knows_nobody_ends_the_identity_of_an_open_socket(stage: Stage) -> None:
    stage.it.set_fixed(UserToken("t"))
    stage.it.open()
    stage.it.set_fetched()
    stage.answer(None)
    stage.answer(None)
    assert stage.sent()[-1]["tokenType"] == "None"


def test_an_answer_to_an_older_question_is_ignored(stage: Stage) -> None:
    stage.it.set_fetched()
    old = stage.asked()[-1]
    stage.it.set_fixed(UserToken("mine"))
    stage.it.token_fetched(old.number, "late")
    stage.it.token_failed(old.number, "late")
    stage.it.open()
    assert stage.sent()[0]["value"] == "mine"


def test_a_token_is_refreshed_by_the_servers_clock_before_it_ends(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer(token(1100))
    stage.it.open()
    stage.confirm(server_seconds=1000)
    assert stage.timers()[-1] == 90
    stage.it.refresh_due()
    assert not stage.it.is_held, "calls go on meanwhile"
    stage.answer(token(1200))
    assert [each["baseVersion"] for each in stage.sent()] == [0, 1]
    stage.confirm(server_seconds=1095)
    assert stage.timers()[-1] == 95


@pytest.mark.parametrize(
    ("kept", "fresh", "seconds"),
    [
        (token(1001), None, 0.5),  # A kept token that is nearly over.
        (token(1012), None, 6.0),
        (token(900), None, 0.0),
        (token(10**9), None, REFRESH_SECONDS_MAX),
        (None, token(1001), None),  # A fresh one that lives shorter than it takes.
        ("no token at all", None, None),
        (token(None), None, None),
        (token("soon"), None, None),
    ],
)
def test_when_the_refresh_is_due(
    stage: Stage, kept: str | None, fresh: str | None, seconds: float | None
) -> None:
    stage.it.set_fetched()
    stage.answer(kept)
    if kept is None:
        stage.answer(fresh)
    stage.it.open()
    stage.confirm(server_seconds=1000)
    assert stage.timers()[-1] == seconds


@pytest.mark.parametrize("answer", [None, "same"])
def test_a_refresh_without_a_better_token_changes_nothing(stage: Stage, answer: str | None) -> None:
    kept = token(1100)
    stage.it.set_fetched()
    stage.answer(kept)
    stage.it.open()
    stage.confirm(server_seconds=1000)
    stage.it.refresh_due()
    stage.answer(kept if answer else None)
    assert len(stage.sent()) == 1
    assert stage.it.refused is None


def test_a_refresh_that_fails_is_tried_again(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer(token(1100))
    stage.it.refresh_due()
    stage.it.token_failed(stage.asked()[-1].number, "no network")
    assert stage.timers()[-1] == REFRESH_AGAIN_SECONDS
    assert stage.it.refused is None


def test_a_refused_token_is_replaced_on_a_new_socket(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer("old")
    stage.it.open()
    stage.refuse()
    assert stage.it.is_held
    assert stage.asked()[-1].is_forced
    stage.answer("new")
    stage.it.open()
    assert stage.sent()[-1]["value"] == "new"
    stage.confirm()
    assert stage.it.is_settled


def test_a_token_that_ends_in_use_is_replaced(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer("old")
    stage.it.open()
    stage.confirm()
    stage.refuse(attempted=False, base=1)
    assert stage.asked()[-1].is_forced


@pytest.mark.parametrize("answer", ["old", None])
def test_the_same_token_again_is_a_refusal(stage: Stage, answer: str | None) -> None:
    stage.it.set_fetched()
    stage.answer("old")
    stage.it.open()
    stage.refuse()
    stage.answer(answer)
    assert str(stage.it.refused) == "Failed to authenticate: no"


def test_fresh_tokens_are_tried_a_few_times(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer("0")
    for number in range(FRESH_TOKENS_MAX):
        stage.it.open()
        stage.refuse()
        stage.answer(str(number + 1))
    assert stage.it.refused is None
    stage.it.open()
    stage.refuse()
    assert stage.it.refused is not None
    assert len(stage.sent()) == FRESH_TOKENS_MAX + 1


def test_a_confirmation_starts_the_count_again(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.answer("0")
    for number in range(5 * FRESH_TOKENS_MAX):
        stage.it.open()
        stage.refuse()
        stage.answer(str(number + 1))
        stage.it.open()
        stage.confirm()
    assert stage.it.refused is None


@pytest.mark.parametrize("credential", [UserToken("t"), AdminKey("k")])
def test_fixed_credentials_have_no_second_try(stage: Stage, credential: UserToken | AdminKey) -> None:
    stage.it.set_fixed(credential)
    stage.it.open()
    stage.refuse()
    assert stage.it.refused is not None
    stage.it.set_fixed(None)
    assert stage.it.refused is None


def test_a_fetcher_that_fails_is_a_refusal_with_its_reason(stage: Stage) -> None:
    stage.it.set_fetched()
    stage.it.token_failed(stage.asked()[-1].number, "KeyError: 'x'")
    assert "the token fetcher failed: KeyError: 'x'" in str(stage.it.refused)


def test_an_end_of_the_old_identity_is_ignored_while_the_new_one_is_under_way(stage: Stage) -> None:
    stage.it.set_fixed(UserToken("old"))
    stage.it.open()
    stage.confirm()
    stage.it.set_fixed(UserToken("new"))
    stage.refuse(attempted=False, base=1)
    assert stage.it.refused is None


def test_a_refusal_of_an_identity_that_was_replaced_is_ignored(stage: Stage) -> None:
    stage.it.open()
    for name in ("a", "b", "c"):
        stage.it.set_fixed(UserToken(name))
    stage.refuse(base=0)
    assert stage.it.refused is None


def test_only_the_newest_identity_is_a_confirmation(stage: Stage) -> None:
    stage.it.open()
    stage.it.set_fixed(UserToken("a"))
    stage.it.set_fixed(UserToken("b"))
    stage.it.transition(0, 1, server_seconds=0)
    assert not stage.it.is_settled
    stage.it.transition(1, 2, server_seconds=0)
    assert stage.it.is_settled


@pytest.mark.parametrize(
    ("text", "expiry"),
    [
        (token(12.5), 12.5),
        (token(10**30), None),
        ("a.b", None),
        ("", None),
        ("a." + "[" * 100_000, None),
        ("a.W10.c", None),
        ("a.é.c", None),
    ],
)
def test_the_expiry_of_a_token(text: str, expiry: float | None) -> None:
    assert token_expiry(text) == expiry

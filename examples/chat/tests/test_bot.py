"""The bot: by itself, and with a service that answers for it; here an HTTP server of `conftest.py`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from backend import bot, bot_commands, bot_service, channels, messages
from backend.schema import Message

from rewake import ApplicationError, MutationCtx
from rewake.testing import Backend

if TYPE_CHECKING:
    from .conftest import Service

KEY = "sk-never-to-be-seen"
PROJECT = Path(__file__).parents[1]


@pytest.fixture
def channel(rewake_backend: Backend) -> str:
    return rewake_backend.mutation(channels.open, name="general")


def completion(text: str | None) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def say(backend: Backend, channel: str, body: str, author: str = "Ann") -> str:
    return backend.mutation(messages.send, channel=channel, author=author, body=body)


def bodies(backend: Backend, channel: str) -> list[tuple[str, str]]:
    return [(each.author, each.body) for each in backend.query(messages.list_recent, channel=channel)]


def job_states(backend: Backend) -> dict[str, str]:
    jobs = backend.query(lambda ctx: ctx.db.system.query("_scheduled_functions").collect())
    return {job["name"].partition(":")[2]: job["state"]["kind"] for job in jobs}


# Asking.


@pytest.mark.parametrize("body", ["@bot help", "@bot", "@BOT, help", "@bot:\nhelp"])
def test_a_message_to_the_bot_is_answered(rewake_backend: Backend, channel: str, body: str) -> None:
    with rewake_backend.watch(bot.is_typing, channel=channel) as typing:
        say(rewake_backend, channel, body)
        assert typing.value is True
        rewake_backend.run_scheduled()
        assert typing.history == [False, True, False]
    assert bodies(rewake_backend, channel)[1] == ("bot", bot_commands.HELP)
    assert job_states(rewake_backend) == {"answer": "success", "give_up": "canceled"}


@pytest.mark.parametrize("body", ["bot help", "I asked @bot", "@bottle", "@robot help"])
def test_other_messages_are_not(rewake_backend: Backend, channel: str, body: str) -> None:
    say(rewake_backend, channel, body)
    assert rewake_backend.scheduled() == []
    assert rewake_backend.query(bot.is_typing, channel=channel) is False


@pytest.mark.parametrize("name", ["bot", " Bot "])
def test_nobody_plays_the_bot(rewake_backend: Backend, channel: str, name: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        say(rewake_backend, channel, "I am the bot", author=name)
    assert refused.value.data["code"] == "name_taken"


def test_typing_is_told_in_the_channel_of_the_question_until_the_last_answer(
    rewake_backend: Backend, channel: str
) -> None:
    elsewhere = rewake_backend.mutation(channels.open, name="elsewhere")
    first = say(rewake_backend, channel, "@bot time")
    second = say(rewake_backend, channel, "@bot time")
    assert rewake_backend.query(bot.is_typing, channel=elsewhere) is False
    rewake_backend.mutation(bot.reply, question=first, text="one")
    assert rewake_backend.query(bot.is_typing, channel=channel) is True
    rewake_backend.mutation(bot.reply, question=second, text="two")
    assert rewake_backend.query(bot.is_typing, channel=channel) is False


# What ends the typing when the action does not.


def test_an_action_that_fails_is_cleaned_up_after(
    rewake_backend: Backend, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(bot_commands, "answer", fail)
    say(rewake_backend, channel, "@bot help")
    rewake_backend.run_scheduled()
    assert rewake_backend.query(bot.is_typing, channel=channel) is True
    rewake_backend.finish_scheduled()
    assert rewake_backend.query(bot.is_typing, channel=channel) is False
    assert bodies(rewake_backend, channel)[1:] == [("bot", bot.GAVE_UP)]
    assert job_states(rewake_backend) == {"answer": "failed", "give_up": "success"}


def test_a_restart_in_the_middle_of_an_answer_is_cleaned_up_after(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite"
    with Backend.from_project(PROJECT, data=data) as before:
        channel = before.mutation(channels.open, name="general")
        say(before, channel, "@bot help")
        # The action begins; nothing after that reaches the disk, as if the machine had stopped there.
        before.faults.arm("group.before_commit", after=1, times=1000)
        before.run_scheduled()
        before.faults.disarm()
        assert before.query(bot.is_typing, channel=channel) is True
    with Backend.from_project(PROJECT, data=data, seed=1) as after:
        assert job_states(after)["answer"] == "failed"
        after.finish_scheduled()
        assert after.query(bot.is_typing, channel=channel) is False
        assert bodies(after, channel)[1:] == [("bot", bot.GAVE_UP)]


def test_an_answer_that_comes_after_giving_up_is_dropped(rewake_backend: Backend, channel: str) -> None:
    question = say(rewake_backend, channel, "@bot help")
    rewake_backend.mutation(bot.give_up, question=question)
    rewake_backend.mutation(bot.reply, question=question, text="at last")
    assert bodies(rewake_backend, channel)[1:] == [("bot", bot.GAVE_UP)]


def test_a_question_that_is_taken_back_gets_no_answer(
    rewake_backend: Backend, channel: str, service: Service
) -> None:
    question = say(rewake_backend, channel, "@bot help")
    rewake_backend.mutation(messages.remove, message=question, author="Ann")
    assert rewake_backend.query(bot.is_typing, channel=channel) is False
    rewake_backend.finish_scheduled()
    assert bodies(rewake_backend, channel) == []
    assert service.asked == []
    assert job_states(rewake_backend) == {"answer": "success", "give_up": "canceled"}


def test_a_question_that_was_deleted_past_us_leaves_no_failing_job(
    rewake_backend: Backend, channel: str
) -> None:
    question = say(rewake_backend, channel, "@bot help")

    def delete_by_hand(ctx: MutationCtx) -> None:
        ctx.db.delete(question)

    rewake_backend.run(delete_by_hand)
    rewake_backend.finish_scheduled()
    assert rewake_backend.query(bot.is_typing, channel=channel) is False
    assert job_states(rewake_backend) == {"answer": "success", "give_up": "success"}


# A service.


def test_a_service_is_asked_with_what_was_said_before(
    rewake_backend: Backend, channel: str, service: Service
) -> None:
    rewake_backend.env["BOT_KEY"] = KEY
    rewake_backend.env["BOT_MODEL"] = "small"
    say(rewake_backend, channel, "The roses are red.")
    rewake_backend.mutation(
        messages.send, channel=channel, author="Ann", body="A secret.", disappear_after=60
    )
    say(rewake_backend, channel, "@bot What is the answer?", author="Bob")
    rewake_backend.run_scheduled()
    say(rewake_backend, channel, "@bot Really?")
    say(rewake_backend, channel, "This came after the question.")
    rewake_backend.run_scheduled()
    assert bodies(rewake_backend, channel)[3] == ("bot", "Forty-two.")
    assert service.keys == [f"Bearer {KEY}"] * 2
    assert service.asked[1]["model"] == "small"
    task, *said = service.asked[1]["messages"]
    assert task["role"] == "system"
    assert said == [
        {"role": "user", "content": "Ann: The roses are red."},
        {"role": "user", "content": "Bob: @bot What is the answer?"},
        {"role": "assistant", "content": "Forty-two."},
        {"role": "user", "content": "Ann: @bot Really?"},
    ]


def test_neither_address_nor_key_is_logged(
    rewake_backend: Backend, channel: str, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    rewake_backend.env["BOT_URL"] = service.url.replace("127.0.0.1", "me:password@127.0.0.1")
    rewake_backend.env["BOT_KEY"] = KEY
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    assert bodies(rewake_backend, channel)[1] == ("bot", "Forty-two.")
    for record in rewake_backend.deployment.call_log.records:
        assert not any("password" in line.text or KEY in line.text for line in record.log_lines)
    assert "password" not in caplog.text
    assert KEY not in caplog.text


def test_without_a_key_none_is_sent(rewake_backend: Backend, channel: str, service: Service) -> None:
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    assert service.keys == [None]
    assert service.asked[0]["model"] == bot_service.MODEL_USUAL


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, b"bad key " + KEY.encode()), "does not accept my key (401)"),
        ((429, b""), "is busy"),
        ((500, b"Traceback: " + KEY.encode()), "answered with status 500"),
        ((302, b""), "answered with status 302"),
        ((200, b"<html>"), "nothing that I understand"),
        ((200, b"\xff"), "nothing that I understand"),
        ((200, b"[]"), "nothing that I understand"),
        ((200, b'{"choices": []}'), "nothing that I understand"),
        ((200, completion(None)), "nothing that I understand"),
        ((200, completion("  ")), "nothing that I understand"),
        ((200, b" " * (bot_service.ANSWER_BYTES_MAX + 1)), "says far too much"),
    ],
)
def test_what_goes_wrong_is_told_in_the_channel(
    rewake_backend: Backend, channel: str, service: Service, answer: tuple[int, bytes], told: str
) -> None:
    rewake_backend.env["BOT_KEY"] = KEY
    service.status, service.body = answer
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    [(author, text)] = bodies(rewake_backend, channel)[1:]
    assert author == "bot"
    assert told in text
    assert KEY not in text
    assert rewake_backend.query(bot.is_typing, channel=channel) is False


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "dot\x00"])
def test_a_key_that_cannot_be_sent_is_not_told(
    rewake_backend: Backend, channel: str, service: Service, key: str
) -> None:
    rewake_backend.env["BOT_KEY"] = key
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    [(_, text)] = bodies(rewake_backend, channel)[1:]
    assert "my service cannot be reached" in text
    assert key not in text
    assert service.asked == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "ftp://secret@example.com", "http://[", "nonsense", "http://a:b:c"]
)
def test_an_address_where_nobody_answers_is_not_told(rewake_backend: Backend, channel: str, url: str) -> None:
    rewake_backend.env["BOT_URL"] = url
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    [(_, text)] = bodies(rewake_backend, channel)[1:]
    assert text.startswith("Sorry, I have no answer: my service cannot be reached")
    assert url not in text
    assert "secret" not in text


def test_a_service_that_does_not_answer_is_not_waited_for(
    rewake_backend: Backend, channel: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_service, "SECONDS_MAX", 0.2)
    service.may_answer.clear()
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    [(_, text)] = bodies(rewake_backend, channel)[1:]
    assert "did not answer within 0.2 seconds" in text


def test_an_endless_answer_is_cut(rewake_backend: Backend, channel: str, service: Service) -> None:
    service.body = completion("word " * 10_000)
    say(rewake_backend, channel, "@bot hello")
    rewake_backend.run_scheduled()
    [(_, text)] = bodies(rewake_backend, channel)[1:]
    assert len(text) == bot.REPLY_LENGTH_MAX
    assert text.endswith("…")


# What it can do by itself.


def spoken(*lines: tuple[str, str]) -> list[Message]:
    return [Message(channel="c", author=author, body=body) for author, body in lines]  # type: ignore[arg-type]


def local_answer(question: str, *before: tuple[str, str]) -> str:
    lines = spoken(*before, ("Ann", question))
    noon = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    return bot_commands.answer(lines, bot="bot", now=noon, chance=Random(7))


TALK = [
    ("Ann", "The garden needs water."),
    ("bot", "Noted."),
    ("Bob", "Roses in the garden need water most."),
    ("Ann", "@bot count"),
    ("Ann", "ok"),
]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("@bot time", "It is 12:05 UTC on Sunday, 1 March 2026."),
        ("@bot count", "3 messages by Ann (2), Bob (1), with 12 words and 0 pictures."),
        (
            "@bot summary",
            "3 messages by Ann (2), Bob (1), mostly about garden, water. "
            "Ann put it like this: “The garden needs water.”",
        ),
        ("@bot summary 1", "1 message by Ann (1). Ann put it like this: “ok”"),
        ("@bot summary 0", "There is nothing to sum up yet."),
        ("@bot hello!", bot_commands.HELP),
        ("@bot sing", f"I do not know how to sing. {bot_commands.HELP}"),
    ],
)
def test_the_bot_answers_by_itself(question: str, answer: str) -> None:
    assert local_answer(question, *TALK) == answer


def test_it_has_little_to_say_of_silence() -> None:
    assert local_answer("@bot count") == "Nobody has written anything yet."
    assert local_answer("@bot summary") == "There is nothing to sum up yet."


@pytest.mark.parametrize(
    ("wanted", "dice", "sides"), [("", 1, 6), ("d20", 1, 20), ("3d4", 3, 4), ("20d1000", 20, 1000)]
)
def test_dice_are_rolled(wanted: str, dice: int, sides: int) -> None:
    rolled, _, total = local_answer(f"@bot roll {wanted}").partition(" = ")
    numbers = [int(each) for each in rolled.split(" + ")]
    assert len(numbers) == dice
    assert all(1 <= each <= sides for each in numbers)
    assert int(total or rolled) == sum(numbers)


@pytest.mark.parametrize("wanted", ["0d6", "21d6", "1d1", "1d1001", "999d99999", "-1d6", "٣d6", "2x6", "d"])
def test_dice_that_do_not_exist_are_not(wanted: str) -> None:
    assert local_answer(f"@bot roll {wanted}").startswith("I roll 1 to 20 dice")

"""The chat, tested with the backend that `rewake_backend` gives: `pytest` in this folder."""

import math

import pytest
from backend import channels, images, messages, presence

from rewake import ApplicationError, MutationCtx
from rewake.testing import Backend


def test_a_message_appears_for_everyone_in_the_channel(rewake_backend: Backend) -> None:
    here = rewake_backend.mutation(channels.open, name="General")
    there = rewake_backend.mutation(channels.open, name="elsewhere")
    with rewake_backend.watch(messages.list_recent, channel=here) as live:
        rewake_backend.mutation(messages.send, channel=here, author="Ann", body=" hello ")
        rewake_backend.mutation(messages.send, channel=there, author="Bob", body="not here")
        assert [(message.author, message.body) for message in live.value] == [("Ann", "hello")]
        assert live.wakes == 1


def test_an_empty_message_is_refused(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    with pytest.raises(ApplicationError) as refused:
        rewake_backend.mutation(messages.send, channel=channel, author="Ann", body="  ")
    assert refused.value.data["code"] == "empty_message"


def test_a_quiet_window_is_cleared_away_by_the_next_heartbeat(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    rewake_backend.mutation(presence.heartbeat, channel=channel, client="a", name="Ann")
    rewake_backend.clock.advance(minutes=2)
    rewake_backend.mutation(presence.heartbeat, channel=channel, client="b", name="Bob")
    assert [each.name for each in rewake_backend.query(presence.who_is_here, channel=channel)] == ["Bob"]


def test_a_picture_is_sent_and_anything_else_is_refused(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    picture = rewake_backend.store(b"not really", content_type="image/png")
    rewake_backend.mutation(images.send, channel=channel, author="Ann", image=picture)
    (message,) = rewake_backend.query(messages.list_recent, channel=channel)
    assert message.image == picture
    assert rewake_backend.query(images.url, image=picture) is not None
    page = rewake_backend.store(b"<script>", content_type="text/html")
    with pytest.raises(ApplicationError) as refused:
        rewake_backend.mutation(images.send, channel=channel, author="Ann", image=page)
    assert refused.value.data["code"] == "no_image"


def test_nobody_sends_a_picture_that_another_message_shows(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    picture = rewake_backend.store(b"roses", content_type="image/png")
    rewake_backend.mutation(images.send, channel=channel, author="Ann", image=picture)
    with pytest.raises(ApplicationError) as refused:
        rewake_backend.mutation(images.send, channel=channel, author="Eve", image=picture, disappear_after=1)
    assert refused.value.data["code"] == "image_taken"


def test_a_message_disappears_for_everyone_when_its_time_is_over(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    rewake_backend.mutation(messages.send, channel=channel, author="Ann", body="stays")
    rewake_backend.mutation(messages.send, channel=channel, author="Ann", body="psst", disappear_after=30)
    with rewake_backend.watch(messages.list_recent, channel=channel) as live:
        assert live.value[-1].disappears_at == rewake_backend.clock.now_ms + 30_000
        [planned] = rewake_backend.scheduled()
        assert planned.path == "messages:disappear"
        rewake_backend.clock.advance(seconds=29)
        assert rewake_backend.run_scheduled() == 0
        rewake_backend.clock.advance(seconds=1.1)
        assert rewake_backend.run_scheduled() == 1
        assert [message.body for message in live.value] == ["stays"]
        assert live.wakes == 1


def test_the_file_of_a_picture_disappears_with_it(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    picture = rewake_backend.store(b"roses", content_type="image/png")
    rewake_backend.mutation(images.send, channel=channel, author="Ann", image=picture, disappear_after=5)
    assert rewake_backend.read_file(picture) == b"roses"
    rewake_backend.finish_scheduled()
    assert rewake_backend.query(messages.list_recent, channel=channel) == []
    assert rewake_backend.query(images.url, image=picture) is None
    assert rewake_backend.read_file(picture) is None


@pytest.mark.parametrize("seconds", [0, 0.5, -1, 86_401, math.inf, -math.inf, math.nan])
def test_a_lifetime_that_makes_no_sense_is_refused(rewake_backend: Backend, seconds: float) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    picture = rewake_backend.store(b"roses", content_type="image/png")
    for function, content in ((messages.send, {"body": "psst"}), (images.send, {"image": picture})):
        with pytest.raises(ApplicationError) as refused:
            rewake_backend.mutation(
                function, channel=channel, author="Ann", disappear_after=seconds, **content
            )
        assert refused.value.data["code"] == "bad_disappear_after"
        assert "1 to 86400 seconds" in refused.value.data["message"]
    assert rewake_backend.query(messages.list_recent, channel=channel) == []
    assert rewake_backend.scheduled() == []


def test_taking_a_message_back_takes_its_job_and_its_file_along(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    picture = rewake_backend.store(b"roses", content_type="image/png")
    message = rewake_backend.mutation(
        images.send, channel=channel, author="Ann", image=picture, disappear_after=60
    )
    with pytest.raises(ApplicationError) as refused:
        rewake_backend.mutation(messages.remove, message=message, author="Eve")
    assert refused.value.data["code"] == "not_yours"
    rewake_backend.mutation(messages.remove, message=message, author="Ann")
    rewake_backend.mutation(messages.remove, message=message, author="Ann")
    assert rewake_backend.query(messages.list_recent, channel=channel) == []
    assert rewake_backend.read_file(picture) is None
    assert job_states(rewake_backend) == ["canceled"]


def test_a_message_that_was_deleted_past_us_leaves_no_failing_job(rewake_backend: Backend) -> None:
    channel = rewake_backend.mutation(channels.open, name="general")
    first, second = (rewake_backend.store(each, content_type="image/png") for each in (b"1", b"2"))
    message = rewake_backend.mutation(
        images.send, channel=channel, author="Ann", image=first, disappear_after=5
    )
    rewake_backend.mutation(images.send, channel=channel, author="Ann", image=second, disappear_after=5)

    def delete_by_hand(ctx: MutationCtx) -> None:
        ctx.db.delete(message)
        ctx.storage.delete(second)

    rewake_backend.run(delete_by_hand)
    rewake_backend.finish_scheduled()
    assert rewake_backend.query(messages.list_recent, channel=channel) == []
    assert job_states(rewake_backend) == ["success", "success"]


def job_states(backend: Backend) -> list[str]:
    """What became of every job."""
    jobs = backend.query(lambda ctx: ctx.db.system.query("_scheduled_functions").collect())
    return [job["state"]["kind"] for job in jobs]

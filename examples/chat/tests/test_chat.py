"""The chat, tested with the backend that `rewake_backend` gives: `pytest` in this folder."""

import pytest
from backend import channels, images, messages, presence

from rewake import ApplicationError
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

"""A wave in one step: what it says is, byte for byte, what a wave in two steps would say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.environment import seeded_environment
from rewake.execution import Success
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import StateVersion
from rewake.reactivity import LiveSession, Showing
from rewake.sync import voice
from rewake.sync.broadcast import Aside, Broadcast
from rewake.sync.deflation import WINDOW_BITS_MAX, Deflater
from rewake.sync.frames import text_frames
from rewake.sync.ports import LiveResult
from rewake.sync.voice import Voice
from rewake.tallies import Tallies
from tests.reactivity.simulated_runner import PATHS
from tests.sync.crowd import CLIENTS, Crowd, in_two_steps
from tests.sync.fake_backend import FakeBackend, FakeLiveResult

# One broadcast.


def tail(live: LiveResult) -> bytes:
    assert isinstance(live.result, Success)
    return b',"type":"QueryUpdated","value":%b}' % live.result.value.encode()


def broadcast(**limits: int) -> Broadcast:
    return Broadcast(
        70,
        FakeBackend(seeded_environment(1)),
        limits=replace(DEFAULT_LIMITS, **limits),  # type: ignore[arg-type]
        render=tail,
        tallies=Tallies(),
    )


def aside(skew: bytes, **limits: int) -> Aside:
    return Aside(
        70,
        FakeBackend(seeded_environment(1)),
        limits=replace(DEFAULT_LIMITS, **limits),  # type: ignore[arg-type]
        render=tail,
        skew=skew,
    )


def test_texts_of_one_place_and_length_are_made_once() -> None:
    wave, live = broadcast(), FakeLiveResult(Success("[1.0]"))
    start = StateVersion(1, 0, 30)
    text = wave.text(start, [(5, live)], 3)
    assert text is not None
    assert wave.text(StateVersion(1, 0, 30), ((5, live),), 3) is text
    others = [
        wave.text(StateVersion(2, 0, 30), [(5, live)], 3),
        wave.text(start, [(6, live)], 3),
        wave.text(start, [(5, live)], 4),
        wave.text(start, [(5, FakeLiveResult(Success("[1.0]")))], 3),
        wave.text(start, [], 3),
    ]
    assert all(other is not None and other is not text for other in others)
    assert text.end == StateVersion(1, 0, 70)


@pytest.mark.parametrize("skew", [b"null", b"-12", b"0"])
def test_a_text_says_how_far_off_the_clock_of_its_client_is(skew: bytes) -> None:
    updates = [(5, FakeLiveResult(Success("[1.0]"))), (6, FakeLiveResult(Success('"é"')))]
    text = broadcast().text(StateVersion(1, 0, 30), updates, len(skew))
    assert text is not None
    parts = text.parts(skew)
    message = json.loads(b"".join(parts))
    assert message["clientClockSkew"] == json.loads(skew)
    assert [(each["queryId"], each["value"]) for each in message["modifications"]] == [(5, [1.0]), (6, "é")]
    assert message["endVersion"]["querySet"] == 1
    frame = b"".join(text_frames(parts, text.size, frame_bytes_max=2**20))
    assert text.framed + skew + text.rest == frame


def test_a_text_that_some_clients_take_in_chunks_only_is_not_for_all() -> None:
    updates = [(5, FakeLiveResult(Success(json.dumps("x" * 5000))))]
    assert broadcast(chunk_bytes=4096).text(StateVersion(1, 0, 30), updates, 3) is None
    assert broadcast(frame_bytes_max=4096).text(StateVersion(1, 0, 30), updates, 3) is None
    large = broadcast().text(
        StateVersion(1, 0, 30), [(5, FakeLiveResult(Success('"' + "x" * 40_000 + '"')))], 3
    )
    assert large is not None
    assert not large.is_small


@pytest.mark.parametrize("count", [0, 1, 3])
def test_who_is_alone_is_told_what_all_would_be(count: int) -> None:
    updates = [(number, FakeLiveResult(Success(f'"é{number}"'))) for number in range(count)]
    start, skew = StateVersion(1, 0, 30), b"-12"
    shared = broadcast().text(start, updates, len(skew))
    alone = aside(skew).text(start, updates, len(skew))
    assert shared is not None
    assert alone is not None
    assert b"".join(alone.parts) == b"".join(shared.parts(skew))
    assert (alone.size, alone.end) == (shared.size, shared.end)


@pytest.mark.parametrize("limit", ["chunk_bytes", "frame_bytes_max"])
def test_what_is_not_for_all_is_not_told_aside(limit: str) -> None:
    updates = [(5, FakeLiveResult(Success(json.dumps("x" * 5000))))]
    assert aside(b"-12", **{limit: 4096}).text(StateVersion(1, 0, 30), updates, 3) is None


def test_a_compressed_text_is_that_of_the_deflater() -> None:
    deflater = Deflater(message_bytes_min=100)
    live = FakeLiveResult(Success(json.dumps("all the same " * 100)))
    text = broadcast().text(StateVersion(1, 0, 30), [(5, live)], 3)
    assert text is not None
    for skew in (b"-12", b"345"):
        pieces = deflater.message(text.parts(skew), text.size, WINDOW_BITS_MAX)
        assert pieces is not None
        size = sum(map(len, pieces))
        frame = b"".join(text_frames(pieces, size, frame_bytes_max=2**20, is_deflated=True))
        around = text.deflated(deflater, skew)
        assert around is not None
        assert around[0] + skew + around[1] == frame


def test_a_text_whose_skew_would_be_compressed_has_no_compressed_form_for_all() -> None:
    small = broadcast().text(StateVersion(1, 0, 30), [(5, FakeLiveResult(Success("1.0")))], 3)
    many = broadcast().text(
        StateVersion(1, 0, 30), [(number, FakeLiveResult(Success("1.0"))) for number in range(20)], 3
    )
    assert small is not None
    assert many is not None
    assert small.deflated(Deflater(message_bytes_min=1000), b"-12") is None
    assert many.deflated(Deflater(message_bytes_min=100), b"-12") is None


# One step beside two.

WHO = st.integers(0, 5)
KEYS = st.sampled_from(["a", "b"])
QUESTIONS = st.tuples(st.sampled_from([path for path in PATHS if path != "m:having"]), KEYS)
NAMES = st.sampled_from(["anna", "bert", None])


@dataclass
class Step:
    """One thing that happens; `do` has it happen."""

    name: str
    details: Sequence[Any]

    def do(self, crowd: Crowd) -> None:
        getattr(self, self.name)(crowd, *self.details)

    def commit(self, crowd: Crowd, key: str, value: int) -> None:
        crowd.house.runner.commit_and_deliver((key, value))

    def deploy(self, crowd: Crowd) -> None:
        crowd.house.runner.deploy()
        crowd.house.runner.deliver()

    def add(self, crowd: Crowd, who: int, adds: list[tuple[str, str]]) -> None:
        crowd.members[who].modify(adds=adds)

    def remove(self, crowd: Crowd, who: int, count: int) -> None:
        crowd.members[who].modify(removes=count)

    def authenticate(self, crowd: Crowd, who: int, name: str | None, seconds: int) -> None:
        crowd.members[who].authenticate(name, seconds=seconds)

    def mutate(self, crowd: Crowd, who: int, key: str, value: int) -> None:
        crowd.members[who].mutate(key, value)

    def slow(self, crowd: Crowd, who: int, room: int) -> None:
        crowd.members[who].transport.room = room

    def drain(self, crowd: Crowd, who: int) -> None:
        crowd.members[who].transport.drain()

    def tell(self, crowd: Crowd, line: str) -> None:
        crowd.door.tell(line, stands=False)

    def pass_time(self, crowd: Crowd, seconds: float) -> None:
        crowd.clock.advance(seconds)
        crowd.door._tick()

    def leave(self, crowd: Crowd, who: int) -> None:
        if not crowd.members[who].transport.is_cut:
            crowd.members[who].transport.is_cut = True
            crowd.members[who].socket.connection_lost(None)


def steps(name: str, *details: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), st.tuples(*details))


COMMITS = steps("commit", KEYS, st.integers(0, 9))
STEPS = st.one_of(
    COMMITS,
    steps("deploy"),
    steps("add", WHO, st.lists(QUESTIONS, max_size=2)),
    steps("remove", WHO, st.integers(0, 2)),
    steps("authenticate", WHO, NAMES, st.integers(1, 40)),
    steps("mutate", WHO, KEYS, st.integers(0, 3)),
    steps("slow", WHO, st.sampled_from([0, 1, 300])),
    steps("drain", WHO),
    steps("tell", st.sampled_from(["[ERROR] one", "[INFO] two"])),
    steps("pass_time", st.sampled_from([0.5, 6.0, 20.0])),
    steps("leave", WHO),
)
TOGETHER = st.builds(list.__add__, st.lists(STEPS, max_size=2), st.lists(COMMITS, max_size=2))
MEMBERS = st.fixed_dictionaries(
    {
        "client": st.sampled_from(sorted(CLIENTS)),
        "window_bits": st.sampled_from([0, 0, 15, 9]),
        "skew_ms": st.sampled_from([None, 0, 7, -12, 100_000]),
    }
)


@dataclass
class Written:
    """What became of one crowd."""

    bytes_each: list[bytes]
    figures: tuple[int, int, int]
    """Transitions, messages and bytes, as the house counts them."""
    in_one_step: int
    """How many waves sessions were shown in one step, each by itself."""
    in_chorus: int
    """How many they were shown together."""


def live_through(
    members: list[dict[str, Any]],
    history: list[list[Step]],
    *,
    in_one_step: bool,
    adds: Sequence[Sequence[tuple[str, str]]] = (
        (("m:get", "a"), ("m:whoami", "a")),
        (("m:get", "b"), ("m:whoami", "a")),
    ),
    **limits: int,
) -> Written:
    """Have a crowd live through a history. What happens in one list happens before anybody can react. `adds`
    are what its members watch, in turns.
    """
    shown = sung = 0
    show, show_together = LiveSession.show, Voice.show

    def counted(session: LiveSession, wave: Showing) -> bool:
        nonlocal shown
        was_shown = show(session, wave)
        shown += was_shown
        return was_shown

    def counted_together(voice: Voice, wave: Showing, updates: Any) -> bool:
        nonlocal sung
        were_shown = show_together(voice, wave, updates)
        sung += were_shown and sum(map(len, voice._sections.values()))
        return were_shown

    async def run() -> Written:
        crowd = Crowd(replace(DEFAULT_LIMITS, **limits))  # type: ignore[arg-type]
        for number, member in enumerate(members):
            crowd.join(**member).modify(adds=adds[number % len(adds)])
        await crowd.rest()
        for together in history:
            for step in together:
                if step.name == "authenticate":
                    # It takes a while, and would end in the middle of a wave that begins meanwhile.
                    await crowd.rest()
                step.do(crowd)
                if step.name == "authenticate":
                    await crowd.rest()
            await crowd.rest()
        for socket in crowd.members:
            socket.transport.drain()
        await crowd.rest()
        tallies = crowd.door.tallies
        figures = (tallies.transitions, tallies.messages_sent, tallies.bytes_sent)
        await crowd.house.live.close()
        return Written(crowd.written, figures, shown, sung)

    with (
        patch.object(LiveSession, "show", counted),
        patch.object(Voice, "show", counted_together),
        nullcontext() if in_one_step else in_two_steps(),
    ):
        return asyncio.run(run())


@settings(max_examples=150, deadline=None)
@given(
    members=st.lists(MEMBERS, min_size=6, max_size=6),
    history=st.lists(TOGETHER, min_size=4, max_size=15),
    chunk_bytes=st.sampled_from([5_000_000, 5_000_000, 5_000_000, 300]),
)
def test_one_step_says_what_two_would_have_said(
    members: list[dict[str, Any]], history: list[list[Step]], chunk_bytes: int
) -> None:
    limits = {"chunk_bytes": chunk_bytes, "socket_deflate_bytes_min": 200}
    one = live_through(members, history, in_one_step=True, **limits)
    two = live_through(members, history, in_one_step=False, **limits)
    assert two.in_one_step == two.in_chorus == 0
    event(f"in one step: {min(one.in_one_step, 20) // 5 * 5} or more")
    event(f"in a chorus: {min(one.in_chorus, 20) // 5 * 5} or more")
    assert one.bytes_each == two.bytes_each
    assert one.figures == two.figures


SINGERS = st.fixed_dictionaries(
    {
        "client": st.sampled_from(sorted(CLIENTS)),
        "window_bits": st.sampled_from([0, 0, 0, 15, 9]),
        "skew_ms": st.sampled_from([7, 7, 8, -12, None]),
    }
)
BURSTS = st.lists(COMMITS, min_size=1, max_size=3).map(lambda commits: [[each] for each in commits])
STORIES = st.lists(st.builds(list.__add__, BURSTS, st.lists(TOGETHER, max_size=1)), min_size=3, max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    members=st.lists(SINGERS, min_size=6, max_size=6),
    bursts=STORIES,
    chunk_bytes=st.sampled_from([5_000_000, 5_000_000, 5_000_000, 300]),
    sockets_a_turn=st.sampled_from([1, 2, 100]),
)
def test_a_chorus_says_what_each_would_have_said(
    members: list[dict[str, Any]], bursts: list[list[list[Step]]], chunk_bytes: int, sockets_a_turn: int
) -> None:
    history = [[Step("commit", ("b", value))] for value in (8, 9)]
    history += [together for burst in bursts for together in burst]
    limits = {"chunk_bytes": chunk_bytes, "socket_deflate_bytes_min": 200}
    adds = [[("m:get", "b")], [("m:get", "b"), ("m:get", "a")], [("m:get", "b"), ("m:get", "b")]]
    with patch.object(voice, "SOCKETS_A_TURN", sockets_a_turn):
        one = live_through(members, history, in_one_step=True, adds=adds, **limits)
    two = live_through(members, history, in_one_step=False, adds=adds, **limits)
    event(f"in a chorus: {min(one.in_chorus, 20) // 5 * 5} or more")
    assert one.bytes_each == two.bytes_each
    assert one.figures == two.figures


def test_a_quiet_crowd_is_shown_everything_in_one_step() -> None:
    members = [
        {"client": client, "window_bits": bits, "skew_ms": skew}
        for client, bits, skew in [("npm", 0, 5), ("rust", 15, None), ("unknown", 9, -7), ("npm", 0, 5)]
    ]
    history = [[Step("commit", ("a", value))] for value in range(5)]
    written = live_through(members, history, in_one_step=True)
    # Those who watch nothing else of it than who they are were shown the same query twice in a row.
    assert (written.in_one_step, written.in_chorus) == (4 * 5 - 2 * 3, 2 * 3)
    alike = live_through(members, history, in_one_step=True, adds=[[("m:get", "a")]])
    assert (alike.in_one_step, alike.in_chorus) == (4 * 2, 4 * 3)


def test_a_reader_who_stops_reading_is_told_no_more_in_one_step_than_in_two() -> None:
    members = [{"client": "npm", "window_bits": bits, "skew_ms": 5} for bits in (0, 0, 15, 15)]
    stops = [[Step("slow", (who, room))] for who, room in [(0, 0), (1, 300), (2, 0), (3, 300)]]
    commits = [[Step("commit", (key, value))] for value in range(1, 6) for key in "ab"]
    drains = [[Step("drain", (who,))] for who in range(4)]
    history = [*commits[:2], *stops, *commits[2:], *drains, [Step("commit", ("a", 9))]]
    one = live_through(members, history, in_one_step=True, socket_deflate_bytes_min=200)
    two = live_through(members, history, in_one_step=False, socket_deflate_bytes_min=200)
    assert one.in_one_step > 0
    assert one.bytes_each == two.bytes_each
    assert one.figures == two.figures


def test_a_text_for_all_counts_as_heard_by_who_would_be_pinged_for_silence() -> None:
    members = [{"client": "npm", "window_bits": 0, "skew_ms": 5}] * 2
    pause = DEFAULT_LIMITS.socket_silence_seconds * 0.6
    history = [[Step("pass_time", (pause,))], [Step("commit", ("a", 1))], [Step("commit", ("b", 1))]] * 4
    one = live_through(members, history, in_one_step=True)
    assert one.in_one_step > 0
    assert one.bytes_each == live_through(members, history, in_one_step=False).bytes_each
    assert not any(b'"Ping"' in written for written in one.bytes_each)

"""The conversation against a model of the server, in any order and with every kind of loss.

What is checked: a mutation is carried out once and settles once, in order, and not before its write is shown;
all live queries of a client hold at one timestamp, which never goes back, over any number of sockets.
"""

from __future__ import annotations

import json
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rewake.client.authentication import AdminKey, UserToken
from rewake.client.calls import SENT_MAX
from rewake.client.conversation import PROTOCOL_FAILURE, Conversation
from rewake.client.errors import AuthenticationRefused, ClientError, ConnectionLost, ConversationEnded
from rewake.client.instructions import (
    Changed,
    Disconnect,
    FailAll,
    Instruction,
    Logged,
    Outcome,
    Send,
    Settle,
)
from rewake.protocol import FunctionPath, encode_ts
from tests.client.model_server import ModelServer, ModelSocket

SESSION = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"
NAMES = st.sampled_from(["a", "b", "c"])
GET = FunctionPath.parse("counters:get")
ADD = FunctionPath.parse("counters:add")
FAIL = FunctionPath.parse("counters:fail")
NOTE = FunctionPath.parse("acts:note")


class Line:
    """A conversation, a server, and what is on its way between the two."""

    def __init__(self) -> None:
        self.server = ModelServer()
        self.conversation = Conversation(session_id=SESSION)
        self.socket: ModelSocket | None = None
        self.to_client: deque[str] = deque()
        self.instructions: list[Instruction] = []

    def connect(self) -> None:
        """A new socket, if one is wanted and there is none."""
        if self.socket is None and self.conversation.may_connect:
            self.socket = ModelSocket(self.server)
            self.conversation.open(close_reason="cut", now_ms=0)
        self.flush()

    def cut(self) -> None:
        """The socket is gone, with everything on its way in both directions."""
        self.to_client.clear()
        self.socket = None
        self.conversation.close()
        self.flush()

    def serve(self) -> None:
        """The server takes one message."""
        if self.socket is not None:
            self.to_client.extend(self.socket.step())

    def show(self) -> None:
        """The server shows what has changed."""
        if self.socket is not None:
            self.to_client.extend(self.socket.wave())

    def deliver(self) -> None:
        """The client hears one message."""
        if self.to_client:
            self.conversation.hear(self.to_client.popleft(), now_ms=0)
            self.flush()

    def say(self, message: dict[str, object]) -> None:
        """The server says this."""
        self.conversation.hear(json.dumps(message), now_ms=0)
        self.flush()

    def flush(self) -> list[Instruction]:
        """Carry out what the conversation wants; gives it."""
        taken = self.conversation.take_instructions()
        self.instructions += taken
        for instruction in taken:
            if isinstance(instruction, Send) and self.socket is not None:
                self.socket.inbox.append(instruction.text)
            elif isinstance(instruction, Disconnect):
                self.socket = None
                self.to_client.clear()
        return taken

    def rest(self) -> None:
        """Let everything happen until nothing is left to do."""
        while True:
            self.connect()
            if self.socket is None:
                return
            if self.to_client:
                self.deliver()
            elif self.socket.inbox:
                self.serve()
            elif self.socket.has_news:
                self.show()
            else:
                return

    def taken(self, kind: type[Instruction]) -> list[Instruction]:
        """All instructions of a kind so far."""
        return [each for each in self.instructions if isinstance(each, kind)]

    def settled(self) -> dict[int, Outcome | ClientError]:
        """How calls ended."""
        return {each.request_id: each.outcome for each in self.instructions if isinstance(each, Settle)}


class Worlds(RuleBasedStateMachine):
    """A client that wants things while its line breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.mutations: dict[int, tuple[str, str]] = {}
        self.actions: set[int] = set()
        self.given_up: set[int] = set()
        self.settled: dict[int, Outcome | ClientError] = {}
        self.watched: dict[int, str] = {}
        self.shown: dict[int, float] = {}
        self.ts = 0
        self.seen = 0

    @rule(name=NAMES)
    def watch(self, name: str) -> None:
        query_id = self.line.conversation.add_query(GET, json.dumps({"name": name}))
        assert query_id not in self.watched
        self.watched[query_id] = name

    @precondition(lambda self: self.watched)
    @rule(data=st.data())
    def unwatch(self, data: st.DataObject) -> None:
        query_id = data.draw(st.sampled_from(sorted(self.watched)))
        del self.watched[query_id]
        self.shown.pop(query_id, None)
        self.line.conversation.remove_query(query_id)

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        arguments = json.dumps({"name": name, "by": 1.0})
        self.mutations[self.line.conversation.begin_call("Mutation", ADD, arguments)] = ("add", name)

    @rule()
    def fail(self) -> None:
        self.mutations[self.line.conversation.begin_call("Mutation", FAIL, "{}")] = ("fail", "")

    @rule()
    def act(self) -> None:
        number = self.line.conversation.begin_call("Action", NOTE, '{"number": 1}')
        self.actions.add(number)

    @precondition(lambda self: len(self.settled) < len(self.mutations))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.mutations) - set(self.settled))))
        self.given_up.add(number)
        self.line.conversation.give_up_call(number)

    @rule(who=st.sampled_from([None, UserToken("good"), AdminKey("good")]))
    def authenticate(self, who: UserToken | AdminKey | None) -> None:
        self.line.conversation.authenticate(who)

    @rule(name=NAMES)
    def others_write(self, name: str) -> None:
        self.line.server.commit(name, 10.0)

    @rule(moves=st.lists(st.sampled_from(["serve", "serve", "show", "deliver", "deliver"]), max_size=12))
    def go_on(self, moves: list[str]) -> None:
        """Some of what is due happens; a client without a line gets one."""
        self.line.connect()
        for move in moves:
            getattr(self.line, move)()

    @rule()
    def rest(self) -> None:
        self.line.rest()

    @rule()
    def cut(self) -> None:
        self.line.cut()

    @invariant()
    def what_is_seen_is_right(self) -> None:
        news, self.seen = self.line.instructions[self.seen :], len(self.line.instructions)
        for each in news:
            match each:
                case Changed(query_id, outcome, ts):
                    assert ts >= self.ts, "time went back"
                    self.ts = ts
                    if query_id in self.watched:
                        assert outcome.value is not None
                        self.shown[query_id] = json.loads(outcome.value)
                case Settle(number, ended):
                    self._check_settled(number, ended)
                case FailAll(error):
                    raise AssertionError(error)
                case _:
                    pass

    def _check_settled(self, number: int, ended: Outcome | ClientError) -> None:
        assert number not in self.settled, "settled twice"
        assert number not in self.given_up
        self.settled[number] = ended
        if number in self.actions:
            return
        kind, name = self.mutations[number]
        assert isinstance(ended, Outcome), "a mutation is sent again, not lost"
        if kind == "fail":
            assert ended.value is None
            return
        value, ts = self.line.server.records[SESSION, number]
        assert json.loads(ended.value or b"") == value
        # Every query on that counter that has been answered shows the write.
        for query_id, shown in self.shown.items():
            if self.watched[query_id] == name:
                assert shown >= value, f"query {query_id} does not show mutation {number} of ts {ts}"

    def teardown(self) -> None:
        self.line.rest()
        self.what_is_seen_is_right()
        server = self.line.server
        wanted = {number for number in self.mutations if number not in self.given_up}
        assert wanted | self.actions == set(self.settled), "not everything settled"
        numbers = [number for _, number in server.runs]
        assert numbers == sorted(set(numbers)), "out of order, or twice"
        assert {number for number in wanted if self.mutations[number][0] == "add"} <= set(numbers)
        lost = sum(isinstance(self.settled[number], ConnectionLost) for number in self.actions)
        assert len(self.actions) - lost <= len(server.actions) <= len(self.actions)
        latest = server.history[-1]
        assert {query_id: latest.get(name, 0.0) for query_id, name in self.watched.items()} == self.shown
        assert self.line.conversation.is_caught_up
        assert self.line.conversation.calls == 0


TestWorlds = Worlds.TestCase
TestWorlds.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.fixture
def line() -> Line:
    return Line()


def watch(line: Line, name: str = "a") -> int:
    return line.conversation.add_query(GET, json.dumps({"name": name}))


def add(line: Line, name: str = "a") -> int:
    return line.conversation.begin_call("Mutation", ADD, json.dumps({"name": name, "by": 1.0}))


def sent(line: Line) -> list[str]:
    return [json.loads(each.text)["type"] for each in line.instructions if isinstance(each, Send)]


def test_a_socket_opens_in_the_order_of_the_protocol(line: Line) -> None:
    line.conversation.authenticate(UserToken("good"))
    watch(line)
    add(line)
    line.connect()
    assert sent(line) == ["Connect", "Authenticate", "ModifyQuerySet", "Mutation"]
    assert line.conversation.is_open


def test_a_later_socket_says_what_was_seen_and_keeps_journals(line: Line) -> None:
    watch(line)
    line.rest()
    line.cut()
    line.instructions.clear()
    line.connect()
    connect, modify = (json.loads(each.text) for each in line.instructions if isinstance(each, Send))
    assert connect["connectionCount"] == 1
    assert connect["lastCloseReason"] == "cut"
    assert connect["maxObservedTimestamp"] == encode_ts(1)
    assert connect["sessionId"] == SESSION
    assert modify["modifications"][0]["journal"] == "j0"


def test_the_same_result_after_a_reconnect_is_no_news(line: Line) -> None:
    watch(line)
    line.rest()
    line.cut()
    line.rest()
    assert len(line.taken(Changed)) == 1


def test_a_mutation_waits_for_the_transition_that_shows_it(line: Line) -> None:
    watch(line)
    line.rest()
    number = add(line)
    line.flush()
    line.serve()
    line.deliver()
    assert line.settled() == {}
    line.show()
    line.deliver()
    assert number in line.settled()
    kinds = [type(each) for each in line.instructions]
    assert kinds.index(Settle) > max(index for index, kind in enumerate(kinds) if kind is Changed)


def test_a_committed_mutation_settles_on_the_next_socket_without_being_sent_again(line: Line) -> None:
    number = add(line)
    line.connect()
    while not line.to_client:
        line.serve()
    line.deliver()
    line.cut()
    line.instructions.clear()
    line.rest()
    assert number in line.settled()
    assert sent(line) == ["Connect", "ModifyQuerySet"]


def test_a_result_shown_before_its_response_settles_with_it(line: Line) -> None:
    watch(line)
    line.rest()
    number = add(line)
    line.flush()
    line.serve()
    line.show()
    line.to_client.rotate()
    line.deliver()
    assert line.settled() == {}
    line.deliver()
    assert number in line.settled()


def test_no_more_calls_are_with_the_server_than_it_takes(line: Line) -> None:
    for _ in range(SENT_MAX + 5):
        add(line)
    line.connect()
    assert sent(line).count("Mutation") == SENT_MAX
    line.rest()
    assert len(line.settled()) == SENT_MAX + 5


def test_a_call_that_is_given_up_in_time_is_never_sent(line: Line) -> None:
    number = add(line)
    line.conversation.give_up_call(number)
    line.rest()
    assert line.server.runs == []
    assert line.conversation.calls == 0


def test_an_action_under_way_is_lost_with_its_socket_and_a_waiting_one_is_not(line: Line) -> None:
    begin = line.conversation.begin_call
    line.connect()
    under_way = begin("Action", NOTE, '{"number": 1}')
    line.flush()
    line.conversation.close()
    waiting = begin("Action", NOTE, '{"number": 2}')
    line.cut()
    line.rest()
    settled = line.settled()
    assert isinstance(settled[under_way], ConnectionLost)
    assert str(settled[under_way]) == "Connection lost while action was in flight"
    assert isinstance(settled[waiting], Outcome)
    assert line.server.actions == [2]


def test_queries_of_one_turn_are_asked_for_in_one_message(line: Line) -> None:
    line.connect()
    line.instructions.clear()
    first = watch(line)
    watch(line, "b")
    line.conversation.remove_query(first)
    line.flush()
    [modify] = (json.loads(each.text) for each in line.instructions if isinstance(each, Send))
    assert [each["queryId"] for each in modify["modifications"]] == [1]
    line.conversation.remove_query(first)
    assert line.flush() == []


def transition(line: Line, start: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    def version(parts: tuple[int, int, int]) -> dict[str, object]:
        return {"querySet": parts[0], "identity": parts[1], "ts": encode_ts(parts[2])}

    line.say(
        {
            "type": "Transition",
            "startVersion": version(start),
            "endVersion": version(end),
            "modifications": [],
        }
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((0, 0, 1), (1, 0, 1)),  # Does not begin where we are.
        ((0, 0, 0), (2, 0, 1)),  # A query set that we never sent.
        ((0, 0, 0), (1, 1, 1)),  # An identity that we never sent.
    ],
)
def test_a_broken_transition_gives_the_socket_up(
    line: Line, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    line.connect()
    transition(line, start, end)
    assert line.taken(Disconnect) == [Disconnect(PROTOCOL_FAILURE)]
    assert not line.conversation.is_open
    assert line.conversation.may_connect


def test_a_transition_that_goes_back_gives_the_socket_up(line: Line) -> None:
    line.connect()
    transition(line, (0, 0, 0), (1, 0, 5))
    transition(line, (1, 0, 5), (1, 0, 4))
    assert line.taken(Disconnect) == [Disconnect(PROTOCOL_FAILURE)]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "Nonsense"},
        {"type": "MutationResponse", "requestId": 0, "success": True, "result": 1, "logLines": []},
        {"type": "ActionResponse", "requestId": 0, "success": True, "result": 1, "logLines": []},
    ],
)
def test_a_message_that_cannot_be_gives_the_socket_up(line: Line, message: dict[str, object]) -> None:
    add(line)
    line.connect()
    line.say(message)
    assert line.taken(Disconnect) == [Disconnect(PROTOCOL_FAILURE)]
    # What is still said on that socket is not heard, and the mutation is not lost.
    transition(line, (0, 0, 0), (1, 0, 1))
    line.rest()
    assert list(line.settled()) == [0]


def test_a_ping_and_an_answer_to_nobody_change_nothing(line: Line) -> None:
    line.connect()
    line.instructions.clear()
    line.say({"type": "Ping"})
    line.say({"type": "ActionResponse", "requestId": 9, "success": True, "result": 1, "logLines": []})
    assert line.instructions == []


def test_a_fatal_error_ends_the_conversation_for_good(line: Line) -> None:
    number = add(line)
    watch(line)
    line.connect()
    line.say({"type": "FatalError", "error": "Base version"})
    assert isinstance(line.settled()[number], ConversationEnded)
    assert len(line.taken(FailAll)) == 1
    assert not line.conversation.may_connect
    with pytest.raises(ConversationEnded, match="Base version"):
        add(line)


def test_refused_credentials_fail_everything_until_there_are_others(line: Line) -> None:
    line.conversation.authenticate(UserToken("bad"))
    number, query_id = add(line), watch(line)
    line.rest()
    assert isinstance(line.settled()[number], AuthenticationRefused)
    assert not line.conversation.may_connect
    with pytest.raises(AuthenticationRefused, match="no such token"):
        watch(line, "b")
    line.conversation.authenticate(UserToken("good"))
    line.rest()
    assert [each.query_id for each in line.instructions if isinstance(each, Changed)] == [query_id]
    assert line.server.runs == []


def test_log_lines_are_told_as_soon_as_they_are_known(line: Line) -> None:
    line.server.log_lines = ["[LOG] 'x'"]
    watch(line)
    add(line)
    line.rest()
    told = [(each.path, each.log_lines) for each in line.instructions if isinstance(each, Logged)]
    assert set(told) == {("counters:get", ("[LOG] 'x'",)), ("counters:add", ("[LOG] 'x'",))}


def test_it_has_caught_up_when_all_from_before_is_answered(line: Line) -> None:
    add(line)
    watch(line)
    line.conversation.authenticate(UserToken("good"))
    line.connect()
    assert not line.conversation.is_caught_up
    line.rest()
    assert line.conversation.is_caught_up
    line.cut()
    line.connect()
    assert not line.conversation.is_caught_up

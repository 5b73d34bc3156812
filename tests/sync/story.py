"""Stories: a session told as steps and answers.

A story is a text of steps, each followed by what the session instructs, indented. `play` runs the steps
against a fresh session on a clock that stands still, and gives back the text as it really goes; the test
compares. The moral stands on top as a comment.

    connect                                  modify 0 1: +0 messages:list {"a":1} journal j, -3
    mutation 4 messages:send {}              action 5 ai:reply {}
    authenticate 0 None | User t | Admin k   event | binary | raw TEXT
    wave begins [N unsent]                   wave ends at 5: 0=[1], 1!boom
    mutation done at 5: VALUE                mutation failed: TEXT [data JSON]
    action 5 done: VALUE                     action 5 failed: TEXT
    mutation breaks: Unavailable             action breaks: Forbidden
    identity anonymous | admin | ada [for 60 s]
    identity refused: Unauthenticated TEXT
    pass 15 [N unsent]                       unsent N
    peer leaves                              shut down
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from rewake import errors
from rewake.auth import ANONYMOUS, Admin, Anonymous, Identity, User
from rewake.environment import Environment, ManualClock, seeded_environment
from rewake.execution import Failure, MutationOutcome, Success
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion, client_version, decode_ts, encode_ts
from rewake.reactivity import QueryChange
from rewake.sync.instructions import (
    ChangeQueries,
    Close,
    Drop,
    Instruction,
    RequestWave,
    Send,
    SendPingFrame,
    SetIdentity,
    StartAction,
    StartAuthentication,
    StartMutation,
)
from rewake.sync.session import Session

SESSION_ID = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"
ADA = User('{"subject":"ada"}')


@dataclass
class FakeLive:
    """A live query's result, as reactivity would hand it over."""

    result: Success | Failure
    journal: str | None = None
    rendered: bytes | None = None

    @property
    def fingerprint(self) -> int:
        return hash(repr(self.result))


@dataclass
class FakeFacts:
    """A world in which time passes only when the story says so."""

    environment: Environment = field(default_factory=lambda: seeded_environment(7))
    last_ts: int = 100

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.environment.clock, ManualClock)
        return self.environment.clock

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def monotonic(self) -> float:
        return self.clock.monotonic()


class Player:
    """Runs the steps of one story."""

    def __init__(self) -> None:
        self.facts = FakeFacts()
        self.limits: Limits = DEFAULT_LIMITS
        self.client: ClientVersion = UNKNOWN_CLIENT
        self.redacted = False
        self.watches_frames = True
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session, made when the settings at the top of the story are known."""
        if self._session is None:
            self._session = Session(
                self.facts,
                limits=self.limits,
                client=self.client,
                redacted=self.redacted,
                watches_frames=self.watches_frames,
            )
        return self._session

    def play(self, text: str) -> str:
        """The story as it goes."""
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith(" "):
                continue
            lines.append(line)
            if line and not line.startswith("#"):
                lines += [f"    {answer}" for answer in self.step(line)]
        return "\n".join(lines) + "\n"

    def step(self, line: str) -> list[str]:
        """One step, and what comes of it."""
        verb, _, rest = line.partition(" ")
        method = getattr(self, f"do_{verb}")
        answer: list[Instruction] | list[str] | bool | None = method(rest)
        if answer is None:
            return []
        if isinstance(answer, bool):
            return ["yes" if answer else "no"]
        lines: list[str] = []
        for each in answer:
            if isinstance(each, ChangeQueries):
                lines += [*map(describe_change, each.changes), "want wave"]
            else:
                lines.append(each if isinstance(each, str) else describe(each))
        return lines

    # Settings.

    def do_client(self, rest: str) -> None:
        self.client = client_version(rest, None)

    def do_limit(self, rest: str) -> None:
        name, _, value = rest.partition(" ")
        number: Any = float(value) if "seconds" in name else int(value)
        self.limits = msgspec.structs.replace(self.limits, **{name: number})

    def do_redacted(self, rest: str) -> None:
        self.redacted = True

    def do_blind(self, rest: str) -> None:
        self.watches_frames = False

    # The client.

    def message(self, kind: str, **fields: Any) -> list[Instruction]:
        return self.session.text_received(json.dumps({"type": kind, **fields}))

    def do_connect(self, rest: str) -> list[Instruction]:
        fields: dict[str, Any] = {"sessionId": SESSION_ID, "connectionCount": 0}
        for setting in rest.split():
            name, _, value = setting.partition("=")
            fields[name] = encode_ts(int(value)) if name == "maxObservedTimestamp" else int(value)
        return self.message("Connect", **fields)

    def do_modify(self, rest: str) -> list[Instruction]:
        versions, _, changes = rest.partition(":")
        base, new = map(int, versions.split())
        modifications: list[dict[str, Any]] = []
        for change in filter(None, map(str.strip, changes.split(", "))):
            match = re.fullmatch(r"\+(\d+) (\S+) (\{.*?\})(?: in (\S+))?(?: journal (\S+))?", change)
            if match is None:
                modifications.append({"type": "Remove", "queryId": int(change.removeprefix("-"))})
                continue
            query_id, path, args, component, journal = match.groups()
            modifications.append(
                {
                    "type": "Add",
                    "queryId": int(query_id),
                    "udfPath": path,
                    "args": [json.loads(args)],
                    "componentPath": component,
                    "journal": journal,
                }
            )
        return self.message("ModifyQuerySet", baseVersion=base, newVersion=new, modifications=modifications)

    def do_mutation(self, rest: str) -> list[Instruction]:
        if match := re.fullmatch(r"done at (\d+): (.*)", rest):
            return self.session.mutation_finished(MutationOutcome(Success(match[2]), int(match[1])))
        if rest.startswith("failed: "):
            return self.session.mutation_finished(MutationOutcome(_failure(rest), 1))
        if rest.startswith("breaks: "):
            return self.session.broke(_error(rest.removeprefix("breaks: ")))
        return self._call("Mutation", rest)

    def do_action(self, rest: str) -> list[Instruction]:
        if rest.startswith("breaks: "):
            return self.session.broke(_error(rest.removeprefix("breaks: ")))
        if match := re.fullmatch(r"(\d+) done: (.*)", rest):
            return self.session.action_finished(int(match[1]), Success(match[2], ("[LOG] 'hi'",)))
        if match := re.fullmatch(r"(\d+) (failed: .*)", rest):
            return self.session.action_finished(int(match[1]), _failure(match[2]))
        return self._call("Action", rest)

    def _call(self, kind: str, rest: str) -> list[Instruction]:
        match = re.fullmatch(r"(\d+) (\S+) (\{.*?\})(?: in (\S+))?", rest)
        assert match is not None, rest
        return self.message(
            kind,
            requestId=int(match[1]),
            udfPath=match[2],
            args=[json.loads(match[3])],
            **({"componentPath": match[4]} if match[4] else {}),
        )

    def do_authenticate(self, rest: str) -> list[Instruction]:
        base, kind, *value = rest.split()
        fields = {"value": value[0]} if value else {}
        return self.message("Authenticate", baseVersion=int(base), tokenType=kind, **fields)

    def do_event(self, rest: str) -> list[Instruction]:
        return self.message("Event", eventType="ClientConnect", event=None)

    def do_binary(self, rest: str) -> list[Instruction]:
        return self.session.binary_received()

    def do_raw(self, rest: str) -> list[Instruction]:
        return self.session.text_received(rest)

    def do_frame(self, rest: str) -> None:
        self.session.frame_received()

    def do_peer(self, rest: str) -> None:
        self.session.peer_left()

    # The house.

    def do_identity(self, rest: str) -> list[Instruction]:
        if rest.startswith("refused: "):
            return self.session.authentication_failed(_error(rest.removeprefix("refused: ")))
        if match := re.fullmatch(r"ada for (\d+) s", rest):
            ends = self.facts.now_ns() + int(match[1]) * 1_000_000_000
            return self.session.authenticated(replace(ADA, expires_ns=ends))
        identity: Identity = {"anonymous": ANONYMOUS, "admin": Admin(), "ada": ADA}[rest]
        return self.session.authenticated(identity)

    def do_wave(self, rest: str) -> list[Instruction] | bool:
        if rest.startswith("begins"):
            # As the connection does.
            return self.session.begin_wave(_unsent(rest)) or self.session.check_expiry() or False
        match = re.fullmatch(r"ends at (\d+):?(.*)", rest)
        assert match is not None, rest
        updates = []
        for update in filter(None, map(str.strip, match[2].split(", "))):
            parts = re.fullmatch(r"(\d+)([=!])(.*?)(?: data (.*?))?(?: journal (\S+))?", update)
            assert parts is not None, update
            result: Success | Failure = (
                Success(parts[3], ("[LOG] 'hi'",)) if parts[2] == "=" else Failure(parts[3], parts[4])
            )
            updates.append((int(parts[1]), FakeLive(result, parts[5])))
        return self.session.finish_wave(int(match[1]), updates)

    def do_shut(self, rest: str) -> list[Instruction]:
        return self.session.shut_down(1001, "ServerRestarting")

    def do_pass(self, rest: str) -> list[Instruction]:
        self.facts.clock.advance(float(rest.split(maxsplit=1)[0]))
        return self.session.tick(_unsent(rest))

    def do_unsent(self, rest: str) -> list[Instruction]:
        return self.session.backlog_changed(int(rest))

    def do_holding(self, rest: str) -> bool:
        return self.session.is_holding


def _unsent(rest: str) -> int:
    match = re.search(r"(\d+) unsent", rest)
    return int(match[1]) if match else 0


def _failure(rest: str) -> Failure:
    text, _, data = rest.removeprefix("failed: ").partition(" data ")
    return Failure(text, data or None)


def _error(rest: str) -> Exception:
    name, _, text = rest.partition(" ")
    kind = getattr(errors, name, None) or {"ValueError": ValueError}[name]
    error: Exception = kind(text or "an error text")
    return error


def describe(instruction: Instruction) -> str:
    """An instruction in a line."""
    match instruction:
        case Send(parts, size):
            data = b"".join(parts)
            assert len(data) == size
            return "-> " + describe_message(json.loads(data))
        case SendPingFrame():
            return "ping frame"
        case StartMutation(number, call, identity, request_id, replay):
            assert (replay.session, replay.request) == (SESSION_ID, number)
            return f"run mutation {number} {call.path} {call.args} as {name(identity)}, request {request_id}"
        case StartAction(number, call, identity):
            return f"run action {number} {call.path} {call.args} as {name(identity)}"
        case StartAuthentication(kind, value):
            return f"check {kind} {value}"
        case SetIdentity(identity):
            return f"become {name(identity)}"
        case RequestWave():
            return "want wave"
        case Close(code, reason):
            return f"close {'without status' if code is None else code} {reason}".rstrip()
        case Drop(reason):
            return f"drop: {reason}"
    raise AssertionError(instruction)


def describe_change(change: QueryChange) -> str:
    """A change of the query set in one line."""
    call = change.call
    if call is None:
        return f"remove {change.query_id}"
    component = f" in {call.component}" if call.component else ""
    return f"add {change.query_id} {call.path} {call.args}{component} journal {change.journal}"


def name(identity: Identity) -> str:
    """An identity in a word."""
    if isinstance(identity, Anonymous):
        return "anonymous"
    return "admin" if isinstance(identity, Admin) else "ada"


def describe_message(message: dict[str, Any]) -> str:
    """A server message in a line."""
    kind = message.pop("type")
    if kind == "Transition":
        modifications = " ".join(map(_describe_modification, message["modifications"]))
        start, end = (_version(message[each]) for each in ("startVersion", "endVersion"))
        skew = "" if message["clientClockSkew"] is None else f" skew {message['clientClockSkew']}"
        assert message["serverTs"] >= 1_700_000_000_000_000_000
        return f"Transition {start} to {end}: {modifications or 'nothing'}{skew}"
    if message.get("ts"):
        message["ts"] = decode_ts(message["ts"])
    return f"{kind} {json.dumps(message)}" if message else str(kind)


def _version(version: dict[str, Any]) -> str:
    return f"{version['querySet']}/{version['identity']}/{decode_ts(version['ts'])}"


def _describe_modification(modification: dict[str, Any]) -> str:
    query_id, kind = modification["queryId"], modification["type"]
    if kind == "QueryRemoved":
        return f"{query_id} removed"
    assert isinstance(modification["logLines"], list)
    journal = "" if modification["journal"] is None else f" journal {modification['journal']}"
    if kind == "QueryUpdated":
        return f"{query_id}={json.dumps(modification['value'])}{journal}"
    data = f" data {json.dumps(modification['errorData'])}" if "errorData" in modification else ""
    text = re.sub(r"Request ID: [0-9a-f]{16}", "Request ID: random", modification["errorMessage"])
    return f"{query_id}!{text!r}{data}{journal}"

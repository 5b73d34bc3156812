"""Stories: what the database does, as a script of steps and answers.

A file is a moral (comments), then blocks of commands, each closed by `---` and the answers expected.
Commands:

    NAME: STEP; STEP ...       perform a mutation in the open group, which begins by itself
    NAME (SESSION N): ...      the same with a replay key
    commit | rollback          end the group
    query NAME: STEP; ...      read at a new snapshot and remember the read set under NAME
    wakes                      which remembered queries the last commit touched
    mark LABEL                 remember the latest timestamp
    at LABEL: STEP; ...        read as it stood then
    schema TABLE INDEX=a,b ... apply a schema without validation, one table a command
    clock SECONDS              move the clock
    trim                       forget old log rows, in a group of its own

Steps: insert TABLE NICK JSON, patch NICK JSON, unset NICK FIELD, replace NICK JSON, delete NICK, get NICK,
raise TEXT, part, keep, drop, scan TABLE [by INDEX] [FIELD OP JSON]... [desc] [take N]. Answers are one line
per command, nicknames for ids; documents are shown without their system fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from rewake.database import ReadSet, ReadTransaction, ReplayKey, WriteTransaction, apply_schema
from rewake.schema import QuerySpec, RangeBound, define_schema, define_table, v
from rewake.storage import LogRow
from rewake.values import UNSET, decode, decode_stored, encode
from tests.database.world import World

_COMMAND = re.compile(r"(query |at )?(\w+)(?: \((\w+) (\d+)\))?: (.*)")


class Taken(Exception):
    """Thrown into a part to take it back."""


class Story:
    """One world and the names that its script gave to things."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids: dict[str, str] = {}
        self.nicknames: dict[str, str] = {}
        self.queries: dict[str, ReadSet] = {}
        self.marks: dict[str, int] = {}
        self.tables: dict[str, Any] = {}
        self.rows: list[LogRow] = []

    def tell(self, command: str) -> str | None:
        """Do one command; its answer, or None where it has none."""
        word, _, rest = command.partition(" ")
        if word == "commit":
            self.rows = self.world.group.commit().rows
            return f"commit: {len(self.rows)} rows"
        if word == "rollback":
            self.world.group.rollback()
            return None
        if word == "wakes":
            woken = [
                name
                for name, reads in self.queries.items()
                if any(reads.touched_by(row) for row in self.rows)
            ]
            return "wakes: " + (" ".join(woken) or "nobody")
        if word == "mark":
            self.marks[rest] = self.world.database.last_ts()
            return None
        if word == "clock":
            self.world.environment.clock.advance(float(rest))  # type: ignore[attr-defined]
            return None
        if word == "trim":
            self.world.group.begin()
            result = self.world.group.trim()
            self.world.group.commit()
            return f"trim: {result.log_rows} log rows, {result.replays} replays"
        if word == "schema":
            return self._schema(rest)
        match = _COMMAND.fullmatch(command)
        assert match, f"not a command: {command}"
        kind, name, session, request, steps = match.groups()
        if kind is None:
            return self._mutation(name, steps, ReplayKey(session, int(request)) if session else None)
        try:
            snapshot = (
                self.world.reader.begin()
                if kind == "query "
                else self.world.reader.begin_at(self.marks[name])
            )
        except Exception as error:
            return f"{name}: {type(error).__name__}"
        with snapshot:
            transaction = snapshot.transaction()
            try:
                answer = self._steps(transaction, steps)
            except Exception as error:
                answer = f"{type(error).__name__}: {self._named(str(error))}"
            if kind == "query ":
                self.queries[name] = transaction.read_set
        return f"{name}: {answer}"

    def _mutation(self, name: str, steps: str, replay: ReplayKey | None) -> str:
        if not self.world.group.is_open:
            self.world.group.begin()
        answers: list[str] = []
        performed = self.world.perform(
            lambda tx: answers.append(self._steps(tx, steps)), replay=replay, id=name
        )
        if performed.error is not None:
            return f"{name}: failed: {self._named(str(performed.error))}"
        return f"{name}: " + ("replayed" if performed.is_replay else answers[0] or "ok")

    def _schema(self, declared: str) -> str:
        table, *indexes = declared.split()
        definition = define_table(v.any())
        for index in indexes:
            name, _, fields = index.partition("=")
            definition = definition.index(name, fields.split(","))
        self.tables[table] = definition
        changes: list[Any] = []
        schema = define_schema(dict(self.tables), schema_validation=False)
        self.rows = self.world.mutate(lambda tx: changes.append(apply_schema(tx, schema))).rows
        change = changes[0]
        return f"schema: added {change.tables_added + change.indexes_added}, removed {change.indexes_removed}"

    def _steps(self, transaction: ReadTransaction, steps: str) -> str:
        parts: list[AbstractContextManager[None]] = []
        answers: list[str] = []
        for step in steps.split("; "):
            word = step.split()[0]
            if word == "part":
                assert isinstance(transaction, WriteTransaction)
                parts.append(transaction.savepoint())
                parts[-1].__enter__()
            elif word == "keep":
                parts.pop().__exit__(None, None, None)
            elif word == "drop":
                error = Taken()
                try:
                    parts.pop().__exit__(Taken, error, None)
                except Taken:
                    pass
            else:
                answers += self._step(transaction, step)
        assert not parts, "a part was left open"
        return " | ".join(answers)

    def _step(self, transaction: Any, step: str) -> Iterator[str]:
        word, *words = step.split()
        if word == "insert":
            table, nick = words[:2]
            id = transaction.insert(table, decode(step.split(None, 3)[3]))
            self.ids[nick], self.nicknames[id] = id, nick
        elif word in ("patch", "replace"):
            getattr(transaction, word)(self.ids[words[0]], decode(step.split(None, 2)[2]))
        elif word == "unset":
            transaction.patch(self.ids[words[0]], {words[1]: UNSET})
        elif word == "delete":
            transaction.delete(self.ids[words[0]])
        elif word == "get":
            text = transaction.get(self.ids[words[0]])
            yield "nothing" if text is None else self._shown(text)
        elif word == "scan":
            found = list(self._scan(transaction, words))
            yield ", ".join(found) or "nothing"
        elif word == "raise":
            raise ValueError(" ".join(words))
        else:
            raise AssertionError(f"not a step: {step}")

    def _scan(self, transaction: ReadTransaction, words: list[str]) -> Iterator[str]:
        table, words = words[0], words[1:]
        index, order, take = None, "asc", None
        bounds: list[RangeBound] = []
        while words:
            if words[0] == "by":
                index, words = words[1], words[2:]
            elif words[0] == "desc":
                order, words = "desc", words[1:]
            elif words[0] == "take":
                take, words = int(words[1]), words[2:]
            else:
                value = UNSET if words[2] == "missing" else decode(words[2])
                bounds.append(RangeBound(words[0], words[1], value))  # type: ignore[arg-type]
                words = words[3:]
        rows = transaction.scan(QuerySpec(table, index, tuple(bounds), order))  # type: ignore[arg-type]
        if take == 0:
            return
        for number, text in enumerate(rows, 1):
            yield self._shown(text)
            if number == take:
                return

    def _shown(self, text: str) -> str:
        document = decode_stored(text)
        assert isinstance(document, dict)
        nick = self.nicknames[str(document.pop("_id"))]
        del document["_creationTime"]
        return f"{nick} {json.dumps(json.loads(encode(document)))}"

    def _named(self, text: str) -> str:
        for id, nick in self.nicknames.items():
            text = text.replace(id, nick)
        return text


def read_story(text: str) -> list[tuple[list[str], list[str]]]:
    """The blocks of a story: (commands, answers)."""
    blocks: list[tuple[list[str], list[str]]] = []
    commands: list[str] = []
    answers: list[str] | None = None
    for line in [*text.split("\n"), ""]:
        if line.startswith("#"):
            continue
        if line == "---":
            answers = []
        elif line.strip() == "":
            if answers is not None:
                blocks.append((commands, answers))
                commands, answers = [], None
        elif answers is None:
            commands.append(line.strip())
        else:
            answers.append(line.strip())
    assert not commands, "the last block has no answers"
    return blocks

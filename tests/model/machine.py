"""The machine: the engine and the reference side by side, step by step.

Each step goes to both and must come to the same. After it every live query of every client must show what
the reference says and what a fresh run says, and must have woken if and only if what it read was touched,
judged by the reference's own reads (promise 5).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rewake.auth import ANONYMOUS
from rewake.database import SchemaMismatch
from rewake.errors import RewakeError
from rewake.execution import MutationOutcome
from rewake.schema import InvalidSchema
from rewake.testing import Backend
from rewake.values import encode
from tests.model import application
from tests.model.questions import Position
from tests.model.reads import Change, Name, Reads
from tests.model.reference import Reference
from tests.model.screen import Screen, answer_of, call_of
from tests.model.script import Script
from tests.model.shapes import SchemaShape, schema_of
from tests.model.strategies import (
    Palette,
    can_be_pushed,
    fillings,
    next_schemas,
    palettes,
    questions,
    schemas,
    steps,
)

LIVE_MAX = 6
_seldom = st.sampled_from([False] * 4 + [True])


class Watched:
    """One live query, with what the reference says that it read."""

    def __init__(self, number: int, asked: Any, screen: Screen) -> None:
        self.number = number
        self.asked = asked
        self.screen = screen
        self.pin: Position | None = None
        self.reads = Reads()
        self.updates = 0

    @property
    def kind(self) -> str:
        """What wake-ups are counted under."""
        kind: str = self.asked["kind"]
        return kind if not self.asked.get("filters") else f"{kind}, filtered"

    @property
    def answer(self) -> Any:
        return self.screen.answer(self.number)


class Machine(RuleBasedStateMachine):
    """Both, step by step."""

    counted: ClassVar[Counter[tuple[str, str]]] = Counter()
    """Over all examples, by kind of query: `woken`, of these `unnecessary`, and `spared` where a commit
    touched nothing that was read."""

    palette: Palette

    def __init__(self) -> None:
        super().__init__()
        self.reference = Reference()
        self.script = Script()
        self.folder = tempfile.TemporaryDirectory(prefix="rewake-model-")
        self.data: Path | None = None
        self.backend: Backend
        self.screens: list[Screen] = []
        self.watched: list[Watched] = []
        self.numbers = 0
        self.openings = 0
        self.is_broken = False
        """Whether something was found: then nothing more is looked at."""

    def open(self) -> None:
        # Chance goes on after a restart, as it would: ids must not come again.
        self.openings += 1
        self.backend = Backend.from_modules(
            application,
            schema=schema_of(self.reference.schema),
            data=self.data or ":memory:",
            seed=self.openings,
        )
        self.screens = [Screen(self.backend) for _ in range(2)]

    def teardown(self) -> None:
        try:
            with self.told():
                if self.openings and not self.is_broken:
                    self.every_index_equals_its_documents()
        finally:
            if self.openings:
                self.backend.close()
            self.folder.cleanup()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say what happened up to here, as an author would write it, if something is wrong."""
        try:
            yield
        except Exception as error:
            if not self.is_broken:
                self.is_broken = True
                error.add_note(self.script.text())
            raise

    # What happens.

    @initialize(palette=palettes, schema=schemas, on_disk=_seldom, data=st.data())
    def furnish(self, palette: Palette, schema: SchemaShape, on_disk: bool, data: st.DataObject) -> None:
        """Begin with a schema, some documents and some live queries."""
        self.palette = palette
        self.data = Path(self.folder.name) / "data.sqlite" if on_disk else None
        self.open()
        self.change_schema_to(schema)
        # Counts whose first choice is nothing, so that a counterexample can do without.
        for _ in range(data.draw(st.sampled_from([0, 2, 2, 2]))):
            self.mutate_all([data.draw(fillings(self.palette, self.reference), label="steps")])
        for _ in range(data.draw(st.sampled_from([0, 3, 4, 4]))):
            self.watch(data)

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One thing after the other. A single rule, so that we say how often each comes."""
        possible = ["mutate"] * 8 + ["mutate_together", "fail_to_commit", "ask", "change_schema"]
        if len(self.watched) < LIVE_MAX:
            possible += ["watch"] * 2
        if self.watched:
            possible += ["stop_watching", "reconnect", "move_clock"]
        if any(each.asked["kind"] == "page" for each in self.watched):
            possible += ["turn_page"] * 2
        if self.data is not None:
            possible.append("restart")
        getattr(self, data.draw(st.sampled_from(possible)))(data)

    def mutate(self, data: st.DataObject) -> None:
        self.mutate_all([data.draw(steps(self.palette, self.reference), label="steps")])

    def mutate_together(self, data: st.DataObject) -> None:
        """Several at once, so that they share a group, or follow in the next ones."""
        one = steps(self.palette, self.reference)
        self.mutate_all(data.draw(st.lists(one, min_size=2, max_size=4), label="mutations"))

    def mutate_all(self, mutations: list[Any]) -> None:
        known = self.reference.slots

        async def together() -> list[MutationOutcome]:
            deployment = self.backend.deployment
            calls = [
                call_of(self.backend, application.perform, steps=made, slots=known) for made in mutations
            ]
            return await asyncio.gather(
                *(deployment.mutate(call, ANONYMOUS, request_id="") for call in calls)
            )

        with self.told():
            outcomes = self.backend.loop.run(together())
            changes: list[Change | Name] = []
            for made, outcome in zip(mutations, outcomes, strict=True):
                answers = answer_of(outcome.result)
                self.script.mutation(made, answers, known)
                changes += self.reference.perform(made, answers, known)
            self.judge_wakes(changes)

    def fail_to_commit(self, data: st.DataObject) -> None:
        """The disk refuses: nothing has happened."""
        made = data.draw(steps(self.palette, self.reference), label="steps that are lost")
        call = call_of(self.backend, application.perform, steps=made, slots=self.reference.slots)
        self.backend.faults.arm("group.before_commit")
        with self.told():
            with pytest.raises(RewakeError):
                self.backend.loop.run(self.backend.deployment.mutate(call, ANONYMOUS, request_id=""))
            self.script.remark("a mutation was lost, since the disk failed")
            self.judge_wakes([])

    def ask(self, data: st.DataObject) -> None:
        self.compare(data.draw(questions(self.palette, self.reference), label="query"))

    def compare(self, asked: Any, *, again: float = 0.0) -> Any:
        """Ask both, once. `again` other than 0 is past every cache."""
        with self.told():
            self.script.asked(asked)
            call = call_of(self.backend, application.look, asked=asked, again=again)
            result, _ = self.backend.loop.run(self.backend.deployment.query(call, ANONYMOUS, request_id=""))
            answer = answer_of(result)
            self.same(answer, self.reference.look(asked, heard=answer).answer, asked)
            return answer

    def watch(self, data: st.DataObject) -> None:
        asked = data.draw(questions(self.palette, self.reference), label="live query")
        self.begin_watching(asked, data.draw(st.integers(0, 1)))

    def turn_page(self, data: st.DataObject) -> None:
        """Ask for the page after one that is shown, or for one of its halves."""
        shown = data.draw(st.sampled_from([each for each in self.watched if each.asked["kind"] == "page"]))
        which = data.draw(st.sampled_from(["next", "next", "first half", "second half", "of another query"]))
        if shown.answer[0] != "value":
            return
        _, _, _, cursor, split, _ = shown.answer
        options = {name: shown.asked["options"][name] for name in ("numItems", "cursor")}
        asked = shown.asked
        if which == "of another query":
            asked = asked | {"order": "asc" if asked["order"] == "desc" else "desc"}
        if which in ("next", "of another query"):
            options["cursor"] = cursor
        elif split is None:
            return
        elif which == "first half":
            options["endCursor"] = split
        else:
            options |= {"cursor": split, "endCursor": cursor}
        asked = asked | {"options": options}
        if len(self.watched) < LIVE_MAX and data.draw(st.booleans()):
            self.begin_watching(asked, data.draw(st.integers(0, 1)))
        else:
            self.compare(asked)

    def begin_watching(self, asked: Any, place: int) -> None:
        self.numbers += 1
        watched = Watched(self.numbers, asked, self.screens[place])
        self.script.watched(watched.number, asked)
        with self.told():
            watched.screen.add(watched.number, asked)
        self.watched.append(watched)
        self.take_stock(watched)

    def stop_watching(self, data: st.DataObject) -> None:
        watched = self.watched.pop(data.draw(st.integers(0, len(self.watched) - 1)))
        watched.screen.remove(watched.number)
        self.script.remark(f"live{watched.number} is watched no longer")

    def reconnect(self, data: st.DataObject) -> None:
        """A client comes back and asks for what it showed, with the journals that it was given."""
        place = data.draw(st.integers(0, 1))
        before = self.screens[place]
        self.screens[place] = Screen(self.backend)
        before.close()
        self.script.remark(f"client {place} reconnects")
        self.resume(before, self.screens[place])

    def restart(self, data: st.DataObject) -> None:
        """Close the data file and open it again; both clients come back."""
        before = self.screens
        self.every_index_equals_its_documents()
        for screen in before:
            screen.close()
        self.backend.close()
        self.script.remark("the server is restarted")
        with self.told():
            self.open()
        for old, new in zip(before, self.screens, strict=True):
            self.resume(old, new)

    def resume(self, old: Screen, new: Screen) -> None:
        for watched in self.watched:
            if watched.screen is old:
                with self.told():
                    new.add(watched.number, watched.asked, old.results[watched.number].journal)
                watched.screen = new
                watched.updates = new.updates[watched.number]
                with self.told():
                    self.shows_the_truth(watched)

    def move_clock(self, data: st.DataObject) -> None:
        """Time passes, or somebody sets the clock back."""
        seconds = data.draw(st.sampled_from([0.001, 1.0, 60.0, -30.0]))
        self.backend.deployment.environment.clock.advance(seconds)  # type: ignore[attr-defined]
        self.script.remark(f"the clock moves by {seconds} s")

    def change_schema(self, data: st.DataObject) -> None:
        self.change_schema_to(data.draw(next_schemas(self.reference.schema), label="schema"))

    def change_schema_to(self, schema: SchemaShape) -> None:
        with self.told():
            if not can_be_pushed(schema):
                with pytest.raises(InvalidSchema, match="that does not exist"):
                    schema_of(schema)
                return
            self.script.pushed(schema)
            names = self.reference.push(schema)
            if names is None:
                with pytest.raises(SchemaMismatch):
                    self.backend.push_schema(schema_of(schema))
            else:
                self.backend.push_schema(schema_of(schema))
            self.judge_wakes(list(names or []))

    # What must hold.

    @invariant()
    def live_queries_show_the_truth(self) -> None:
        for watched in self.watched:
            with self.told():
                self.shows_the_truth(watched)
            self.numbers += 1
            asked, about = watched.asked, slice(None)
            if watched.pin is not None and watched.answer[0] == "value":
                # A fresh run of a page knows its end from the client.
                asked = asked | {"options": asked["options"] | {"endCursor": watched.answer[3]}}
                about = slice(4)
            elif watched.pin is not None:
                continue
            fresh = self.compare(asked, again=float(self.numbers))
            self.same(watched.answer[about], fresh[about], asked)

    def judge_wakes(self, changes: list[Change | Name]) -> None:
        for watched in self.watched:
            watched.screen.settle()
            woken = watched.screen.updates[watched.number] - watched.updates
            touched = watched.reads.touched_by(changes)
            assert woken or not touched, f"{watched.asked} was not woken by {changes}"
            if changes:
                self.counted[watched.kind, "woken" if woken else "spared"] += 1
            if woken and not touched:
                self.counted[watched.kind, "unnecessary"] += 1
            assert touched or not woken, f"{watched.asked} was woken by {changes}, which it did not read"
            if woken:
                self.take_stock(watched)

    def take_stock(self, watched: Watched) -> None:
        """Note what a live query shows now, and what it read for that."""
        with self.told():
            watched.updates = watched.screen.updates[watched.number]
            looked = self.reference.look(watched.asked, pin=watched.pin, heard=watched.answer)
            self.same(watched.answer, looked.answer, watched.asked)
            watched.reads = looked.reads
            watched.pin = looked.pin or watched.pin

    def shows_the_truth(self, watched: Watched) -> None:
        """Whether what is shown is still so.

        A page's advice to split it is of the run that gave it: the first had other bounds than those that
        know the end.
        """
        looked = self.reference.look(watched.asked, pin=watched.pin, heard=watched.answer)
        about = slice(4) if watched.pin is not None else slice(None)
        self.same(watched.answer[about], looked.answer[about], watched.asked)

    def every_index_equals_its_documents(self) -> None:
        """Every index, in both directions, gives every document of its table."""
        for table in sorted(self.reference.made):
            shape = self.reference.schema.tables.get(table)
            declared = [] if shape is None else [n for n, i in shape.indexes.items() if not i.is_staged]
            for index in ["by_id", "by_creation_time", *declared]:
                for order in ("asc", "desc"):
                    asked = {"kind": "collect", "table": table, "index": index, "bounds": [], "filters": []}
                    self.numbers += 1
                    answer = self.compare(asked | {"order": order}, again=float(self.numbers))
                    assert len(answer[1]) == len(self.reference.tables[table])

    @staticmethod
    def same(answer: Any, expected: Any, asked: Any) -> None:
        assert encode(answer) == encode(expected), f"{asked}: answered {answer}, and it is {expected}"

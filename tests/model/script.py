"""The script: what happened in an example, as the steps of a test that an author could run.

    script.mutation(steps, answers, known); script.watched(1, asked); ...; print(script.text())

Each line is appended when it happens. `text()` is a Python file; the few words in it that are not of
`rewake` (`Stage`, `ask`, `nest`, `refused`, `tried`, `until`, `followed`) are at the end of this one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from rewake import ApplicationError, MutationCtx, QueryCtx, internal_mutation, query
from rewake.errors import RewakeError
from rewake.schema import Schema
from rewake.testing import Backend, FunctionFailed, LiveQuery
from rewake.values import Int64
from tests.model.application import ODDITIES, made_in
from tests.model.order import at_path
from tests.model.shapes import SchemaShape, source_of_schema

_HEAD = """\
from itertools import islice

from rewake import UNSET, ApplicationError, Int64, gt, gte, lt, lte
from rewake.schema import define_schema, define_table, v
from tests.model.order import KINDS, at_path
from tests.model.script import Stage, ask, double, followed, ids, nest, refused, tried, until

stage = Stage()
backend = stage.backend
"""


class Script:
    """Gathers the steps of one example."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._names: dict[str, str] = {}
        self._shown: set[str] = set()

    def text(self) -> str:
        """The whole script."""
        return "\n".join([_HEAD, *self._lines])

    def remark(self, text: str) -> None:
        """Something that a script does not do by itself."""
        self._lines.append(f"# {text}")

    def pushed(self, schema: SchemaShape) -> None:
        self._lines.append(f"stage.push({source_of_schema(schema)})")

    def watched(self, number: int, asked: Any) -> None:
        self._lines.append(f"live{number} = stage.watch(lambda ctx: {self._question(asked)})")

    def asked(self, asked: Any) -> None:
        line = f"stage.ask(lambda ctx: {self._question(asked)})"
        # Each live query is asked again after every step; once is enough to read.
        if line not in self._shown:
            self._shown.add(line)
            self._lines.append(line)

    def mutation(self, steps: Any, answers: Any, known: list[str]) -> None:
        """`answers` are the engine's: they say which ids were given out, and what was refused."""
        self._lines.append("with stage.mutation() as ctx:")
        self._steps(steps, answers, list(known), "    ")

    def _steps(self, steps: Any, answers: Any, known: list[str], indent: str) -> None:
        for number, step in enumerate(steps):
            answer = answers[number] if number < len(answers) else ["error", "nothing"]
            if step[0] == "fail":
                self._lines.append(f'{indent}raise ApplicationError("no")')
            elif step[0] == "nest":
                self._lines.append(f"{indent}def part(ctx):")
                self._steps(step[1], answer[1], list(known), indent + "    ")
                self._lines.append(f"{indent}nest(ctx, part)")
            else:
                self._step(step, answer, known, indent)
            known.extend(made_in([answer]))

    def _step(self, step: Any, answer: Any, known: list[str], indent: str) -> None:
        refusal = answer[0] == "error"
        if refusal:
            self._lines.append(f"{indent}with refused({answer[1]!r}):")
            indent += "    "
        verb = step[0]
        if verb in ("insert", "insert odd"):
            value = self._value(step[2] if verb == "insert" else ODDITIES[step[2]])
            target = ""
            if not refusal:
                name = f"ids.{step[1].removesuffix('s')}{len(self._names) + 1}"
                self._names[answer[1]["_id"]] = name
                target = f"{name} = "
            self._lines.append(f"{indent}{target}ctx.db.insert({step[1]!r}, {value})")
        elif verb == "look":
            self._lines.append(f"{indent}{self._question(step[1])}")
        elif verb == "ask":
            self._lines.append(f"{indent}ask(ctx, lambda ctx: {self._question(step[1])})")
        elif verb == "sweep":
            if not refusal and answer[1] and isinstance(answer[1][-1], str):
                self._lines.append(f"{indent}with refused({answer[1][-1]!r}):")
                indent += "    "
            self._lines.append(f"{indent}for document in islice({self._scan(step[1])}, {int(step[3])}):")
            self._lines.append(f'{indent}    ctx.db.patch(document["_id"], {self._fields(step[2])})')
        elif known:
            id = self._value(known[int(step[1]) % len(known)])
            named = id if step[-1] is None else f"{step[-1]!r}, {id}"
            more = ""
            if verb in ("patch", "replace"):
                more = ", " + (self._fields(step[2]) if verb == "patch" else self._value(step[2]))
            self._lines.append(f"{indent}ctx.db.{verb}({named}{more})")
        else:
            self._lines.append(f"{indent}pass  # {verb}, but there is no document yet")

    def _question(self, asked: Any) -> str:
        kind = asked["kind"]
        if kind == "get":
            return f"ctx.db.get({asked['table']!r}, {self._value(asked['ids'][0])})"
        if kind == "get many":
            return f"ctx.db.get_many({self._value(asked['ids'])})"
        if kind == "several":
            parts = (f"tried(lambda: {self._question(part)})" for part in asked["parts"])
            return f"[{', '.join(parts)}]"
        scan = self._scan(asked)
        if kind == "page":
            return f"{scan}.paginate({asked['options']!r})"
        if kind == "take":
            return f"{scan}.take({int(asked['count'])})"
        if kind == "stop early":
            return f"until({self._condition(asked['until'])}, {scan})"
        if kind == "follow":
            return f"followed(ctx, {scan}, {asked['link']!r}, {asked['to']!r})"
        return f"{scan}.{kind}()"

    def _scan(self, asked: Any) -> str:
        text = f"ctx.db.query({asked['table']!r})"
        if asked["index"] is not None:
            bounds: dict[str, list[str]] = {}
            for name, operator, bound in asked["bounds"]:
                value = self._value(bound[1]) if bound[0] == "set" else "UNSET"
                bounds.setdefault(name, []).append(value if operator == "eq" else f"{operator}({value})")
            inside = ", ".join(f"{name!r}: {' & '.join(parts)}" for name, parts in bounds.items())
            text += f".with_index({asked['index']!r}, {{{inside}}})"
        if asked["order"] is not None:
            text += f".order({asked['order']!r})"
        return text + "".join(f".filter({self._condition(each)})" for each in asked["filters"])

    @staticmethod
    def _condition(condition: Any) -> str:
        return f"lambda each: KINDS[{condition[1]!r}](at_path(each, {condition[0]!r}))"

    def _fields(self, fields: Any) -> str:
        inside = (
            f"{name!r}: {self._value(given[1]) if given[0] == 'set' else 'UNSET'}"
            for name, given in fields.items()
        )
        return f"{{{', '.join(inside)}}}"

    def _value(self, value: Any) -> str:
        """A value as Python spells it: ids by their names, numbers bit for bit."""
        if isinstance(value, str):
            if value in self._names:
                return self._names[value]
            return repr(value) if len(value) < 99 else f"{value[0]!r} * {len(value) - 1} + {value[-1]!r}"
        if isinstance(value, bytes) and len(value) > 99:
            return f"{value[:1]!r} * {len(value)}"
        if isinstance(value, Int64):
            return f"Int64({int(value)})"
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            [bits] = struct.unpack(">Q", struct.pack(">d", value))
            return f"double(0x{bits:X})"
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{name!r}: {self._value(each)}' for name, each in value.items())}}}"
        return repr(value)


# The words that scripts use.

ids = SimpleNamespace()
"""The documents of a script by name."""

_parts: list[Callable[[MutationCtx], None]] = []
_questions: list[Callable[[QueryCtx], Any]] = []


@internal_mutation
def run_part(ctx: MutationCtx) -> None:
    """The part that was nested last."""
    _parts.pop()(ctx)


@query
def answer(ctx: QueryCtx, number: int) -> Any:
    """A question by its number."""
    return _questions[number](ctx)


class Stage:
    """A backend, and what scripts do to it."""

    def __init__(self) -> None:
        self.backend = Backend.from_functions(run_part, answer)

    def push(self, schema: Schema) -> None:
        """Switch to a schema, if the documents fit it."""
        try:
            self.backend.push_schema(schema)
        except RewakeError as error:
            print(error)

    @contextmanager
    def mutation(self) -> Iterator[MutationCtx]:
        """One mutation; an ApplicationError undoes it."""
        try:
            with self.backend.run() as ctx:
                yield ctx
        except ApplicationError:
            pass

    def watch(self, question: Callable[[QueryCtx], Any]) -> LiveQuery[Any]:
        """A live query."""
        _questions.append(question)
        return self.backend.watch(answer, number=len(_questions) - 1)

    def ask(self, question: Callable[[QueryCtx], Any]) -> Any:
        """Ask once; a refusal is an answer."""
        _questions.append(question)
        return tried(lambda: self.backend.query(answer, number=len(_questions) - 1))


def ask(ctx: MutationCtx, question: Callable[[QueryCtx], Any]) -> Any:
    """Ask in a query of its own: a function reads one page at most."""
    _questions.append(question)
    return ctx.run_query(answer, number=len(_questions) - 1)


def nest(ctx: MutationCtx, part: Callable[[MutationCtx], None]) -> None:
    """Run a part as a mutation of its own, and go on if it fails."""
    _parts.append(part)
    try:
        ctx.run_mutation(run_part)
    except ApplicationError:
        pass


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Go on after an error of the database with this code."""
    try:
        yield
    except RewakeError as error:
        if error.code != code:
            raise


def tried(action: Callable[[], Any]) -> Any:
    """What it comes to, be it the text of an error."""
    try:
        return action()
    except (RewakeError, FunctionFailed, ApplicationError) as error:
        return str(error)


def until(is_last: Callable[[Any], bool], documents: Any) -> list[Any]:
    """The documents up to the first that passes, with it."""
    met = []
    for document in documents:
        met.append(document)
        if is_last(document):
            break
    return met


def followed(ctx: QueryCtx, documents: Any, link: str, table: str) -> list[Any]:
    """Documents, each with the one that a field points to."""
    pairs = []
    for document in documents:
        text = at_path(document, link)
        id = ctx.db.normalize_id(table, text) if isinstance(text, str) else None
        pairs.append([document, None if id is None else ctx.db.get(id)])
    return pairs


def double(bits: int) -> float:
    """The float of these bits."""
    number: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return number

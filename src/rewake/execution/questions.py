"""Questions: queries that somebody asks once, several of which travel to a reader together.

Floor 3, `execution`. What a reader does for one read by an id takes less than waking its process up. So
questions travel in batches, each as long as all of it is quickly done: one message, one snapshot, one answer,
or several where it takes longer than was thought.

    ask -> waits in line -> Batch -> OpenWave -> Ran* -> answers
                `-- again: its reader died, or is held up by another question

What ran while code was switched may have met the schema of other code, and is asked again.

How long a question takes is what its function took lately; one that has not run yet travels alone. Nothing is
written by a query, so one that is held up may be run a second time elsewhere; the first answer counts.

Not here: when a batch sets out (`question_desk.py`), readers (`reader_pool.py`), whose turn it is
(`waiting_line.py`), live queries, which come in waves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from typing import Protocol

from rewake.execution.calls import Failure, Success
from rewake.execution.lanes import Lane
from rewake.execution.runner import QueryJob, QueryRun
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_messages import Failed, FromWorker, OpenWave, Ran
from rewake.execution.worker_process import Worker
from rewake.handoff import Handoff

BATCH_SECONDS = 0.001
"""A batch is full when so much work is in it: some ten times what waking a process up costs."""
_HELD_UP_SECONDS = 0.02
"""After so long who is behind another question, or waits for its reader, is free to go elsewhere."""
_LOSSES_MAX = 5
_PATHS_MAX = 10_000
_UNKNOWN = -1


class Question(Handoff[tuple[QueryRun, int]], kw_only=True, eq=False):
    """One query that waits for a reader, or travels. It comes to a run and the timestamp of its snapshot.
    Implements `Taker`.
    """

    desk: Desk
    job: QueryJob
    lane: Lane
    seconds: float
    """How long it is thought to take."""
    deaths: int = 0
    """Readers that died while they ran it."""
    losses: int = 0
    """Readers that died while they had it."""

    def take(self, worker: Worker, /) -> None:
        """Travel with `worker`, and take others along."""
        self.desk.begin(worker, self)


class Desk(Protocol):
    """The desk, as questions and batches know it (`question_desk.py`)."""

    def begin(self, worker: Worker, question: Question) -> None:
        """Send `question` with `worker`, and whoever else can go."""
        ...

    def again(self, questions: Sequence[Question]) -> None:
        """Have questions wait once more, before all others."""
        ...

    def put_off(self, questions: Sequence[Question]) -> None:
        """The same, once it is known which code serves: these ran on what may be the schema of other code."""
        ...

    def given_up(self, question: Question, run: QueryRun) -> None:
        """Answer a question that took its readers with it, and so has no snapshot."""
        ...

    def held_up(self, batch: Batch) -> None:
        """The first batch of a reader takes longer than was thought: those behind it are free to go."""
        ...

    def over(self, batch: Batch) -> None:
        """All of the first batch of a reader is answered."""
        ...


class Readers(Protocol):
    """The pool, as the desk and its batches know it."""

    def took(self, worker: Worker) -> None:
        """A batch sets out: the reader is at work."""
        ...

    def freed(self, worker: Worker, *, served: int) -> None:
        """The last batch at a reader is answered."""
        ...

    def is_current(self, worker: Worker) -> bool:
        """Whether a reader is one of those that take work now."""
        ...

    def met_other_schema(self, worker: Worker, ts: int) -> bool:
        """Whether what a reader ran at `ts` counts for nothing: see `SwitchMoment.is_met`."""
        ...

    async def switched(self) -> None:
        """Wait until it is known which code serves."""
        ...

    async def latest_ts(self, lane: Lane) -> int:
        """The timestamp of a snapshot that is taken now."""
        ...

    def heard(self, ran: Ran) -> None:
        """The records of an answer go to the call log."""
        ...

    def failed(self, job: QueryJob, failure: Failure) -> QueryRun:
        """The run of a query that took its reader with it."""
        ...

    def verdict(self, worker: Worker, job: QueryJob, deaths: int) -> Failure | None:
        """What to fail `job` with; None to run it again."""
        ...


class Paces:
    """How long functions took lately, by path as callers write it."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def of(self, path: str) -> float:
        """How long the next run will take, about; infinite where nobody knows."""
        return self._seconds.get(path, inf)

    def learn(self, runs: Iterable[tuple[str, QueryRun]]) -> None:
        """One run counts for an eighth: a process that lost its processor for a moment is not a slow
        function, and a function that is slow now and then is one.
        """
        known = self._seconds
        for path, run in runs:
            if not isinstance(run.result, Success):
                continue  # Callers can make up any number of paths.
            if path in known:
                known[path] += (run.seconds - known[path]) / 8
                continue
            if len(known) >= _PATHS_MAX:
                known.clear()
            known[path] = run.seconds


class Batch:
    """Questions that travel with one reader, until the last is answered or the reader has died."""

    __slots__ = ("_answered", "_desk", "_paces", "_readers", "_timer", "is_quick", "questions", "worker")

    def __init__(
        self,
        desk: Desk,
        readers: Readers,
        paces: Paces,
        worker: Worker,
        questions: list[Question],
        *,
        seconds: float,
    ) -> None:
        """`seconds` is how long all of it is thought to take."""
        self._desk = desk
        self._readers = readers
        self._paces = paces
        self.worker = worker
        self.questions = questions
        self.is_quick = seconds < 2 * BATCH_SECONDS
        """Whether its reader is thought to be back soon; cleared when it is not."""
        # So many were answered, the first of them.
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None

    def send(self) -> None:
        """Set out."""
        self.worker.send(OpenWave([each.job for each in self.questions], None, is_in_parts=True))

    def lead(self) -> None:
        """From now on what the reader says is about this batch."""
        self.worker.hear = self._hear
        if self.is_quick or len(self.questions) > 1:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_HELD_UP_SECONDS, self._held_up)

    def at(self, number: int) -> Question | None:
        """The question that runs, by the reader's mark."""
        return self.questions[number] if self._answered <= number < len(self.questions) else None

    def waiting(self, behind: int = _UNKNOWN) -> list[Question]:
        """The questions that have no answer, of those behind the one of this number."""
        return [each for each in self.questions[behind + 1 :] if not each.done()]

    def lost(self, culprit: Question | None) -> None:
        """The reader has died: whoever was not answered is asked again, but for the one that it died of."""
        self._end()
        again = []
        for question in self.questions[self._answered :]:
            if question.done():
                continue
            question.losses += 1
            failure = None
            if question is culprit:
                question.deaths += 1
                failure = self._readers.verdict(self.worker, question.job, question.deaths)
            if failure is not None:
                self._desk.given_up(question, self._readers.failed(question.job, failure))
            elif question.losses >= _LOSSES_MAX and culprit is None:
                question.set_exception(WorkerLost())
            else:
                again.append(question)
        self._desk.again(again)

    def _hear(self, message: FromWorker) -> None:
        begin = self._answered
        if isinstance(message, Failed):
            # It is about the first that has no answer; the reader does not look at those behind it.
            question = self.questions[begin]
            self._answered = len(self.questions)
            self._finish()
            self._desk.again(self.waiting(begin))
            if not question.done():
                question.set_exception(message.error.error())
            return
        assert isinstance(message, Ran)
        answered = self.questions[begin : begin + len(message.runs)]
        self._answered += len(answered)
        if self._answered == len(self.questions):
            self._finish()  # First of all: the reader has work while we hand out answers.
        self._readers.heard(message)
        ts, runs = message.ts, message.runs
        self._paces.learn([(each.job.call.path, run) for each, run in zip(answered, runs, strict=True)])
        if self._readers.met_other_schema(self.worker, ts):
            self._desk.put_off([each for each in answered if not each.done()])
            return
        for question, run in zip(answered, runs, strict=True):
            if not question.is_settled:
                question.set_result((run, ts))

    def _held_up(self) -> None:
        """Let those behind the question that runs go elsewhere."""
        self._timer = None
        self.is_quick = False
        running = self.worker.mark.read()
        at = self._answered if running is None else running[0]
        self._desk.again(self.waiting(at))
        self._desk.held_up(self)

    def _finish(self) -> None:
        self._end()
        self._desk.over(self)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

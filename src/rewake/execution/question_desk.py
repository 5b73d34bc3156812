"""The question desk: which questions travel with which reader, and when they set out.

Floor 3, `execution`. Callers who wait for an answer before they ask again fall into step: all of them travel
at once, and while the reader runs their questions the front has nothing to do, and then the reader has
nothing. So a batch takes a third of them, and a second one sets out before the first is answered: one third
is run, one waits at the reader, one is answered and asks again.

    pose -> passes, or waits in line -> end of the turn -> a place behind a quick batch -> Batch -> reader
                                                         | little waits: until one is back
                                                         '- a reader at rest wakes up

Where nobody waits in line, and what has passed is together less than one batch takes, nobody is made to wait
in it: then there is nothing to be fair about.

Not here: readers (`reader_pool.py`), a batch under way (`questions.py`), whose turn it is
(`waiting_line.py`). Source of the third: measured, docs/decisions/0027-questions-travel-together.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from rewake.execution.idle_queue import IdleQueue
from rewake.execution.lanes import Lane
from rewake.execution.questions import BATCH_SECONDS, Batch, Paces, Question, Readers
from rewake.execution.runner import QueryJob, QueryRun, RunnerClosed
from rewake.execution.worker_process import Worker
from rewake.handoff import at_once

BATCH_QUESTIONS_MAX = 32
FEW_QUESTIONS = 4
"""So many are not divided: a message costs more than is won."""
LINGER_SECONDS = 0.0005
"""So much work waits for a reader that is thought to be back soon."""
_SHARE = 3
_BATCHES_MAX = 2  # At one reader.


class QuestionDesk:
    """Of one pool. Implements `Desk`. Used from one event loop."""

    def __init__(self, readers: Readers, idle: IdleQueue[Worker]) -> None:
        self._readers = readers
        self._idle = idle
        self._paces = Paces()
        # What each reader has, oldest first.
        self._batches: dict[Worker, deque[Batch]] = {}
        self._travelling = 0  # Questions in these.
        # How long what waits is thought to take, about: who gave up is not taken off.
        self._waiting_seconds = 0.0
        self._will_serve = False
        self.is_closed = False
        """Whether there will be no reader any more."""

    def pose(self, job: QueryJob, lane: Lane) -> Question:
        """Have `job` run on the latest snapshot, with others that are asked in this turn of the event loop,
        or while readers are at work.

        Raises:
            RunnerClosed: there will be no reader.
            Overloaded: it would wait for a reader for too long.
        """
        if self.is_closed:
            raise RunnerClosed()
        seconds = self._paces.of(job.call.path)
        question = Question(desk=self, job=job, lane=lane, seconds=seconds)
        waiting = self._waiting_seconds + seconds
        if waiting < BATCH_SECONDS and self._idle.pass_through(question):
            self._waiting_seconds = waiting
        else:
            self._idle.wait(question, lane)
            self._waiting_seconds += min(seconds, BATCH_SECONDS)
        if not self._will_serve:
            self.serve_soon()
        return question

    def begin(self, worker: Worker, question: Question) -> None:
        """Send `question` with `worker`, and whoever else can go."""
        callers = 1 + len(self._idle) + self._travelling
        most = min(BATCH_QUESTIONS_MAX, max(FEW_QUESTIONS, -(-callers // _SHARE)))
        questions, seconds = [question], question.seconds
        while seconds < BATCH_SECONDS and len(questions) < most:
            other = self._idle.next()
            if isinstance(other, Question) and other.seconds < BATCH_SECONDS:
                questions.append(other)
                seconds += other.seconds
                continue
            if other is not None:
                self._idle.wait_again(other)  # A wave, or a question that takes its time.
                self.serve_soon()
            break
        left = self._waiting_seconds - min(seconds, BATCH_SECONDS)
        self._waiting_seconds = max(0.0, left) if len(self._idle) else 0.0
        if not worker.is_alive:
            self.again(questions)
            return
        batch = Batch(self, self._readers, self._paces, worker, questions, seconds=seconds)
        batches = self._batches.setdefault(worker, deque())
        batches.append(batch)
        self._travelling += len(questions)
        self._readers.took(worker)
        batch.send()
        if batches[0] is batch:
            batch.lead()

    def again(self, questions: Sequence[Question]) -> None:
        """Have questions wait once more, before all others."""
        for question in questions:
            self._idle.wait_again(question)
            self._waiting_seconds += min(question.seconds, BATCH_SECONDS)
        self.serve_soon()

    def put_off(self, questions: Sequence[Question]) -> None:
        """The same, once it is known which code serves: these ran on what may be the schema of other code."""
        at_once(self._put_off(questions))

    async def _put_off(self, questions: Sequence[Question]) -> None:
        await self._readers.switched()
        self.again(questions)

    def given_up(self, question: Question, run: QueryRun) -> None:
        """Answer a question that took its readers with it, and so has no snapshot: with one of now."""
        at_once(self._given_up(question, run))

    async def _given_up(self, question: Question, run: QueryRun) -> None:
        try:
            ts = await self._readers.latest_ts(question.lane)
        except Exception as error:
            if not question.done():
                question.set_exception(error)
            return
        if not question.done():  # Another reader may have answered it meanwhile.
            question.set_result((run, ts))

    def held_up(self, batch: Batch) -> None:
        """The first batch of a reader takes longer than was thought: those behind it are free to go."""
        for behind in list(self._batches[batch.worker])[1:]:
            self.again(behind.waiting())

    def over(self, batch: Batch) -> None:
        """All of the first batch of a reader is answered: the next is its first, or it is free."""
        worker, count = batch.worker, len(batch.questions)
        batches = self._batches[worker]
        batches.popleft()
        self._travelling -= count
        if batches:
            batches[0].lead()
            self._idle.served(count)
            self.serve_soon()
        else:
            del self._batches[worker]
            self._readers.freed(worker, served=count)

    def lost(self, worker: Worker) -> None:
        """A reader has died with all that it had."""
        batches = self._batches.pop(worker, None)
        if batches is None:
            return
        culprit = None if worker.marked is None else batches[0].at(worker.marked[0])
        for batch in batches:
            self._travelling -= len(batch.questions)
            batch.lost(culprit)

    def close(self) -> None:
        """There will be no reader any more for who waits."""
        self.is_closed = True
        self._idle.fail(RunnerClosed())

    def serve_soon(self) -> None:
        """See at the end of this turn who can set out."""
        if not self._will_serve:
            self._will_serve = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._will_serve = False
        self._idle.count_passed()
        if self.is_closed:
            self._idle.fail(RunnerClosed())
        while len(self._idle) and self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Whether somebody set out."""
        worker = self._with_a_place()
        if worker is None:
            return not self._lingers() and self._idle.serve()
        following = self._idle.next()
        if isinstance(following, Question) and following.seconds < BATCH_SECONDS:
            self.begin(worker, following)
            return True
        if following is None:
            return False
        self._idle.wait_again(following)  # It takes a reader for itself.
        return self._idle.serve()

    def _with_a_place(self) -> Worker | None:
        """A reader that will soon be able to go on with another batch."""
        for worker, batches in self._batches.items():
            if (
                len(batches) < _BATCHES_MAX
                and batches[0].is_quick
                and worker.is_alive
                and self._readers.is_current(worker)
            ):
                return worker
        return None

    def _lingers(self) -> bool:
        """Whether what waits goes with a reader that is back soon, rather than have another wake up."""
        is_little = self._waiting_seconds < LINGER_SECONDS
        return is_little and any(batches[0].is_quick for batches in self._batches.values())

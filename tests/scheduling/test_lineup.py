"""Which due jobs may begin now, and when to look again."""

from __future__ import annotations

from rewake.database import ScheduledJob
from rewake.scheduling import Lineup


def jobs(*ids: str) -> list[ScheduledJob]:
    return [ScheduledJob(id, "m.js:f", "{}", float(n)) for n, id in enumerate(ids)]


def ids(begun: list[ScheduledJob]) -> list[str]:
    return [job.id for job in begun]


def test_jobs_begin_in_order_as_long_as_there_are_places() -> None:
    lineup = Lineup(running_max=2)
    assert ids(lineup.looked(jobs("a", "b", "c"), now=0)) == ["a", "b"]
    assert lineup.is_full
    assert lineup.running == {"a", "b"}
    assert lineup.looked(jobs("a", "b", "c"), now=0) == []


def test_a_job_that_runs_does_not_begin_again_while_it_is_still_seen_as_due() -> None:
    lineup = Lineup(running_max=2)
    lineup.looked(jobs("a"), now=0)
    assert ids(lineup.looked(jobs("a", "b"), now=0)) == ["b"]
    lineup.ended("a")
    assert ids(lineup.looked(jobs("c", "d"), now=0)) == ["c"]


def test_enough_jobs_are_looked_at_to_fill_every_place() -> None:
    lineup = Lineup(running_max=3)
    assert lineup.look_at_most == 3
    lineup.looked(jobs("a", "b"), now=0)
    lineup.not_run("b", now=0)
    # `a` runs and `b` waits, and both may come first.
    assert lineup.look_at_most == 5


def test_what_could_not_be_run_waits_longer_each_time() -> None:
    lineup, now, pauses = Lineup(running_max=1), 0.0, []
    for _ in range(20):
        assert ids(lineup.looked(jobs("a"), now=now)) == ["a"]
        lineup.not_run("a", now=now)
        pause = lineup.seconds_to_retry(now=now)
        assert pause is not None
        assert lineup.looked(jobs("a"), now=now + pause - 0.01) == []
        pauses.append(pause)
        now += pause
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == 7_200.0


def test_a_job_that_waits_stands_in_nobodys_way() -> None:
    lineup = Lineup(running_max=1)
    lineup.looked(jobs("a"), now=0)
    lineup.not_run("a", now=0)
    assert ids(lineup.looked(jobs("a", "b"), now=0.1)) == ["b"]


def test_there_is_nothing_to_wait_for_while_the_job_runs_again_or_has_no_place() -> None:
    lineup = Lineup(running_max=2)
    lineup.looked(jobs("a"), now=0)
    lineup.not_run("a", now=0)
    assert lineup.seconds_to_retry(now=0.1) == 0.4
    lineup.looked(jobs("a"), now=1)
    assert lineup.seconds_to_retry(now=1) is None, (
        "looking again at once, over and over, would find it running"
    )
    lineup.not_run("a", now=1)
    lineup.looked(jobs("b", "c"), now=1)
    assert lineup.seconds_to_retry(now=100) is None


def test_a_job_that_waited_and_was_cancelled_meanwhile_is_forgotten() -> None:
    lineup = Lineup(running_max=1)
    lineup.looked(jobs("a"), now=0)
    lineup.not_run("a", now=0)
    assert lineup.looked([], now=0.1) == []
    assert lineup.seconds_to_retry(now=0.1) == 0.4, "it may have been out of sight: its time has not come"
    assert lineup.looked([], now=1) == []
    assert lineup.seconds_to_retry(now=1) is None


def test_where_many_cannot_be_run_no_further_ones_are_tried() -> None:
    lineup, now = Lineup(running_max=8), 0.0
    backlog = jobs(*(f"job {n}" for n in range(1_000)))
    begun = 0
    while looked := lineup.looked(backlog[: lineup.look_at_most], now=now):
        begun += len(looked)
        for job in looked:
            lineup.not_run(job.id, now=now)
    assert 100 <= begun <= 108
    assert lineup.look_at_most <= 116, "the backlog stays in the database"
    # The disk works again: all are run, those that waited first.
    now += 1.0
    assert ids(lineup.looked(backlog[: lineup.look_at_most], now=now)) == [f"job {n}" for n in range(8)]

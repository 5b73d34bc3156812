"""Who begins a wave at once, who joins it and begins when it is over, and who is told with the next."""

from __future__ import annotations

import pytest

from tests.reactivity.simulated_runner import call
from tests.reactivity.test_live_queries import Stage, play
from tests.reactivity.watcher import Watcher


def begins(stage: Stage, watcher: Watcher) -> list[int]:
    """The position of the log at each begin of a wave, from now on."""
    begun: list[int] = []
    begin = watcher.begin_wave

    def noted() -> bool:
        begun.append(stage.live.position)
        return begin()

    watcher.begin_wave = noted  # type: ignore[method-assign]
    return begun


async def gated(stage: Stage) -> None:
    """From now on runs wait until `pass_gate`, twice each: for their snapshot, and for their end."""
    await stage.rest()
    stage.runner.is_gated = True


def test_who_asked_for_nothing_begins_when_the_results_are_there():
    async def story(stage: Stage) -> None:
        quiet, asking = stage.watch("m:get"), stage.watch("m:get")
        await gated(stage)
        first, second = begins(stage, quiet), begins(stage, asking)
        stage.runner.commit_and_deliver(("a", 1))
        asking.session.request_wave()
        await stage.rest()
        assert (first, second) == ([], [11])
        await stage.pass_gate()
        stage.runner.commit_and_deliver(("b", 1))
        await stage.pass_gate()
        assert (first, second) == ([21], [11])
        assert quiet.transitions[1:] == asking.transitions[1:] == [(11, {0: '"v0 m:get a 1"'})]

    play(story)


def test_who_asks_for_something_meanwhile_is_told_with_the_next_wave():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await gated(stage)
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        watcher.add(7, call("m:get", "b"))
        while stage.runner.gates:
            await stage.pass_gate()
        assert watcher.transitions[1:] == [(11, {0: '"v0 m:get a 1"', 7: '"v0 m:get b None"'})]

    play(story)


def test_who_waits_for_more_than_the_wave_ran_is_told_with_the_next_in_any_case():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get", "m:odd_fails")
        watcher.add(2, call("m:get", "b"))
        await gated(stage)
        for value in range(1, 9):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
            # What nobody ran in this wave is touched before it has its snapshot, again and again.
            stage.runner.commit_and_deliver(("b", value))
            await stage.pass_gate()
            while stage.runner.gates:
                await stage.pass_gate()
        assert watcher.shown[0] == '"v0 m:get a 8"'
        assert len(watcher.transitions) >= 8, "it is one wave late at the most"

    play(story)


def test_a_session_that_takes_no_wave_in_one_step_begins_the_next():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        watcher.shows = False
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert watcher.transitions[1:] == [(11, {0: '"v0 m:get a 1"'})]
        assert not watcher.session.has_news

    play(story)


def test_a_session_that_fails_when_it_is_shown_a_wave_is_dropped_alone():
    async def story(stage: Stage) -> None:
        bad, good = stage.watch("m:get"), stage.watch("m:get")
        await stage.rest()

        def show(wave: object, updates: object) -> bool:
            raise RuntimeError("a mistake of the house")

        bad.show = show  # type: ignore[method-assign]
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert bad.is_broken
        assert good.shown == {0: '"v0 m:get a 1"'}

    play(story)


def test_a_session_that_is_closed_while_its_wave_runs_is_left_alone():
    async def story(stage: Stage) -> None:
        closed, other = stage.watch("m:get"), stage.watch("m:get")
        await gated(stage)
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        closed.session.close()
        while stage.runner.gates:
            await stage.pass_gate()
        assert len(closed.transitions) == 1
        assert len(other.transitions) == 2

    play(story)


def test_everybody_in_a_wave_that_breaks_is_dropped_whether_begun_or_not():
    async def story(stage: Stage) -> None:
        quiet, asking = stage.watch("m:get"), stage.watch("m:get")
        await stage.rest()
        stage.runner.breaks_next = 1
        stage.runner.commit_and_deliver(("a", 1))
        asking.session.request_wave()
        await stage.rest()
        assert quiet.is_broken
        assert asking.is_broken

    play(story)


def test_a_snapshot_is_held_only_for_who_shows_more_than_the_wave_runs():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        watcher.add(1, call("m:get", "b"))
        watcher.remove(0)
        await stage.rest()
        watcher.add(2, call("m:get", "c"))
        await stage.rest()
        assert stage.runner.let_go == [True, True, False]

    play(story)


@pytest.mark.parametrize(
    ("seconds", "keys", "waves"), [(0.0001, "abcd", 1), (0.01, "abcd", 2), (0.0001, "abcde", 2)]
)
def test_work_of_many_or_that_takes_long_is_shared_by_two_waves(seconds: float, keys: str, waves: int):
    async def story(stage: Stage) -> None:
        stage.runner.seconds_each = seconds
        stage.watch("m:get", key="known")
        await stage.rest()
        before = stage.runner.waves_opened
        await gated(stage)
        watchers = [stage.watch("m:get", key=key) for key in keys]
        await stage.rest()
        assert stage.live._waves.under_way == waves
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert stage.runner.waves_opened == before + waves
        told = [watcher.transitions for watcher in watchers]
        assert told == [[(1, {0: f'"v0 m:get {key} None"'})] for key in keys]

    play(story)


def test_one_query_that_takes_long_is_run_once_for_all_who_show_it():
    async def story(stage: Stage) -> None:
        stage.runner.seconds_each = 0.01
        watchers = [stage.watch("m:get") for _ in range(8)]
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        assert len(stage.runner.runs) == 2
        assert all(watcher.ts == 11 for watcher in watchers)

    play(story)


def test_a_wave_is_shown_in_the_step_in_which_its_results_are_known():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await gated(stage)
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        await stage.pass_gate()
        (gate,) = stage.runner.gates
        steps: list[int] = []
        gate.add_done_callback(lambda _: steps.append(len(watcher.transitions)))
        await stage.pass_gate()
        # Our callback comes behind the one of who waited first.
        assert steps == [2]

    play(story)


def test_who_is_shown_what_is_stale_already_is_told_again_and_others_go_on():
    async def story(stage: Stage) -> None:
        watcher, other = stage.watch("m:get"), stage.watch("m:get", key="b")
        await stage.rest()
        (entry, *_) = (each for each in stage.live._entries.values() if each.call.args == '{"key":"a"}')
        # As where the code was replaced while the run travelled: the row of the switch is still to come.
        entry.stale_since = stage.live.position + 1
        watcher.session.await_result(watcher.session._subscriptions[0])
        stage.live.await_wave(watcher.session)
        stage.runner.commit_and_deliver(("b", 1))
        await stage.rest()
        assert other.shown == {0: '"v0 m:get b 1"'}

    play(story)


def test_the_reader_has_a_wave_before_who_wrote_is_answered():
    async def story(stage: Stage) -> None:
        stage.watch("m:get")
        writer = stage.watch()
        await stage.rest()
        order: list[str] = []
        begin = writer.begin_wave

        def noted() -> bool:
            order.append(f"{stage.runner.asked_for} waves asked for")
            return begin()

        writer.begin_wave = noted  # type: ignore[method-assign]
        stage.runner.commit_and_deliver(("a", 1))
        writer.session.request_wave()
        await stage.rest()
        assert order == ["2 waves asked for"]

    play(story)

"""A chorus: who joins it, who leaves it and with what, and that a wave touches it as one."""

from __future__ import annotations

from tests.reactivity.simulated_runner import call
from tests.reactivity.test_live_queries import ANNA, Stage, play
from tests.reactivity.watcher import Watcher


async def singing(stage: Stage, *paths: str, count: int = 3) -> list[Watcher]:
    """Watchers that were shown one query together once, at 0, 1 and 2 in turn."""
    watchers = [stage.watch(*(paths or ("m:get",))) for _ in range(count)]
    await stage.rest()
    for value in range(3):
        stage.runner.commit_and_deliver(("a", value))
        await stage.rest()
    assert [watcher.sung for watcher in watchers] == [1] * count
    return watchers


def sung(watchers: list[Watcher]) -> list[int]:
    return [watcher.sung for watcher in watchers]


def test_who_was_shown_one_query_twice_in_a_row_is_shown_it_together_with_others():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        entry = next(iter(stage.live._entries.values()))
        assert (entry.subscription_count, len(entry.subscriptions), entry.is_shared) == (3, 0, True)
        assert stage.live.figures().subscriptions == 3
        assert len(entry.choruses or ()) == 1
        late = stage.watch("m:get")
        await stage.rest()
        for value in range(3, 6):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert sung([*watchers, late]) == [4, 4, 4, 1]
        assert entry.choruses is not None
        assert [len(chorus) for chorus in entry.choruses.values()] == [4]

    play(story)


def test_one_alone_makes_no_chorus():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        for value in range(5):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert watcher.sung == 0

    play(story)


def test_who_has_more_than_one_query_touched_leaves_and_is_shown_both_at_once():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        watchers[0].add(7, call("m:get", "b"))
        await stage.rest()
        for value in range(3, 6):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert sung(watchers) == [3, 4, 4]
        stage.runner.commit_and_deliver(("a", 8), ("b", 8))
        await stage.rest()
        assert watchers[0].transitions[-1] == (watchers[1].ts, {0: '"v0 m:get a 8"', 7: '"v0 m:get b 8"'})
        assert sung(watchers) == [3, 5, 5]

    play(story)


def test_who_asks_for_something_while_the_wave_runs_is_owed_what_the_chorus_is_owed():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        watchers[1].session.request_wave()
        watchers[2].add(7, call("m:get", "b"))
        while stage.runner.gates:
            await stage.pass_gate()
        assert [watcher.shown[0] for watcher in watchers] == ['"v0 m:get a 5"'] * 3
        assert watchers[2].shown[7] == '"v0 m:get b None"'
        assert sung(watchers) == [2, 1, 1]

    play(story)


def test_who_asked_for_a_wave_meanwhile_joins_nobody_who_is_owed_a_result():
    async def story(stage: Stage) -> None:
        watchers = [stage.watch("m:get") for _ in range(2)]
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 0))
        await stage.rest()
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", 1))
        await stage.rest()
        watchers[1].session.request_wave()
        await stage.pass_gate()
        # The wave will show 1 to both, for the second time in a row, and owe them 2 from then on.
        stage.runner.commit_and_deliver(("a", 2))
        while stage.runner.gates:
            await stage.pass_gate()
        for watcher in watchers:
            watcher.check()
            assert watcher.shown == {0: '"v0 m:get a 2"'}

    play(story)


def test_what_is_touched_again_while_the_wave_runs_is_shown_again():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        await stage.pass_gate()
        stage.runner.commit_and_deliver(("a", 6))
        while stage.runner.gates:
            await stage.pass_gate()
        assert sung(watchers) == [3, 3, 3]
        assert [watcher.shown[0] for watcher in watchers] == ['"v0 m:get a 6"'] * 3

    play(story)


def test_one_query_asked_twice_is_shown_twice():
    async def story(stage: Stage) -> None:
        twice, other = stage.watch("m:get"), stage.watch("m:get")
        await stage.rest()
        for value in range(3):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        twice.add(7, call("m:get", "a"))
        await stage.rest()
        stage.runner.commit_and_deliver(("a", 7))
        await stage.rest()
        assert twice.shown == {0: '"v0 m:get a 7"', 7: '"v0 m:get a 7"'}
        assert other.sung == 2

    play(story)


def test_a_chorus_that_cannot_be_told_parts_and_each_is_told():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        watchers[0].shows = False
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        assert [watcher.shown[0] for watcher in watchers] == ['"v0 m:get a 5"'] * 3
        assert sung(watchers) == [1, 1, 1]

    play(story)


def test_who_has_outgrown_the_chorus_is_told_alone():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        watchers[0].has_outgrown = True
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        assert [watcher.shown[0] for watcher in watchers] == ['"v0 m:get a 5"'] * 3
        assert sung(watchers) == [1, 2, 2]

    play(story)


def test_who_breaks_while_it_is_told_leaves_the_others_alone():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        watchers[0].breaks = True
        for value in (5, 6):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert watchers[0].session.is_closed
        assert sung(watchers) == [2, 3, 3]

    play(story)


def test_everybody_in_a_chorus_whose_wave_breaks_is_dropped():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        stage.runner.breaks_next = 1
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        assert all(watcher.is_broken for watcher in watchers)
        other = stage.watch("m:get")
        await stage.rest()
        assert other.shown == {0: '"v0 m:get a 5"'}

    play(story)


def test_a_chorus_that_everybody_left_leaves_nothing_behind():
    async def story(stage: Stage) -> None:
        watchers = await singing(stage)
        entry = next(iter(stage.live._entries.values()))
        stage.runner.is_gated = True
        stage.runner.commit_and_deliver(("a", 5))
        await stage.rest()
        for watcher in watchers:
            watcher.session.close()
        while stage.runner.gates:
            await stage.pass_gate()
        assert entry.choruses is None
        assert entry.subscription_count == 0
        assert not stage.live._waves._dirty

    play(story)


def test_a_question_that_turns_out_to_read_the_identity_parts_its_chorus():
    async def story(stage: Stage) -> None:
        stage.runner.commit_and_deliver(("a", 2))
        other = stage.watch("m:sometimes")
        await stage.rest()
        anna = stage.watch("m:sometimes", identity=ANNA)
        await stage.rest()
        for value in (4, 6, 8):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert sung([anna, other]) == [1, 1]
        # Odd numbers are shown with a name: what the watchers check is that it is their own.
        for value in (5, 7, 9):
            stage.runner.commit_and_deliver(("a", value))
            await stage.rest()
        assert "anna" in anna.shown[0]
        assert "anna" not in other.shown[0]
        assert sung([anna, other]) == [1, 1]

    play(story)

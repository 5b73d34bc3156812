"""A session's queue of changes: what a wave covers is what was asked before it began."""

from __future__ import annotations

import asyncio

from rewake.auth import ANONYMOUS, Admin, Grant, Identity, Scope, User
from rewake.execution import Visibility
from rewake.functions import FunctionKind
from rewake.reactivity import visibility_of
from tests.reactivity.simulated_runner import call
from tests.reactivity.test_live_queries import Stage, play


def test_only_holders_of_the_admin_key_see_internal_functions():
    def seen(identity: Identity, kind: FunctionKind = "query") -> Visibility:
        return visibility_of(identity, "m:f", kind)

    assert seen(Admin()) is seen(Admin(User("{}"))) is Visibility.INTERNAL
    assert seen(ANONYMOUS) is seen(User("{}")) is Visibility.PUBLIC
    reads = Admin(grant=Grant("k", frozenset({Scope.READ})))
    assert seen(reads, "mutation") is Visibility.DENIED


def test_what_is_added_during_a_wave_waits_for_the_next():
    async def story(stage: Stage) -> None:
        stage.runner.is_gated = True
        watcher = stage.watch("m:get")
        await stage.rest()
        watcher.add(7, call("m:get", "b"))
        stage.runner.is_gated = False
        while stage.runner.gates:
            await stage.pass_gate()
        assert [sorted(changed) for _, changed in watcher.transitions] == [[0], [7]]

    play(story)


def test_a_query_added_and_removed_before_the_wave_is_never_run():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        watcher.remove(0)
        await stage.rest()
        assert watcher.transitions == [(1, {})]
        assert stage.runner.runs == []
        assert not stage.live._entries

    play(story)


def test_a_query_id_used_again_shows_the_new_query_and_leaks_nothing():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        await stage.rest()
        watcher.add(0, call("m:get", "b"))
        await stage.rest()
        assert watcher.shown == {0: '"v0 m:get b None"'}
        watcher.session.close()
        assert set(stage.live._entries.values()) == set(stage.live._unused.sizes)

    play(story)


def test_every_query_is_answered_again_under_a_new_identity():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get", "m:whoami")
        await stage.rest()
        watcher.become(User('{"n":1.0}'))
        await stage.rest()
        assert sorted(watcher.transitions[-1][1]) == [0, 1]

    play(story)


def test_a_closed_session_hears_nothing_and_takes_nothing():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        watcher.session.close()
        watcher.session.add(3, call("m:get", "a"), None)
        watcher.session.request_wave()
        await asyncio.sleep(0)
        await stage.rest()
        assert watcher.transitions == []
        assert stage.runner.waves_opened == 0

    play(story)


def test_a_notice_goes_with_one_result_that_is_sent_again_for_it():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get", "m:whoami")
        await stage.rest()
        runs = len(stage.runner.runs)
        watcher.session.tell("[ERROR] first")
        watcher.session.tell("[ERROR] second")
        await stage.rest()
        assert watcher.log_lines == [(0, "[ERROR] first"), (0, "[ERROR] second")]
        assert list(watcher.transitions[-1][1]) == [0]
        assert len(stage.runner.runs) == runs, "nothing runs for it"
        watcher.session.request_wave()
        await stage.rest()
        assert len(watcher.log_lines) == 2

    play(story)


def test_a_notice_waits_for_the_first_query():
    async def story(stage: Stage) -> None:
        watcher = stage.watch()
        watcher.session.tell("[ERROR] broken")
        await stage.rest()
        assert watcher.transitions == []
        watcher.add(4, call("m:get", "a"))
        await stage.rest()
        assert watcher.log_lines == [(4, "[ERROR] broken")]
        watcher.session.close()
        watcher.session.tell("[ERROR] nobody hears")
        await stage.rest()
        assert len(watcher.log_lines) == 1

    play(story)


def test_a_notice_is_shown_to_one_client_and_its_neighbour_is_left_alone():
    async def story(stage: Stage) -> None:
        told, other = stage.watch("m:get"), stage.watch("m:get")
        await stage.rest()
        told.session.tell("[INFO] for one")
        await stage.rest()
        assert told.log_lines == [(0, "[INFO] for one")]
        assert other.log_lines == []
        assert len(other.transitions) == 1

    play(story)

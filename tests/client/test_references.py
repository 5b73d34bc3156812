"""References stand for paths wherever a path may stand."""

from __future__ import annotations

from rewake.client import ActionReference, Client, MutationReference, QueryReference, SyncClient
from rewake.client.references import action, mutation, path_of, query
from tests.client.served_model import ServedModel, against_model


@query("counters:get")
def get(*, name: str) -> float:
    raise NotImplementedError


@mutation("counters:add")
def add(*, name: str, by: float) -> float:
    raise NotImplementedError


@action("acts:note")
def note(*, number: float) -> float:
    raise NotImplementedError


def test_a_decorated_signature_is_a_reference() -> None:
    assert (get, add, note) == (
        QueryReference("counters:get"),
        MutationReference("counters:add"),
        ActionReference("acts:note"),
    )
    assert [path_of(each) for each in (get, add, note, "a:b")] == [
        "counters:get",
        "counters:add",
        "acts:note",
        "a:b",
    ]


@against_model
async def test_a_client_takes_references(served: ServedModel) -> None:
    async with Client(served.url) as client:
        assert await client.mutation(add, name="a", by=1) == 1.0
        assert await client.query(get, name="a") == 1.0
        assert await client.action(note, number=2) == 2.0
        assert await anext(client.watch(get, name="a")) == 1.0
        assert (await anext(client.watch_results(get, name="a"))).value == 1.0


def test_a_synchronous_client_has_the_same_verbs() -> None:
    for verb in ("query", "mutation", "action", "watch", "watch_results"):
        assert callable(getattr(SyncClient, verb))

from __future__ import annotations

from rewake.database import SYSTEM_TABLES, CatalogCache, IndexState, apply_schema
from rewake.database.catalog import EMPTY_CATALOG, load_catalog
from rewake.schema import define_schema, define_table, v
from tests.database.world import World, query


def test_a_catalog_read_from_its_documents_is_the_one_that_was_made(world: World) -> None:
    schema = define_schema(
        {
            "a": define_table({"n": v.number()})
            .index("by_n", ["n"])
            .index("staged", ["n", "n2"], staged=True),
            "b": define_table(v.any()),
        },
        schema_validation=False,
    )
    world.mutate(lambda tx: apply_schema(tx, schema))
    world.insert("c", {})
    with world.reader.begin() as snapshot:
        known = snapshot.catalog
        loaded = load_catalog(world.reader._store)
    assert loaded.tables == known.tables
    assert loaded.schema == known.schema
    assert loaded.numbers == known.numbers
    assert loaded.tables["a"].indexes["staged"].state is IndexState.READY
    assert loaded.tables["a"].indexes["staged"].staged
    assert [table.name for table in loaded.user_tables()] == ["a", "b", "c"]
    assert loaded.table_name(10_001) == "a"
    assert loaded.table_name(9) is None


def test_every_index_has_an_id_of_its_own(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, define_schema({"a": define_table(v.any()).index("x", ["x"])})))
    world.insert("b", {})
    with world.reader.begin() as snapshot:
        catalog = snapshot.catalog
    ids = [id for t in catalog.tables.values() for id in (t.by_id, t.by_creation_time)]
    ids += [index.id for t in catalog.tables.values() for index in t.indexes.values()]
    assert len(ids) == len(set(ids))
    assert catalog.index_ids() == set(ids)


def test_system_tables_lie_where_they_always_did() -> None:
    """These numbers are in data files. A change here needs a step of the format."""
    assert [(table.name, table.number, table.tablet, table.by_id) for table in SYSTEM_TABLES] == [
        ("_tables", 513, 1, 10),
        ("_indexes", 514, 2, 20),
        ("_schemas", 515, 3, 30),
        ("_modules", 516, 4, 40),
        ("_storage", 517, 5, 50),
        ("_scheduled_functions", 518, 6, 60),
        ("_backfills", 519, 7, 70),
        ("_environment_variables", 521, 9, 90),
        ("_blobs", 532, 20, 200),
        ("_settings", 533, 21, 210),
        ("_crons", 534, 22, 220),
        ("_cron_runs", 535, 23, 230),
        ("_admin_keys", 543, 31, 310),
        ("_imports", 562, 50, 500),
        ("_tablets", 563, 51, 510),
        ("_exports", 557, 45, 450),
        ("_deploys", 552, 40, 400),
        ("_deploy_parts", 553, 41, 410),
    ]
    declared = {
        f"{table.name}.{name}": (index.id, index.fields)
        for table in SYSTEM_TABLES
        for name, index in table.indexes.items()
    }
    assert declared == {
        "_tables.by_name": (12, ("name",)),
        "_tables.by_number": (13, ("number",)),
        "_indexes.by_tablet_and_name": (22, ("tablet", "name")),
        "_schemas.by_state": (32, ("state",)),
        "_modules.by_path": (42, ("path",)),
        "_scheduled_functions.by_due": (62, ("state.kind", "scheduledTime")),
        "_scheduled_functions.by_completed": (63, ("completedTime",)),
        "_environment_variables.by_name": (92, ("name",)),
        "_blobs.by_key": (202, ("key",)),
        "_blobs.by_file": (203, ("file",)),
        "_blobs.by_state": (204, ("state", "since")),
        "_settings.by_name": (212, ("name",)),
        "_crons.by_due": (222, ("state.kind", "scheduledTime")),
        "_crons.by_identifier": (223, ("identifier",)),
        "_cron_runs.by_cron": (232, ("cron",)),
        "_admin_keys.by_key": (312, ("key",)),
        "_tablets.by_tablet": (512, ("tablet",)),
        "_exports.by_state": (452, ("state",)),
        "_deploys.by_number": (402, ("number",)),
        "_deploy_parts.by_sources": (412, ("sources", "part")),
        "_deploy_parts.by_part": (413, ("part", "sources")),
    }


def test_catalogs_are_documents_that_wake_who_read_them(world: World) -> None:
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        assert list(transaction.system.scan(query("_tables"))) == []
        read_set = transaction.read_set
    result = world.mutate(lambda tx: tx.insert("t", {}))
    assert read_set.touched_by(result.rows[0])


def test_the_cache_keeps_the_latest_two(world: World) -> None:
    cache = CatalogCache()
    reads = world.group._store
    assert cache.at(0, reads) is EMPTY_CATALOG
    first = cache.at(5, reads)
    assert cache.at(5, reads) is first
    cache.keep(9, EMPTY_CATALOG)
    assert cache.at(5, reads) is first
    assert cache.at(9, reads) is EMPTY_CATALOG
    assert cache.at(0, reads) is not EMPTY_CATALOG


def test_a_reader_of_another_process_reloads_when_the_catalog_changed(world: World) -> None:
    other = type(world.database)(
        world.database.engine, environment=world.environment, limits=world.database.limits
    )
    reader = other.reader()
    with reader.begin() as snapshot:
        assert snapshot.catalog.user_tables() == []
    world.insert("t", {"n": 1})
    world.insert("t", {"n": 2})
    with reader.begin() as snapshot:
        assert len(list(snapshot.transaction().scan(query("t")))) == 2
        assert snapshot.catalog_ts < snapshot.ts
    reader.close()

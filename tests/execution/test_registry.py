"""Finding functions: what callers see, and what they must not see."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.execution import FunctionNotFound, Visibility
from rewake.execution.registry import WrongFunctionKind, registry_of
from rewake.protocol import FunctionPath
from tests.deployment.stage import load

PUBLIC, INTERNAL = Visibility.PUBLIC, Visibility.INTERNAL
MODULE = """
    from rewake import MutationCtx, QueryCtx, internal_query, mutation, query

    @query
    def seen(ctx: QueryCtx, n: int) -> str: ...

    @internal_query
    def hidden(ctx: QueryCtx): ...

    @mutation
    def default(ctx: MutationCtx) -> None: ...
"""


@pytest.fixture
def registry(tmp_path):
    return load(tmp_path, dir__m=MODULE)


def test_every_form_of_a_path_names_the_same_function(registry):
    for path in ("dir/m:seen", "dir/m.js:seen"):
        assert registry.find(path, PUBLIC).path.public == "dir/m:seen"
    assert registry.find("dir/m", PUBLIC) is registry.find("dir/m:default", PUBLIC)


def test_internal_functions_look_like_missing_ones_to_the_public(registry):
    texts = []
    for path in ("dir/m:hidden", "dir/m:missing"):
        with pytest.raises(FunctionNotFound) as caught:
            registry.find(path, PUBLIC)
        texts.append(caught.value.message.replace(path, "X"))
    assert texts == ["Could not find public function for 'X'."] * 2
    for _ in range(2):
        assert registry.find("dir/m:hidden", INTERNAL, "query").is_internal
        with pytest.raises(FunctionNotFound):
            registry.find("dir/m:hidden", PUBLIC, "query")
    with pytest.raises(FunctionNotFound, match=r"Could not find function for 'dir/m:missing'. Did you"):
        registry.find("dir/m:missing", INTERNAL)


def test_the_wrong_kind_is_named(registry):
    with pytest.raises(WrongFunctionKind) as caught:
        registry.find("dir/m:seen", PUBLIC, "mutation")
    assert caught.value.message == "Trying to execute dir/m.js:seen as Mutation, but it is defined as Query."
    assert registry.find("dir/m:seen", PUBLIC, "query").kind == "query"


def test_a_function_is_its_own_reference_by_the_first_of_its_names(registry):
    record = registry.find("dir/m:seen", PUBLIC)
    other = replace(record, path=FunctionPath("other", "seen"))
    both = registry_of([record, other, registry.find("dir/m", PUBLIC)], registry.schema)
    for _ in range(2):
        assert both.record_of(record.function) is record
    with pytest.raises(FunctionNotFound, match="is not exported"):
        both.record_of(registry.find("dir/m:hidden", INTERNAL).function)


def test_a_path_that_is_none_is_not_found(registry):
    with pytest.raises(FunctionNotFound):
        registry.find("a:b:c", PUBLIC)
    assert registry.code_hash("a:b:c") is registry.module_of("a:b:c") is None
    assert registry.module_of("nowhere:f") == "nowhere"
    assert registry.code_hash("nowhere:f") is None
    assert registry.code_hash("dir/m:whatever") == registry.module_hashes["dir/m"]


def test_a_function_object_is_its_own_reference(registry, tmp_path):
    record = registry.find("dir/m:seen", PUBLIC)
    assert registry.record_of(record.function) is record
    other = load(tmp_path)
    with pytest.raises(FunctionNotFound, match="is not exported by a module of this project"):
        other.record_of(record.function)


def test_the_function_spec(registry):
    spec = {entry["identifier"]: entry for entry in registry.function_spec()}
    assert list(spec) == ["dir/m.js:default", "dir/m.js:hidden", "dir/m.js:seen"]
    assert spec["dir/m.js:seen"] == {
        "identifier": "dir/m.js:seen",
        "functionType": "Query",
        "visibility": {"kind": "public"},
        "args": {"type": "object", "value": {"n": {"fieldType": {"type": "number"}, "optional": False}}},
        "returns": {"type": "string"},
    }
    assert spec["dir/m.js:hidden"]["visibility"] == {"kind": "internal"}
    assert spec["dir/m.js:hidden"]["returns"] == {"type": "any"}

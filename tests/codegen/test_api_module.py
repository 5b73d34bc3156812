"""`api.d.ts` and `api.js`. That TypeScript accepts them is shown in `test_generated_files.py`."""

from __future__ import annotations

from rewake.codegen import FunctionSpec, render_api_declaration, render_api_module
from tests.codegen.rich_application import FUNCTIONS, SCHEMA, fields, ident


def test_functions_stand_under_their_modules_with_their_docstrings() -> None:
    text = render_api_declaration(SCHEMA, FUNCTIONS)
    assert (
        """
  messages: {
    first: FunctionReference<"query", "public", {}, Doc<"messages"> | null>;
    /**
     * The latest messages.
     *
     * Oldest first.
     */
    list_recent: FunctionReference<
      "query",
      "public",
      { author: Id<"users">; limit?: number },
      Array<Doc<"messages">>
    >;
"""
        in text
    )


def test_internal_functions_stand_apart() -> None:
    public, _, internal = render_api_declaration(SCHEMA, FUNCTIONS).partition("export declare const internal")
    assert "wipe" in internal
    assert "wipe" not in public


def test_a_name_may_be_a_function_and_a_module() -> None:
    text = render_api_declaration(SCHEMA, FUNCTIONS)
    assert "      & FunctionReference<" in text
    assert "rename: FunctionReference<" in text


def test_only_what_is_used_is_imported() -> None:
    text = render_api_declaration(SCHEMA, [FunctionSpec("a:b", "query", args=fields({"x": ident("gone")}))])
    assert 'import type { GenericId } from "convex/values";' in text
    assert "dataModel.js" not in text


def test_an_application_without_functions_is_still_a_module() -> None:
    text = render_api_declaration(None, [])
    assert "export {};" in text
    assert "export declare const api: {};" in text


def test_a_docstring_cannot_end_the_comment() -> None:
    text = render_api_declaration(None, [FunctionSpec("a:b", "query", documentation="All of */ src.")])
    assert "/** All of * / src. */" in text


def test_the_order_of_functions_does_not_change_the_file() -> None:
    assert render_api_declaration(SCHEMA, FUNCTIONS[::-1]) == render_api_declaration(SCHEMA, FUNCTIONS)


def test_at_run_time_any_path_is_a_reference() -> None:
    assert "export const api = anyApi;" in render_api_module()

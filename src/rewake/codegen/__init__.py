"""Code generation: what the page's editor knows about the backend.

Floor 5, `codegen`. From the analysis of a deployment, as plain data (schema JSON of semantics 2.3, one
`FunctionSpec` for each function), to TypeScript in the official layout, and to Python for our own client.
Above, `rewake dev` and `rewake codegen` say when and where to; nothing here imports an author's module or
asks a server.

    schema_json ─┬─> typescript ──> data_model ──> dataModel.d.ts
    functions  ──┴──────────────> api_module ───> api.d.ts, api.js
                                  function_spec ─> the JSON of `function-spec`
                  python_types ─> python_api ───> a module of typed references
                  json_schema ──> openapi ──────> an OpenAPI document

Not here: how functions and tables are found (`deployment`).
"""

from rewake.codegen.api_module import render_api_declaration, render_api_module
from rewake.codegen.data_model import render_data_model
from rewake.codegen.function_spec import (
    FunctionSpec,
    HttpRoute,
    function_spec,
    function_spec_of,
    http_route_of,
)
from rewake.codegen.generated_files import changed_files, render_all, write_changed
from rewake.codegen.openapi import SECURITY_SCHEMES, openapi_of, render_openapi
from rewake.codegen.python_api import render_python_api

__all__ = [
    "SECURITY_SCHEMES",
    "FunctionSpec",
    "HttpRoute",
    "changed_files",
    "function_spec",
    "function_spec_of",
    "http_route_of",
    "openapi_of",
    "render_all",
    "render_api_declaration",
    "render_api_module",
    "render_data_model",
    "render_openapi",
    "render_python_api",
    "write_changed",
]

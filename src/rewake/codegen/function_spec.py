"""One function as others may know it, and the list of them that `function-spec` prints.

Floor 5, `codegen`. A `FunctionSpec` is what every generator here starts from, and what the official command
line asks for under `_system/cli/modules:apiSpec`.

Source: semantics 6.2, wire 7.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from rewake.execution import FunctionFacts, RouteFacts

ValidatorJson = Mapping[str, Any]
"""A validator as semantics 2.1 writes it."""

ANY: ValidatorJson = {"type": "any"}

FunctionKind = Literal["query", "mutation", "action"]
Visibility = Literal["public", "internal"]


class FunctionSpec(msgspec.Struct, frozen=True):
    """Which function it is, who may call it, what it takes and gives.

    `path` is `folder/module:function`, as clients write it. `documentation` is text for people, or empty.
    """

    path: str
    kind: FunctionKind
    visibility: Visibility = "public"
    args: ValidatorJson = msgspec.field(default_factory=lambda: ANY)
    returns: ValidatorJson = msgspec.field(default_factory=lambda: ANY)
    documentation: str = ""

    @property
    def module(self) -> str:
        """`folder/module`."""
        return self.path.partition(":")[0].removesuffix(".js")

    @property
    def name(self) -> str:
        """The function in its module; a path without one means `default`."""
        return self.path.partition(":")[2] or "default"

    @property
    def identifier(self) -> str:
        """The canonical stored form, `folder/module.js:function`."""
        return f"{self.module}.js:{self.name}"


class HttpRoute(msgspec.Struct, frozen=True):
    """A method and path that an HTTP action answers."""

    method: str
    path: str


def function_spec_of(facts: FunctionFacts) -> FunctionSpec:
    """A function as the generators know it."""
    return FunctionSpec(
        path=facts.path.public,
        kind=facts.kind,
        visibility="internal" if facts.is_internal else "public",
        args=facts.arguments,
        returns=facts.returns,
        documentation=facts.documentation,
    )


def http_route_of(facts: RouteFacts) -> HttpRoute:
    """A route as the generators know it."""
    spec = facts.to_spec()
    return HttpRoute(method=spec["method"], path=spec["path"])


def function_spec(
    functions: Iterable[FunctionSpec], *, routes: Iterable[HttpRoute] = (), url: str | None = None
) -> dict[str, Any]:
    """The function spec, functions by identifier and then routes in their order of precedence.

    `url` is the deployment's address; without it the key is left out.
    """
    entries: list[dict[str, Any]] = [
        {
            "identifier": spec.identifier,
            "functionType": spec.kind.capitalize(),
            "visibility": {"kind": spec.visibility},
            "args": spec.args,
            "returns": spec.returns,
        }
        for spec in sorted(functions, key=lambda spec: spec.identifier)
    ]
    entries += [
        {"functionType": "HttpAction", "method": route.method, "path": route.path} for route in routes
    ]
    return {"functions": entries} if url is None else {"url": url, "functions": entries}

"""Calling functions over HTTP.

Floor 6, `http_api`. Each endpoint reads its envelope, asks the backend, and writes the result; nothing is
kept between requests.

    POST /api/query        GET /api/query         one query, latest data
    POST /api/mutation     POST /api/action       one mutation, one action
    POST /api/query_ts     POST /api/query_at_ts  a timestamp, and queries as of it: one consistent picture
    POST /api/query_batch                         many queries, one snapshot
    POST /api/function                            administrators: any kind, internal ones too
    POST /api/run/{module}/{function}             any public function, for people with curl

Everything that can be refused is refused before a function runs: who calls, the body, the format, the path.

Source: wire 4.1. Not here: what a result looks like (`responses.py`).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from rewake.auth import Identity
from rewake.execution import CalledFrom, Failure, FunctionCall, RequestSource, Success
from rewake.functions import FunctionKind
from rewake.http_api.addressing import client_of, function_call, path_of_url
from rewake.http_api.authorization import identity_of, permit_call, require_admin
from rewake.http_api.bodies import (
    AnyCallBody,
    BatchBody,
    CallAtBody,
    CallBody,
    RunBody,
    parse_call,
    parse_json,
    read_json,
)
from rewake.http_api.call_head import CallHead
from rewake.http_api.errors import BadParameter, BadTimestamp, TooManyQueries
from rewake.http_api.formats import OutputFormat, output_format
from rewake.http_api.ports import Backend
from rewake.http_api.request_id import brought_request_id, keeps_request_id, request_id_of, told_under
from rewake.http_api.request_source import source_of
from rewake.http_api.responses import function_text, json_response, json_text
from rewake.limits import Limits
from rewake.protocol import decode_ts, encode_ts

Body = TypeVar("Body")
Answering = Coroutine[Any, Any, str]
"""Gives the text of an answer."""


class FunctionEndpoints:
    """The endpoints that call functions of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def query(self, request: Request) -> Response:
        """`POST /api/query`."""
        asked = await self._asked(request, "query")
        return json_response(await self._queried(asked, brought_request_id(request.scope)))

    def query_text(self, head: CallHead, identity: Identity, body: bytes, request_id: str) -> Answering:
        """The answer to `POST /api/query` with this head and body, of this caller."""
        return self._queried(self._understood(head, identity, body, request_id, "query"), head.request_id)

    async def query_by_url(self, request: Request) -> Response:
        """`GET /api/query?path=&args=&format=`; `args` is JSON text and `{}` when left out."""
        identity = await identity_of(self._backend, request.scope)
        parameters = request.query_params
        wanted = output_format(parameters.get("format"), client_of(request.scope))
        path = parameters.get("path")
        if path is None:
            raise BadParameter(name="path", detail="expected the function to call, such as messages:list.")
        permit_call(identity, path, "query")
        args = parse_json(parameters.get("args", "{}"), msgspec.Raw)
        asked = self._put(request.scope, function_call(path, args), identity, wanted)
        return json_response(await self._queried(asked, brought_request_id(request.scope)))

    async def mutation(self, request: Request) -> Response:
        """`POST /api/mutation`. Answers after the commit."""
        return json_response(await self._mutated(await self._asked(request, "mutation")))

    def mutation_text(self, head: CallHead, identity: Identity, body: bytes, request_id: str) -> Answering:
        """The answer to `POST /api/mutation` with this head and body, of this caller."""
        return self._mutated(self._understood(head, identity, body, request_id, "mutation"))

    async def action(self, request: Request) -> Response:
        """`POST /api/action`."""
        asked = await self._asked(request, "action")
        result = await self._backend.act(
            asked.call, asked.identity, request_id=asked.request_id, source=asked.source
        )
        return json_response(self._answer(asked, result))

    async def query_ts(self, request: Request) -> Response:
        """`POST /api/query_ts`: a timestamp for `query_at_ts`. npm sends no body."""
        await identity_of(self._backend, request.scope)
        ts = await self._backend.latest_ts()
        return json_response(f'{{"ts":{json_text(encode_ts(ts))}}}')

    async def query_at_ts(self, request: Request) -> Response:
        """`POST /api/query_at_ts`: a query that sees the data as of a timestamp.

        Raises:
            BadTimestamp: the timestamp is ahead of everything committed here.
        """
        identity = await identity_of(self._backend, request.scope)
        body = await self._body(request, CallAtBody)
        wanted = output_format(body.format, client_of(request.scope))
        permit_call(identity, body.path, "query")
        asked = self._put(request.scope, function_call(body.path, body.args), identity, wanted)
        at = decode_ts(body.ts)
        if at > await self._backend.latest_ts():
            raise BadTimestamp(ts=body.ts)
        result, _ = await self._backend.query(
            asked.call, identity, request_id=asked.request_id, at=at, source=asked.source
        )
        return json_response(self._answer(asked, keeps_request_id(request.scope, result)))

    async def query_batch(self, request: Request) -> Response:
        """`POST /api/query_batch`: all at one timestamp, answers in the order of the questions.

        Raises:
            TooManyQueries: more than `Limits.http_batch_queries_max`.
        """
        identity = await identity_of(self._backend, request.scope)
        body = await self._body(request, BatchBody)
        limit = self._limits.http_batch_queries_max
        if len(body.queries) > limit:
            raise TooManyQueries(count=len(body.queries), limit=limit)
        for query in body.queries:
            permit_call(identity, query.path, "query")
        client = client_of(request.scope)
        wanted = [output_format(query.format, client) for query in body.queries]
        calls = [function_call(query.path, query.args) for query in body.queries]
        request_id = self._request_id(request.scope)
        results, _ = await self._backend.query_many(
            calls, identity, request_id=request_id, source=self._source(request.scope)
        )
        assert len(results) == len(calls)
        told = [keeps_request_id(request.scope, result) for result in results]
        redacted = self._backend.is_redacted
        texts = [
            function_text(result, one, request_id=request_id, is_redacted=redacted)
            for result, one in zip(told, wanted, strict=True)
        ]
        return json_response(f'{{"results":[{",".join(texts)}]}}')

    async def any_function(self, request: Request) -> Response:
        """`POST /api/function`: administrators call what they like, by its own kind.

        Raises:
            AdminRequired: the caller is not an administrator. Nothing was read.
        """
        identity = await require_admin(self._backend, request, None)
        body = await self._body(request, AnyCallBody)
        wanted = output_format(body.format, client_of(request.scope))
        call = function_call(body.path, body.args, component=body.component_path or "")
        return await self._run(request, self._put(request.scope, call, identity, wanted))

    async def run(self, request: Request) -> Response:
        """`POST /api/run/{dir}/{module}/{function}`: the function's kind decides how it runs.

        Raises:
            MissingIdentifier: fewer than two segments after `/api/run/`.
        """
        identity = await identity_of(self._backend, request.scope)
        path = path_of_url(request.path_params.get("identifier", ""))
        body = await self._body(request, RunBody)
        wanted = output_format(body.format, client_of(request.scope))
        asked = self._put(request.scope, function_call(path, body.args), identity, wanted)
        return await self._run(request, asked)

    async def _run(self, request: Request, asked: _Asked) -> Response:
        call, identity, request_id, source = asked.call, asked.identity, asked.request_id, asked.source
        result: Success | Failure
        kind = self._backend.kind_of(call.path, call.component)
        permit_call(identity, call.path, kind)
        match kind:
            case "mutation":
                outcome = await self._backend.mutate(call, identity, request_id=request_id, source=source)
                result = outcome.result
            case "action":
                result = await self._backend.act(call, identity, request_id=request_id, source=source)
            case _:
                # A query, or nothing at all. What is not there is asked for as a query too: execution has the
                # text for it, which depends on the caller, and a query cannot do anything.
                result, _ = await self._backend.query(call, identity, request_id=request_id, source=source)
                result = keeps_request_id(request.scope, result)
        return json_response(self._answer(asked, result))

    async def _asked(self, request: Request, kind: FunctionKind) -> _Asked:
        """Read a request whose body is one call."""
        scope = request.scope
        identity = await identity_of(self._backend, scope)
        body = await self._body(request, CallBody)
        wanted = output_format(body.format, client_of(scope))
        permit_call(identity, body.path, kind)
        return self._put(scope, function_call(body.path, body.args), identity, wanted)

    def _understood(
        self, head: CallHead, identity: Identity, text: bytes, request_id: str, kind: FunctionKind
    ) -> _Asked:
        """As `_asked`, of a request that has come."""
        body = parse_call(text)
        wanted = head.output_format if body.format is None else output_format(body.format, head.client)
        permit_call(identity, body.path, kind)
        return _Asked(function_call(body.path, body.args), identity, wanted, request_id, head.source)

    async def _queried(self, asked: _Asked, brought: str | None) -> str:
        result, _ = await self._backend.query(
            asked.call, asked.identity, request_id=asked.request_id, source=asked.source
        )
        return self._answer(asked, result if brought is None else told_under(brought, result))

    async def _mutated(self, asked: _Asked) -> str:
        outcome = await self._backend.mutate(
            asked.call, asked.identity, request_id=asked.request_id, source=asked.source
        )
        return self._answer(asked, outcome.result)

    async def _body(self, request: Request, kind: type[Body]) -> Body:
        return await read_json(request.scope, request.receive, kind, self._limits)

    def _put(self, scope: Scope, call: FunctionCall, identity: Identity, wanted: OutputFormat) -> _Asked:
        return _Asked(call, identity, wanted, self._request_id(scope), self._source(scope))

    def _source(self, scope: Scope) -> RequestSource:
        return source_of(scope, self._limits, CalledFrom.HTTP_API)

    def _answer(self, asked: _Asked, result: Success | Failure) -> str:
        wanted, is_redacted = asked.output_format, self._backend.is_redacted
        return function_text(result, wanted, request_id=asked.request_id, is_redacted=is_redacted)

    def _request_id(self, scope: Scope) -> str:
        return request_id_of(scope, self._backend.environment)


class _Asked(msgspec.Struct, frozen=True):
    """A request that nothing more can be wrong with: what to run, for whom, and how to answer."""

    call: FunctionCall
    identity: Identity
    output_format: OutputFormat
    request_id: str
    source: RequestSource

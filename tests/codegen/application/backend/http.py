"""What the world may ask without a client."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from rewake import ActionCtx, HttpRouter

http = HttpRouter()


@http.route("/hooks/mail", methods=["POST"])
async def take_mail(ctx: ActionCtx, request: Request) -> Response:
    """A letter came."""
    return Response(status_code=204)


@http.route(path_prefix="/pages/", methods=["GET"])
async def show(ctx: ActionCtx, request: Request) -> Response:
    return Response(request.url.path)

"""Who calls an HTTP action."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from rewake import ActionCtx, HttpRouter

http = HttpRouter()


@http.route("/who", methods=["GET"])
async def who(ctx: ActionCtx, request: Request) -> Response:
    identity = ctx.auth.get_user_identity()
    return PlainTextResponse("nobody" if identity is None else identity.subject)


@http.route("/open", methods=["GET"])
async def open_to_all(ctx: ActionCtx, request: Request) -> Response:
    return PlainTextResponse("open")

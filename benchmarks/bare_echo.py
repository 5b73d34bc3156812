"""The floor under every request: the server stack of Rewake, and nothing behind it.

uvicorn with httptools on uvloop and a Starlette route that sends back the body that it was sent.

    python -m benchmarks.bare_echo --port 8000
"""

from __future__ import annotations

import argparse

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def health(_: Request) -> Response:
    return Response(b"ok")


def main() -> None:
    parser = argparse.ArgumentParser(description="The bare echo of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/healthz", health)]),
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()

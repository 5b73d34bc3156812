"""The loop of the PyPI package's own documentation, in a process of its own because it blocks.

    python pypi_iterate.py URL PATH ARGS

Prints every answer. ARGS is a JSON object.
"""

from __future__ import annotations

import json
import sys

from convex import ConvexClient


def main(url: str, path: str, args: str) -> None:
    client = ConvexClient(url)
    for value in client.subscribe(path, json.loads(args)):
        print(json.dumps({"event": "answer", "value": value}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])

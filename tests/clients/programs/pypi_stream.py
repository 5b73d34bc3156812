"""A stream of numbered mutations over one PyPI client that lives through the death of its server.

    python pypi_stream.py URL SOURCE COUNT

Connects, prints `ready`, and begins when it is told anything. Prints every number whose call returned as
acknowledged. A call may also raise, when the connection died under it in a way that this family does not
hide: then the number is not acknowledged, and we go on.
"""

from __future__ import annotations

import json
import sys

from convex import ConvexClient


def main(url: str, source: str, count: int) -> None:
    client = ConvexClient(url)
    client.query("ledger:total")
    print(json.dumps({"event": "ready"}), flush=True)
    sys.stdin.readline()
    for number in range(count):
        try:
            client.mutation("ledger:record", {"source": source, "number": number})
        except Exception as error:
            print(json.dumps({"event": "lost", "number": number, "error": repr(error)}), flush=True)
        else:
            print(json.dumps({"event": "acknowledged", "number": number}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

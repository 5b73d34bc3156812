"""From a save to the screen: how long `rewake dev` takes until a live query shows what new code makes of it.

    python -m benchmarks.edit_to_live --edits 30 --modules 10

One project (the starter, with more modules beside), one client that watches a query over a websocket, one
editor that saves by renaming. Each edit changes what the query returns; the time runs from the rename to the
arrival of the new result. `reload` is what the server says of it (load and push), `around` the rest: noticing
the save, the run of the query, the way to the client.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rewake.cli.starter_project import write_starter
from rewake.client import Client

QUERY = """
from rewake import QueryCtx, query


@query
def shown(ctx: QueryCtx) -> int:
    return {number}
"""
_RELOADED = re.compile(r"reloaded .*?([0-9.]+) (ms|s)$")


def write(project: Path, number: int) -> float:
    """Save as an editor does; returns when."""
    draft = project / "backend" / ".edited.draft"
    draft.write_text(QUERY.format(number=number))
    begin = time.perf_counter()
    draft.replace(project / "backend" / "edited.py")
    return begin


async def measure(project: Path, *, port: int, edits: int, workers: str) -> list[tuple[float, float]]:
    """Milliseconds of each edit: in all, and of the reload."""
    words = ["dev", "--port", str(port), "--workers", workers]
    dev = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rewake", *words, cwd=project, stdout=asyncio.subprocess.PIPE
    )
    assert dev.stdout is not None
    reloads: asyncio.Queue[float] = asyncio.Queue()
    ready = asyncio.Event()

    async def read() -> None:
        assert dev.stdout is not None
        async for raw in dev.stdout:
            line = raw.decode().rstrip()
            found = _RELOADED.search(line)
            if found:
                reloads.put_nowait(float(found[1]) * (1000 if found[2] == "s" else 1))
            if "ready " in line:
                ready.set()

    reading = asyncio.create_task(read())
    try:
        await asyncio.wait_for(ready.wait(), 60)
        taken = []
        async with Client(f"http://127.0.0.1:{port}") as client, client.watch("edited:shown") as results:
            shown = aiter(results)
            assert await anext(shown) == 0
            for number in range(1, edits + 1):
                begin = write(project, number)
                while await asyncio.wait_for(anext(shown), 60) != number:
                    pass
                in_all = (time.perf_counter() - begin) * 1000
                taken.append((in_all, await asyncio.wait_for(reloads.get(), 60)))
        return taken
    finally:
        dev.terminate()
        await dev.wait()
        reading.cancel()


def unused_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Print percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--modules", type=int, default=10, help="modules beside the one that is edited")
    parser.add_argument("--workers", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "chat"
        write_starter(project, keep=False)
        for number in range(options.modules):
            (project / "backend" / f"more_{number}.py").write_text(QUERY.format(number=number))
        write(project, 0)
        taken = asyncio.run(
            measure(project, port=unused_port(), edits=options.edits, workers=options.workers)
        )
    print(f"{options.edits} edits, {options.modules + 3} modules, workers {options.workers}")
    for name, values in (
        ("edit to live", [in_all for in_all, _ in taken]),
        ("  reload", [reload for _, reload in taken]),
        ("  around", [in_all - reload for in_all, reload in taken]),
    ):
        cuts = statistics.quantiles(values, n=20)
        print(f"{name:14} p50 {cuts[9]:7.0f} ms   p95 {cuts[18]:7.0f} ms   max {max(values):7.0f} ms")


if __name__ == "__main__":
    main()

"""One large file up and down: how fast, and how much of it does the server hold?

    python -m benchmarks.files --gigabytes 5         alone, as large as you like

The floor is the same bytes written to a file of the same disk and synced, and read again, in the same run. A
server may grow by 200 MB beyond what it takes idle.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.processes import resident_bytes_peak
from benchmarks.report import Table, ratio, verdict
from benchmarks.subjects import rewake

PIECE = os.urandom(1 << 20)
GROWTH_MAX = 200 * 10**6
SECONDS = 3600.0


def measure(scratch: Path, *, gigabytes: float = 0.5) -> Table:
    """Send a file, fetch it, and look at the server's memory."""
    pieces = round(gigabytes * 10**9) >> 20
    size = pieces << 20
    floor = scratch / "floor"
    wrote, read = _floor(floor, pieces)
    floor.unlink()
    # The two minutes of an upload are for clients on a network; a disk under load may want more.
    os.environ["REWAKE_LIMIT_UPLOAD_SECONDS_MAX"] = str(SECONDS)
    with rewake(scratch) as server, httpx.Client(timeout=SECONDS) as client:
        origin = f"http://127.0.0.1:{server.port}"
        idle = resident_bytes_peak(server.process.pid)
        url = _call(client, origin, "files:upload_url", {})
        started = time.monotonic()
        answer = client.post(url, content=_pieces(pieces), headers={"Content-Length": str(size)})
        up = time.monotonic() - started
        answer.raise_for_status()
        after_up = resident_bytes_peak(server.process.pid)
        address = _call(client, origin, "files:url", {"id": answer.json()["storageId"]})
        started, digest, got = time.monotonic(), hashlib.sha256(), 0
        with client.stream("GET", address) as response:
            for piece in response.iter_raw():
                got += len(piece)
                digest.update(piece)
        down = time.monotonic() - started
        after_down = resident_bytes_peak(server.process.pid)
        assert got == size, "the whole file came back"
        assert digest.digest() == _digest(pieces), "and it is the file that was sent"
    table = Table(
        f"A file of {size / 1e9:.1f} GB, up and down",
        ["way", "seconds", "MB/s", "bare disk MB/s", "time over bare disk", "server's memory", "grown by"],
    )
    for way, seconds, bare, peak in (("up", up, wrote, after_up), ("down", down, read, after_down)):
        table.add(
            way,
            f"{seconds:.1f}",
            f"{size / seconds / 1e6:,.0f}",
            f"{size / bare / 1e6:,.0f}",
            ratio(seconds, bare),
            f"{peak / 1e6:.0f} MB",
            f"{(peak - idle) / 1e6:.0f} MB",
        )
    table.notes.append(
        f"the front process takes {after_down / 1e6:.0f} MB at its peak, {GROWTH_MAX / 1e6:.0f} MB wanted: "
        f"{verdict(after_down <= GROWTH_MAX)}; client, digests on both ends and server share the processors"
    )
    return table


def _call(client: httpx.Client, origin: str, path: str, args: dict[str, str]) -> str:
    body = {"path": path, "args": args, "format": "json"}
    return str(client.post(f"{origin}/api/mutation", json=body).json()["value"])


def _pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield PIECE


def _digest(count: int) -> bytes:
    digest = hashlib.sha256()
    for piece in _pieces(count):
        digest.update(piece)
    return digest.digest()


def _floor(path: Path, pieces: int) -> tuple[float, float]:
    """Seconds to write a file and sync it, and to read it again."""
    started = time.monotonic()
    with path.open("wb", buffering=0) as file:
        for piece in _pieces(pieces):
            file.write(piece)
        os.fsync(file.fileno())
    wrote = time.monotonic() - started
    started = time.monotonic()
    with path.open("rb", buffering=0) as file:
        while file.read(len(PIECE)):
            pass
    return wrote, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=0.5)
    chosen = parser.parse_args()
    scratch = Path(__file__).resolve().parents[1] / ".make" / "bench" / "files"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        print(measure(scratch, gigabytes=chosen.gigabytes).markdown())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

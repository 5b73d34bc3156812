"""The load generator: a process of its own that holds many closed-loop clients.

    echo '{"port": ..., "door": "websocket", ...}' | python -m benchmarks.load

reads one `Load` from standard input and prints one `Outcome`, both JSON. It says its own share of a core: a
generator near 100 % would be measuring itself.
"""

from __future__ import annotations

import asyncio
import bisect
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import accumulate, cycle, islice
from pathlib import Path

import uvloop

from benchmarks.clients import (
    ApiDialect,
    Client,
    Dialect,
    HandwrittenDialect,
    HttpClient,
    Payload,
    SyncDialect,
    Tally,
    WebsocketClient,
)
from benchmarks.processes import cpu_seconds

ANSWER_SECONDS_MAX = 20.0
PREPARED_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, to whom, for how long."""

    port: int
    server_pid: int
    subject: str
    """`rewake` or `handwritten`."""
    door: str
    """`websocket` or `http`."""
    workload: str
    """`insert` or `transfer`."""
    clients: int
    seconds: float = 4.0
    warm_up_seconds: float = 1.0
    seed: int = 1
    zipf: float = 0.0
    """Exponent of how unevenly accounts are chosen; 0 chooses each alike."""
    accounts_file: str = ""
    """A JSON list of account ids."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen."""

    rate: float
    """Answers a second."""
    p50_us: float
    p99_us: float
    answers: int
    failures: int
    first_failure: str
    other_messages: int
    generator_cpu: float
    """Share of one core that the generator used while measuring."""
    server_cpu: float
    """The same of the server, children included; 2.0 is two cores."""
    latencies_us: list[float] = field(default_factory=list)
    """A sample, in order of size: every percentile from 0 to 100."""


FUNCTIONS = {"insert": "notes:add", "transfer": "accounts:transfer"}


def insert_arguments(chance: random.Random) -> list[Payload]:
    """Notes of about 150 bytes in 1,000 channels."""
    body = "the quick brown fox jumps over the lazy dog and then goes home to sleep until morning " * 2
    return [
        json.dumps({"channel": f"channel-{chance.randrange(1000)}", "body": body[:130]}).encode()
        for _ in range(PREPARED_CALLS)
    ]


def transfer_arguments(chance: random.Random, accounts: list[str | int], zipf: float) -> list[Payload]:
    """Transfers between two different accounts, the first in the list being the busiest."""
    cumulative = list(accumulate((rank + 1) ** -zipf for rank in range(len(accounts))))

    def choose() -> str | int:
        return accounts[bisect.bisect_left(cumulative, chance.random() * cumulative[-1])]

    prepared: list[Payload] = []
    while len(prepared) < PREPARED_CALLS:
        source, target = choose(), choose()
        if source != target:
            arguments = {"source": source, "target": target, "amount": chance.randint(1, 100)}
            prepared.append(json.dumps(arguments).encode())
    return prepared


def dialect_of(load: Load) -> Dialect:
    if load.subject == "handwritten":
        return HandwrittenDialect(load.workload)
    function = FUNCTIONS[load.workload]
    return SyncDialect(function) if load.door == "websocket" else ApiDialect(function)


def path_of(load: Load) -> str:
    if load.subject == "handwritten":
        return "/ws" if load.door == "websocket" else f"/{load.workload}"
    return "/api/1.48.0/sync" if load.door == "websocket" else "/api/mutation"


async def run(load: Load) -> Outcome:
    chance = random.Random(load.seed)
    accounts = json.loads(Path(load.accounts_file).read_text()) if load.accounts_file else []
    tally = Tally()
    loop = asyncio.get_running_loop()
    kind = WebsocketClient if load.door == "websocket" else HttpClient
    clients: list[Client] = []
    if load.workload == "insert":
        prepared = insert_arguments(chance)
    else:
        prepared = transfer_arguments(chance, accounts, load.zipf)
    for number in range(load.clients):
        # Everybody goes round the same calls, each from a place of its own.
        start = len(prepared) * number // load.clients
        options = {
            "dialect": dialect_of(load),
            "arguments": islice(cycle(prepared), start, None),
            "tally": tally,
        }

        def make(options: dict[str, object] = options) -> Client:
            return kind(path=path_of(load), host=f"127.0.0.1:{load.port}", **options)

        _, client = await loop.create_connection(make, "127.0.0.1", load.port)
        await asyncio.wait_for(client.is_open, ANSWER_SECONDS_MAX)
        clients.append(client)

    started = time.perf_counter()
    tally.begins = started + load.warm_up_seconds
    tally.ends = tally.begins + load.seconds
    for client in clients:
        client.ask()
    await asyncio.sleep(load.warm_up_seconds)
    ours, theirs, wall = time.process_time(), cpu_seconds(load.server_pid), time.perf_counter()
    everyone = asyncio.gather(*(client.is_done for client in clients))
    await asyncio.wait_for(everyone, load.seconds + ANSWER_SECONDS_MAX)
    wall = time.perf_counter() - wall
    shares = (time.process_time() - ours) / wall, (cpu_seconds(load.server_pid) - theirs) / wall
    for client in clients:
        client.close()
    return outcome_of(tally, load.seconds, *shares)


def outcome_of(tally: Tally, seconds: float, generator_cpu: float, server_cpu: float) -> Outcome:
    latencies = sorted(1e6 * latency for latency in tally.latencies)
    if not latencies:
        raise SystemExit(f"load: no answers; first failure: {tally.first_failure!r}")
    percentiles = [latencies[min(len(latencies) - 1, len(latencies) * p // 100)] for p in range(101)]
    return Outcome(
        rate=tally.answers / seconds,
        p50_us=percentiles[50],
        p99_us=percentiles[99],
        answers=tally.answers,
        failures=tally.failures,
        first_failure=tally.first_failure,
        other_messages=tally.other_messages,
        generator_cpu=generator_cpu,
        server_cpu=server_cpu,
        latencies_us=percentiles,
    )


def main() -> None:
    load = Load(**json.load(sys.stdin))
    outcome = uvloop.run(run(load))
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()

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
    EchoDialect,
    HandwrittenDialect,
    HttpClient,
    Payload,
    ReadDialect,
    SyncDialect,
    Tally,
    WebsocketClient,
)
from benchmarks.processes import cpu_seconds, cpu_seconds_alone

ANSWER_SECONDS_MAX = 20.0
PREPARED_CALLS = 20_000
PREPARED_READS = 200_000
"""Of more ids than these, so many are chosen: more than are read in the longest run."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, to whom, for how long."""

    port: int
    server_pid: int
    subject: str
    """`rewake`, `handwritten` or `echo`."""
    door: str
    """`websocket` or `http`."""
    workload: str
    """`insert`, `transfer`, `read` (one note by id), `list` (the latest 50 of a channel), or `mixed`
    (lists, and an insert for every fifth call)."""
    clients: int
    seconds: float = 4.0
    warm_up_seconds: float = 0.5
    seed: int = 1
    zipf: float = 0.0
    """Exponent of how unevenly accounts are chosen; 0 chooses each alike."""
    ids_file: str = ""
    """A JSON list of ids: of accounts, or of notes, each of which is read once before any is read again."""
    channels: int = 1000
    """Among how many channels inserts and lists choose, each alike."""
    first_channel: int = 0


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
    front_cpu: float
    """The same of the server's front process alone."""
    latencies_us: list[float] = field(default_factory=list)
    """A sample, in order of size: every percentile from 0 to 100."""

    @property
    def server_us(self) -> float:
        """Processor time of the whole server for one answer, in microseconds."""
        return 1e6 * self.server_cpu / self.rate

    @property
    def front_us(self) -> float:
        """The same of its front process alone."""
        return 1e6 * self.front_cpu / self.rate


FUNCTIONS = {
    "insert": "notes:add",
    "transfer": "accounts:transfer",
    "read": "notes:by_id",
    "list": "notes:latest",
    "mixed": "notes:latest",
}
ROWS = {"read": 1, "list": 50, "mixed": 50}
"""Notes in every answer."""
READS_IN_MIXED = 0.8
BODY = ("the quick brown fox jumps over the lazy dog and then goes home to sleep until morning " * 2)[:130]


def insert_arguments(chance: random.Random, load: Load) -> list[Payload]:
    """Notes of about 150 bytes."""
    return [
        json.dumps({"channel": _channel(chance, load), "body": BODY}).encode() for _ in range(PREPARED_CALLS)
    ]


def list_arguments(chance: random.Random, load: Load) -> list[Payload]:
    return [json.dumps({"channel": _channel(chance, load)}).encode() for _ in range(PREPARED_CALLS)]


def read_arguments(chance: random.Random, ids: list[str | int]) -> list[Payload]:
    """Every id once, in an order by chance."""
    chosen = chance.sample(ids, min(len(ids), PREPARED_READS))
    return [json.dumps({"id": id}).encode() for id in chosen]


def mixed_arguments(chance: random.Random, load: Load) -> list[Payload]:
    return [
        reading if chance.random() < READS_IN_MIXED else b"+" + writing
        for reading, writing in zip(list_arguments(chance, load), insert_arguments(chance, load), strict=True)
    ]


def _channel(chance: random.Random, load: Load) -> str:
    return f"channel-{load.first_channel + chance.randrange(load.channels)}"


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


def arguments_of(load: Load) -> list[Payload]:
    chance = random.Random(load.seed)
    ids = json.loads(Path(load.ids_file).read_text()) if load.ids_file else []
    if load.workload == "transfer":
        return transfer_arguments(chance, ids, load.zipf)
    if load.workload == "read":
        return read_arguments(chance, ids)
    return {"insert": insert_arguments, "list": list_arguments, "mixed": mixed_arguments}[load.workload](
        chance, load
    )


def dialect_of(load: Load) -> Dialect:
    """A dialect for one client; some keep what they said last."""
    rows = ROWS.get(load.workload, 0)
    function = FUNCTIONS[load.workload]
    if load.subject == "handwritten":
        operation = "list" if load.workload == "mixed" else load.workload
        return HandwrittenDialect(operation, rows)
    if load.subject == "echo":
        return EchoDialect(function)
    if load.door == "http":
        assert load.workload != "mixed", "reads and writes of the HTTP API have addresses of their own"
        return ApiDialect(function, rows)
    return ReadDialect(function, rows, mutation=FUNCTIONS["insert"]) if rows else SyncDialect(function)


def path_of(load: Load) -> str:
    if load.subject == "handwritten":
        return "/ws" if load.door == "websocket" else f"/{load.workload}"
    if load.subject == "echo":
        return "/echo"
    if load.door == "websocket":
        return "/api/1.48.0/sync"
    return "/api/query" if load.workload in ROWS else "/api/mutation"


async def run(load: Load) -> Outcome:
    tally = Tally()
    loop = asyncio.get_running_loop()
    kind = WebsocketClient if load.door == "websocket" else HttpClient
    clients: list[Client] = []
    prepared = arguments_of(load)
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
    front = cpu_seconds_alone(load.server_pid)
    everyone = asyncio.gather(*(client.is_done for client in clients))
    await asyncio.wait_for(everyone, load.seconds + ANSWER_SECONDS_MAX)
    wall = time.perf_counter() - wall
    used = (
        time.process_time() - ours,
        cpu_seconds(load.server_pid) - theirs,
        cpu_seconds_alone(load.server_pid) - front,
    )
    for client in clients:
        client.close()
    return outcome_of(tally, load.seconds, *(each / wall for each in used))


def outcome_of(
    tally: Tally, seconds: float, generator_cpu: float, server_cpu: float, front_cpu: float
) -> Outcome:
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
        front_cpu=front_cpu,
        latencies_us=percentiles,
    )


def main() -> None:
    load = Load(**json.load(sys.stdin))
    outcome = uvloop.run(run(load))
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()

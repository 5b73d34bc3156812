"""Fund transfers: read two, write two, among 100,000 accounts.

16 and 64 closed-loop clients, over HTTP and websockets, accounts chosen uniformly and by Zipf 1.5. To reach:
twice the hand-written application with the same durability, not below it with fsync off, Zipf within 10 % of
uniform, and no client ever sees a conflict. The money is counted afterwards. The floor is one loop of the
standard library's json and sqlite3: read a request, two reads, two writes, commit with fsync, an answer.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from benchmarks.handwritten_app import SCHEMA
from benchmarks.load import Outcome
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import (
    ACCOUNTS,
    BALANCE,
    Subject,
    handwritten,
    money_in,
    open_accounts,
    rewake,
)
from benchmarks.turns import Turns, always, in_turns

CLIENTS = (16, 64)
DOORS = ("http", "websocket")
CHOICES = {"uniform": 0.0, "Zipf 1.5": 1.5}
SECONDS = 0.5
WARM_UP_SECONDS = 0.3
TURNS = 2
ROWS, IDS = "account_rows.json", "account_ids.json"
EVENNESS_MIN = 0.9
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each")]
COLUMNS = ["door, clients, accounts", "Rewake", "p99 us", "by hand, fsync", "with group commit", "no fsync"]

Case = tuple[str, int, str]


def measure(scratch: Path, *, seconds: float = SECONDS) -> Table:
    floor = _floor(scratch, min(1.0, seconds))
    with ExitStack() as servers:
        by_hand = {
            which: servers.enter_context(
                handwritten(scratch, sync=which[0], commit=which[1], has_accounts=True)
            )
            for which in BY_HAND
        }
        subject = servers.enter_context(rewake(scratch))
        (scratch / ROWS).write_text(json.dumps(list(range(1, ACCOUNTS + 1))))
        (scratch / IDS).write_text(json.dumps(open_accounts(subject)))
        everybody = [(each, scratch / ROWS) for each in by_hand.values()] + [(subject, scratch / IDS)]
        seen: dict[Case, dict[str, Turns]] = {}
        for door, clients in product(DOORS, CLIENTS):
            reached = in_turns(
                {
                    f"{choice}, {each.name}": _load(each, (door, clients, choice), ids_file, seconds)
                    for choice, (each, ids_file) in product(CHOICES, everybody)
                },
                turns=TURNS,
            )
            for choice in CHOICES:
                seen[door, clients, choice] = {
                    each.name: reached[f"{choice}, {each.name}"] for each, _ in everybody
                }
        money = money_in(subject)
        names = [by_hand[which].name for which in BY_HAND]

    title = f"Fund transfer, {ACCOUNTS:,} accounts, closed-loop clients (transfers/s, Rewake beside it)"
    table = Table(title, [*COLUMNS, "bars 2 x, 1 x"])
    shares: dict[Case, list[float]] = {}
    for case, reached in seen.items():
        outcome = reached[subject.name].middle
        shares[case] = [reached[subject.name].over(reached[name]) for name in names]
        rates = [reached[name].middle.rate for name in names]
        cells = [f"{rate:,.0f} ({share:.2f} x)" for rate, share in zip(rates, shares[case], strict=True)]
        is_reached = shares[case][0] >= 2 and shares[case][2] >= 1
        door, clients, choice = case
        figures = [f"{outcome.rate:,.0f}", f"{outcome.p99_us:,.0f}"]
        table.add(f"{door}, {clients}, {choice}", *figures, *cells, verdict(is_reached))
        for (sync, commit), name in zip(BY_HAND, names, strict=True):
            described = f"transfers/s, {door}, {clients}, {choice}, {sync}, {commit}"
            table.by_hand[described] = reached[name].best
    ours = {case: reached[subject.name].middle for case, reached in seen.items()}
    evenness = _evenness({case: reached[subject.name] for case, reached in seen.items()})
    table.notes.append(
        f"Zipf beside uniform, worst case: {evenness:.0%}; bar 90 %: {verdict(evenness >= EVENNESS_MIN)}."
    )
    best = max(outcome.rate for outcome in ours.values())
    table.notes.append(
        f"json and sqlite3, one loop, fsync: {floor:,.0f}/s; the best of Rewake: {ratio(best, floor)}"
    )
    table.notes.append(
        "Of a core, the most: generator "
        f"{max(each.generator_cpu for each in ours.values()):.0%}, "
        f"Rewake {max(each.server_cpu for each in ours.values()):.0%}."
    )
    same, unsafe = (min(each[place] for each in shares.values()) for place in (0, 2))
    failures = sum(outcome.failures for outcome in ours.values())
    table.judge(
        f"{same:.2f} x; {unsafe:.2f} x without fsync, worst cases; Zipf {evenness:.0%}; {failures} failures",
        is_reached=same >= 2 and unsafe >= 1 and evenness >= EVENNESS_MIN and not failures,
        over_floor=f"best case {ratio(best, floor)}",
    )
    table.failures = [each.middle for reached in seen.values() for each in reached.values()]
    expected = ACCOUNTS * BALANCE
    state = "whole" if money == expected else "not whole"
    if money != expected:
        table.wrong.append("money came or went")
    table.notes.append(f"Failed transfers in Rewake: {failures}.")
    table.notes.append(f"Money afterwards: {money:,} of {expected:,}: {state}.")
    return table


def _load(subject: Subject, case: Case, ids_file: Path, seconds: float) -> Callable[[int], Outcome]:
    door, clients, choice = case
    return always(
        subject,
        door=door,
        workload="transfer",
        clients=clients,
        zipf=CHOICES[choice],
        ids_file=str(ids_file),
        seconds=seconds,
        warm_up_seconds=WARM_UP_SECONDS,
    )


def _evenness(ours: dict[Case, Turns]) -> float:
    """Whether a few busy accounts are as fast as many: with one writer they should be."""
    return min(
        ours[door, clients, "Zipf 1.5"].over(ours[door, clients, "uniform"])
        for door, clients in product(DOORS, CLIENTS)
    )


def _floor(scratch: Path, seconds: float) -> float:
    """Transfers a second of one loop without a server."""
    path = scratch / "bare-accounts.db"
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, cached_statements=256)
    db.executescript(SCHEMA)
    with db:
        db.executemany(
            "INSERT INTO accounts VALUES (?, ?)", ((number, BALANCE) for number in range(ACCOUNTS))
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    chance, count, begun = random.Random(1), 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        source, target = chance.sample(range(ACCOUNTS), 2)
        asked = json.loads(json.dumps({"source": source, "target": target, "amount": 1}))
        with db:
            for account, change in ((asked["source"], -asked["amount"]), (asked["target"], asked["amount"])):
                (balance,) = db.execute("SELECT balance FROM accounts WHERE id = ?", (account,)).fetchone()
                db.execute("UPDATE accounts SET balance = ? WHERE id = ?", (balance + change, account))
        json.dumps({"id": count, "ok": True, "result": None})
        count += 1
    rate = count / (time.perf_counter() - begun)
    db.close()
    return rate


if __name__ == "__main__":
    run_alone(measure, "transfers", seconds=2.0)

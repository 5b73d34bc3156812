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

CLIENTS = (16, 64)
DOORS = ("http", "websocket")
CHOICES = {"uniform": 0.0, "Zipf 1.5": 1.5}
SECONDS = 1.0
WARM_UP_SECONDS = 0.3
EVENNESS_MIN = 0.9
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each")]
COLUMNS = ["door, clients, accounts", "Rewake", "p99 us", "by hand, fsync", "with group commit", "no fsync"]

Case = tuple[str, int, str]


def measure(scratch: Path, *, seconds: float = SECONDS) -> Table:
    ids_file = scratch / "accounts.json"
    ids_file.write_text(json.dumps(list(range(1, ACCOUNTS + 1))))
    floor = _floor(scratch, min(1.0, seconds))
    by_hand: dict[tuple[str, str], dict[Case, Outcome]] = {}
    for sync, commit in BY_HAND:
        with handwritten(scratch, sync=sync, commit=commit, has_accounts=True) as subject:
            by_hand[sync, commit] = _all_cases(subject, ids_file, seconds)
    with rewake(scratch) as subject:
        ids_file.write_text(json.dumps(open_accounts(subject)))
        ours = _all_cases(subject, ids_file, seconds)
        money = money_in(subject)

    title = f"Fund transfer, {ACCOUNTS:,} accounts, closed-loop clients (transfers/s, Rewake beside it)"
    table = Table(title, [*COLUMNS, "bars 2 x, 1 x"])
    for case, outcome in ours.items():
        others = [by_hand[which][case].rate for which in BY_HAND]
        cells = [f"{rate:,.0f} ({ratio(outcome.rate, rate)})" for rate in others]
        is_reached = outcome.rate >= 2 * others[0] and outcome.rate >= others[2]
        door, clients, choice = case
        figures = [f"{outcome.rate:,.0f}", f"{outcome.p99_us:,.0f}"]
        table.add(f"{door}, {clients}, {choice}", *figures, *cells, verdict(is_reached))
        for (sync, commit), rate in zip(BY_HAND, others, strict=True):
            table.by_hand[f"transfers/s, {door}, {clients}, {choice}, {sync}, {commit}"] = rate
    evenness = _evenness(ours)
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
    same, unsafe = (
        min(ours[case].rate / by_hand[which][case].rate for case in ours)
        for which in (BY_HAND[0], BY_HAND[2])
    )
    failures = sum(outcome.failures for outcome in ours.values())
    table.judge(
        f"{same:.2f} x; {unsafe:.2f} x without fsync, worst cases; Zipf {evenness:.0%}; {failures} failures",
        is_reached=same >= 2 and unsafe >= 1 and evenness >= EVENNESS_MIN and not failures,
        over_floor=f"best case {ratio(best, floor)}",
    )
    table.failures = [*ours.values(), *(each for cases in by_hand.values() for each in cases.values())]
    expected = ACCOUNTS * BALANCE
    state = "whole" if money == expected else "not whole"
    if money != expected:
        table.wrong.append("money came or went")
    table.notes.append(f"Failed transfers in Rewake: {failures}.")
    table.notes.append(f"Money afterwards: {money:,} of {expected:,}: {state}.")
    return table


def _all_cases(subject: Subject, ids_file: Path, seconds: float) -> dict[Case, Outcome]:
    outcomes = {}
    for door, clients, choice in product(DOORS, CLIENTS, CHOICES):
        print(f"  {door}, {clients} clients, {choice}", flush=True)
        outcomes[door, clients, choice] = subject.put_under(
            door=door,
            workload="transfer",
            clients=clients,
            zipf=CHOICES[choice],
            ids_file=str(ids_file),
            seconds=seconds,
            warm_up_seconds=WARM_UP_SECONDS,
        )
    return outcomes


def _evenness(ours: dict[Case, Outcome]) -> float:
    """Whether a few busy accounts are as fast as many: with one writer they should be."""
    return min(
        ours[door, clients, "Zipf 1.5"].rate / ours[door, clients, "uniform"].rate
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
    run_alone(measure, "transfers", seconds=4.0)

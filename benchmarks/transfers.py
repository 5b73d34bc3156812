"""Fund transfers: read two, write two, among 100,000 accounts.

16 and 64 closed-loop clients, over HTTP and websockets, accounts chosen uniformly and by Zipf 1.5. To reach:
twice the hand-written application with the same durability, not below it with fsync off, Zipf within 10 % of
uniform, and no client ever sees a conflict. The money is counted afterwards.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from benchmarks.load import Outcome
from benchmarks.report import Table, ratio, verdict
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
SECONDS = 1.5
WARM_UP_SECONDS = 0.3
EVENNESS_MIN = 0.9
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each")]
COLUMNS = ["door, clients, accounts", "Rewake", "p99 us", "by hand, fsync", "with group commit", "no fsync"]

Case = tuple[str, int, str]


def measure(scratch: Path) -> Table:
    ids_file = scratch / "accounts.json"
    ids_file.write_text(json.dumps(list(range(1, ACCOUNTS + 1))))
    by_hand: dict[tuple[str, str], dict[Case, Outcome]] = {}
    for sync, commit in BY_HAND:
        with handwritten(scratch, sync=sync, commit=commit, has_accounts=True) as subject:
            by_hand[sync, commit] = _all_cases(subject, ids_file)
    with rewake(scratch) as subject:
        ids_file.write_text(json.dumps(open_accounts(subject)))
        ours = _all_cases(subject, ids_file)
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
    table.notes.append(_evenness(ours))
    failures = sum(outcome.failures for outcome in ours.values())
    table.failures = [*ours.values(), *(each for cases in by_hand.values() for each in cases.values())]
    expected = ACCOUNTS * BALANCE
    state = "whole" if money == expected else "not whole"
    if money != expected:
        table.wrong.append("money came or went")
    table.notes.append(f"Failed transfers in Rewake: {failures}.")
    table.notes.append(f"Money afterwards: {money:,} of {expected:,}: {state}.")
    return table


def _all_cases(subject: Subject, ids_file: Path) -> dict[Case, Outcome]:
    outcomes = {}
    for door, clients, choice in product(DOORS, CLIENTS, CHOICES):
        print(f"  {door}, {clients} clients, {choice}", flush=True)
        outcomes[door, clients, choice] = subject.put_under(
            door=door,
            workload="transfer",
            clients=clients,
            zipf=CHOICES[choice],
            ids_file=str(ids_file),
            seconds=SECONDS,
            warm_up_seconds=WARM_UP_SECONDS,
        )
    return outcomes


def _evenness(ours: dict[Case, Outcome]) -> str:
    """Whether a few busy accounts are as fast as many: with one writer they should be."""
    worst = min(
        ours[door, clients, "Zipf 1.5"].rate / ours[door, clients, "uniform"].rate
        for door, clients in product(DOORS, CLIENTS)
    )
    return f"Zipf beside uniform, worst case: {worst:.0%}; bar 90 %: {verdict(worst >= EVENNESS_MIN)}."

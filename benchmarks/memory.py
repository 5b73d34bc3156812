"""What do sessions and subscriptions hold? Per idle session, per active one, and per 100,000 subscriptions.

    python -m benchmarks.memory --sessions 5000 --subscriptions 100000

Memory is what the front process holds for itself (RssAnon), before and after. An idle session is connected
and watches nothing; an active one watches one of 200 channels, 50 rows each; the subscriptions are a thousand
a session, to channels that are empty. The floor is the same number of sockets at the bare broadcast. To
reach: 20 KB for an idle connection.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.live_driver import live
from benchmarks.processes import private_bytes, private_bytes_alone
from benchmarks.report import Table, figure, ratio, run_alone
from benchmarks.subjects import Notes, Subject, bare_broadcast, rewake, write_notes

IDLE_KB_MAX = 20.0
CHANNELS = 200
SUBSCRIPTIONS_EACH = 1_000
SETTLE_SECONDS = 1.0
FIRST_SHARE = 4
"""So many of the sessions come beforehand: they fill what starting has left free, and are not measured."""
BODY = "x" * 60


def measure(scratch: Path, *, sessions: int = 2_000, subscriptions: int = 20_000) -> Table:
    """Idle, active, subscribed."""
    with bare_broadcast(scratch) as subject, live(subject) as generator:
        generator.ask("open", count=sessions // FIRST_SHARE)
        before = _front(subject)
        generator.ask("open", count=sessions)
        floor = (_front(subject) - before) / sessions / 1e3
    channels = [{"channel": f"channel-{number}"} for number in range(CHANNELS)]
    with rewake(scratch) as subject, live(subject) as generator:
        write_notes(subject, Notes(50 * CHANNELS, CHANNELS, BODY))
        empty, all_empty = _front(subject), private_bytes(subject.process.pid)
        first = sessions // FIRST_SHARE
        generator.ask("open", count=first)
        held = _front(subject)
        generator.ask("open", count=sessions)
        idle = (_front(subject) - held) / sessions / 1e3
        held = _front(subject)
        generator.ask("subscribe", args=channels, first=first)
        active = (_front(subject) - held) / sessions / 1e3
        held = _front(subject)
        watching = max(1, subscriptions // SUBSCRIPTIONS_EACH)
        count = watching * SUBSCRIPTIONS_EACH
        args = [{"channel": f"nobody-{number}"} for number in range(count)]
        generator.ask("subscribe", args=args, each=SUBSCRIPTIONS_EACH, first=first + sessions - watching)
        subscribed = (_front(subject) - held) / count * 1e5 / 1e6
        everybody = private_bytes(subject.process.pid)
    table = Table(
        f"Memory of the front process, {sessions:,} sessions", ["", "KB each", "over a bare socket", "bar"]
    )
    table.add("bare socket, idle", figure(floor), "", "")
    over = ratio(idle, max(floor, 0.01))
    said = table.judge(f"{figure(idle)} KB", is_reached=idle <= IDLE_KB_MAX, over_floor=over)
    bar = f"{IDLE_KB_MAX:g} KB: {said}"
    table.add("idle session", figure(idle), over, bar)
    table.add(f"active session: one of {CHANNELS} queries of 50 rows on top", figure(active), "", "")
    table.add("100,000 subscriptions, different and empty, MB", figure(subscribed), "", "")
    table.notes.append(
        f"{count:,} subscriptions were held for the last row; the front process took {empty / 1e6:.0f} MB "
        f"when empty; with its workers {all_empty / 1e6:.0f} MB then, and {everybody / 1e6:.0f} MB in the end"
    )
    return table


def _front(subject: Subject) -> int:
    # What was freed is given back a little later, and pings go out.
    time.sleep(SETTLE_SECONDS)
    return private_bytes_alone(subject.process.pid)


if __name__ == "__main__":
    run_alone(measure, "memory", sessions=5_000, subscriptions=100_000)

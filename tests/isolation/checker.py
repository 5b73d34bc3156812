"""The checker: everything that is wrong with a history.

    lists (`versions.py`)  ->  sessions, timestamps (`order_rules.py`)  ->  circles (`circles.py`)

Each part takes time in proportion to what it reads, apart from the search for a *shortest* circle, which
begins only where there is one.
"""

from __future__ import annotations

from tests.isolation.anomalies import Anomaly
from tests.isolation.circles import circle_anomalies
from tests.isolation.history import History
from tests.isolation.order_rules import session_anomalies, timestamp_anomalies
from tests.isolation.versions import Versions, list_anomalies


def check(history: History) -> list[Anomaly]:
    """Every anomaly of a history; none for one that a serial database could have given."""
    versions = Versions.of(history)
    return [
        *list_anomalies(history, versions),
        *session_anomalies(history),
        *timestamp_anomalies(history, versions),
        *circle_anomalies(history, versions),
    ]


def names(anomalies: list[Anomaly]) -> set[str]:
    """The names among them."""
    return {anomaly.name for anomaly in anomalies}


def report(anomalies: list[Anomaly]) -> str:
    """As a person reads it: the first of each name in full, and how many more there are."""
    lines = []
    for name in dict.fromkeys(anomaly.name for anomaly in anomalies):
        same = [anomaly for anomaly in anomalies if anomaly.name == name]
        lines.append(f"{same[0]}" + (f"\n    and {len(same) - 1} more of this name" if len(same) > 1 else ""))
    return "\n".join(lines) or "no anomalies"

"""The call log keeps the latest records and tells whoever listens."""

from __future__ import annotations

from rewake.execution import CallLog, CallRecord


def record(number: int) -> CallRecord:
    return CallRecord(f"m:f{number}", "query", 0.0, (), None, None, "")


def test_it_keeps_the_latest_records():
    log = CallLog(records_max=2)
    for number in range(3):
        log.append(record(number))
    assert [one.path for one in log.records] == ["m:f1", "m:f2"]


def test_a_listener_that_raises_disturbs_nobody(caplog):
    log, heard = CallLog(), []

    def bad(one: CallRecord) -> None:
        raise RuntimeError("no")

    log.listen(bad)
    log.listen(heard.append)
    log.append(record(1))
    assert heard == log.records == [record(1)]
    assert "a listener of the call log failed" in caplog.text

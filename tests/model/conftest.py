"""Prints what the model counted at the end of the run of pytest."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show each property `summary` that a test of this folder recorded."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "model summary":
                terminalreporter.section("the engine and the reference")
                terminalreporter.write_line(str(text))

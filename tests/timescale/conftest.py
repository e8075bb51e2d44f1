"""TimescaleDB is no package of the distribution: `make test-timescale` names a server that has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

WANTED = bool(os.environ.get("BALANCE_TEST_TIMESCALE"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name == "test_timescale.py" and not WANTED else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not WANTED:
        terminalreporter.write_line("timescaledb: not asked for (make test-timescale), not collected")

"""Where real data lies, what needs it is tested; elsewhere it is said that it was not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from balance_local import replay

ON_REAL_DATA = "test_bench_forecast.py"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Tests on real data are collected where it lies."""
    absent = not replay.real_data().is_dir() and os.environ.get("CI") != "true"
    return True if collection_path.name == ON_REAL_DATA and absent else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so where it does not."""
    if not replay.real_data().is_dir():
        terminalreporter.write_line(
            f"forecasts of real homes: no folder {replay.real_data()} (BALANCE_REAL_DATA)"
        )

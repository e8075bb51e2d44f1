"""Real data lies outside the repository: without it its tests are not collected, and one line says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from balance_local.replay import REAL_DATA, real_data

TESTS_ON_REAL_DATA = "test_real_data.py"


def _wanted() -> bool:
    """Under CI=true the data must be there: its tests run and fail by naming the file."""
    return real_data().is_dir() or os.environ.get("CI") == "true"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name == TESTS_ON_REAL_DATA and not _wanted() else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _wanted():
        terminalreporter.write_line(
            f"real data: no folder {real_data()} ({REAL_DATA}), its tests were not collected"
        )

"""One process of a service, started and killed by a test, without a supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from balance_chassis.testing import Installation


class ServiceProcess:
    """`python -m balance_ingest run --role <role>`, or another command, on an installation."""

    def __init__(
        self,
        installation: Installation,
        log: Path,
        role: str = "",
        variables: Mapping[str, str] | None = None,
        command: Sequence[str | Path] = (),
    ) -> None:
        self._environment = {**os.environ, **installation.environment(), **(variables or {})}
        self._command = command or ["-m", "balance_ingest", "run", "--role", role]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, cleanly if it can; a test that failed shows the end of its log."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        if error is not None:
            print("\n".join(self.lines()[-30:]))

    def start(self) -> None:
        """Start it, for the first time or after it has ended."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *map(str, self._command)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """kill -9."""
        if self._process is None or self._process.poll() is not None:
            raise AssertionError("it was to be killed and does not run")
        self._process.kill()
        self._process.wait(10)

    def code(self, patience_s: float = 60.0) -> int:
        """How it ended by itself."""
        if self._process is None:
            raise AssertionError("it was never started")
        return self._process.wait(patience_s)

    def lines(self) -> list[str]:
        """What it has logged."""
        return self._log.read_text("utf-8", "replace").splitlines() if self._log.exists() else []


def wait_until(holds: Callable[[], object], what: str, patience_s: float = 60.0) -> None:
    """Return when something holds. Raises AssertionError with what was waited for."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience_s:.0f} s")
        time.sleep(0.02)

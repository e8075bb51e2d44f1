"""An ordinary process that outlives whoever started it, known again by a pid file."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals

import psutil

MARK = "BALANCE_DAEMON"
"""Variable each daemon carries: its folder. A pid alone may by now belong to somebody else."""

LOG_BYTES = 20 * 1024 * 1024
_SHOWS_ITSELF_WITHIN_S = 10.0
_started_here: list[subprocess.Popen[bytes]] = []


class NotStartedError(RuntimeError):
    """Something of the local stack did not start. The message says what, why, and what its log said last."""


@dataclass(frozen=True)
class Daemon:
    """`title` is for people; pid file and log lie in `folder`."""

    title: str
    folder: Path

    @property
    def log(self) -> Path:
        """What it wrote to stdout and stderr."""
        return self.folder / "log"

    def process(self) -> psutil.Process | None:
        """The running process; None when it never was, has ended, or its pid belongs to another by now."""
        for child in _started_here:
            child.poll()  # one of ours that ended stays a zombie until it is asked
        try:
            process = psutil.Process(int((self.folder / "pid").read_text()))
            ours = process.environ().get(MARK) == str(self.folder)
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def start(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        """Start it in a session of its own. It must not be running."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".1"))
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                env={**os.environ, **(environment or {}), MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        _started_here.append(child)
        (self.folder / "pid").write_text(str(child.pid))
        # Just after exec the kernel shows no variables: on a busy machine it would seem to have ended.
        deadline = time.monotonic() + _SHOWS_ITSELF_WITHIN_S
        while self.process() is None and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)

    def wait(self, ready: Callable[[], bool], patience_s: float) -> None:
        """Return when it is ready. Raises NotStartedError when it ends first or takes longer."""
        deadline = time.monotonic() + patience_s
        while not ready():
            if self.process() is None:
                raise NotStartedError(f"{self.title} ended while starting.\n{self.last_words()}")
            if time.monotonic() > deadline:
                late = f"{self.title} was not ready after {patience_s:.0f} s."
                raise NotStartedError(f"{late}\n{self.last_words()}")
            time.sleep(0.05)

    def stop(self, signal: Signals = SIGTERM, patience_s: float = 30.0) -> bool:
        """Ask it to end, and end it when it does not; whether there was anything to stop."""
        process = self.process()
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal)
                try:
                    process.wait(patience_s)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        (self.folder / "pid").unlink(missing_ok=True)
        return process is not None

    def last_words(self, lines: int = 25) -> str:
        """The end of its log, with its path."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join([f"{self.log} ends:", *(f"    {line}" for line in text.splitlines()[-lines:])])

"""The processes of one installation: started, started again when one dies, stopped in reverse.

Run in the background by `services.up` as `python -m balance_local.supervisor FOLDER SERVICE …`, with the
variables of the installation. What it started stands in `services.json` of that folder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from balance_local import ports

PROCESSES = (
    ("gateway", "worker", None),
    ("gateway", "web", None),
    ("ingest", "worker", None),
    ("ingest", "live", None),
    ("ingest", "backlog", None),
    ("imbalance", "worker", None),
    ("imbalance", "live", None),
    ("imbalance", "backlog", None),
    ("imbalance", "agents", None),
    ("ingest", "edge", "BALANCE_INGEST_MQTT_URL"),
    ("imbalance", "weather", "BALANCE_IMBALANCE_WEATHER_SERVICE"),
)
"""Service, role, and the variable without which it is not started."""
SERVICES = tuple(dict.fromkeys(service for service, _, _ in PROCESSES))
ALWAYS = tuple((service, role) for service, role, variable in PROCESSES if variable is None)
"""Service and role of what runs in every installation."""
WEB, PAGES = "web", "pages"
"""The role that has pages, and what their port is recorded as."""
EXIT_SETTINGS = 78  # starting again does not help; see balance_chassis.lifecycle
PATIENCE_S = 30.0

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_STEADY_S = 60.0


@dataclass
class Service:
    """One process. `port` answers /livez, /readyz, /metrics; `pid` is 0 while it waits to start again."""

    service: str
    role: str
    port: int
    pid: int = 0
    restarts: int = 0

    @property
    def title(self) -> str:
        """Service and role."""
        return f"{self.service} {self.role}"


class Keeper:
    """Keeps one process running."""

    def __init__(self, service: Service, folder: Path) -> None:
        """Nothing is started yet."""
        self.service = service
        self._folder = folder
        self._log = log_of(folder, service)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = _FIRST_PAUSE_S
        self._due = 0.0

    def look(self, now: float) -> bool:
        """Start it if it is due, note it if it ended; whether anything changed. `now` is monotonic."""
        if self._process is None:
            if now < self._due:
                return False
            self._start(now)
            return True
        code = self._process.poll()
        if code is None:
            return False
        if now - self._started > _STEADY_S:
            self._pause = _FIRST_PAUSE_S
        say(f"{self.service.title} ended with {code}; started again in {self._pause:.1f} s")
        self._process = None
        self._due = now + (_LONGEST_PAUSE_S if code == EXIT_SETTINGS else self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)
        self.service.pid = 0
        self.service.restarts += 1
        return True

    def stop(self) -> None:
        """Stop it cleanly, or at all."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        say(f"{self.service.title} stopped with {code}")

    def _start(self, now: float) -> None:
        command = [
            sys.executable,
            "-m",
            f"balance_{self.service.service}",
            "run",
            "--role",
            self.service.role,
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "BALANCE_HTTP_PORT": str(self.service.port), **self._pages()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Each by itself, so that they can be stopped one after the other.
                start_new_session=True,
            )
        self._started = now
        self.service.pid = self._process.pid

    def _pages(self) -> dict[str, str]:
        """The variable of a process that has pages: their port."""
        if self.service.role != WEB:
            return {}
        return {"BALANCE_GATEWAY_WEB_PORT": str(ports.choose(self._folder, PAGES))}


def run(folder: Path, names: Sequence[str]) -> None:
    """Keep these services of the installation of that folder running until SIGTERM."""
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: ending.append(received))
    (folder / "logs").mkdir(exist_ok=True)
    keepers = [Keeper(service, folder) for service in _services(folder, names)]
    while not ending:
        changes = [keeper.look(time.monotonic()) for keeper in keepers]
        if any(changes):
            _record(folder, [keeper.service for keeper in keepers])
        time.sleep(0.1)
    for keeper in reversed(keepers):
        keeper.stop()
    (folder / "services.json").unlink(missing_ok=True)


def log_of(folder: Path, service: Service) -> Path:
    """What a process wrote to stdout and stderr."""
    return folder / "logs" / f"{service.service}-{service.role}.log"


def recorded(folder: Path) -> list[Service]:
    """The processes a supervisor recorded in an installation's folder; none when it stopped cleanly."""
    try:
        return [Service(**service) for service in json.loads((folder / "services.json").read_text())]
    except (OSError, ValueError):
        return []


def say(text: str) -> None:
    """A line in the supervisor's log."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}", flush=True)


def _services(folder: Path, names: Sequence[str]) -> list[Service]:
    return [
        Service(service, role, ports.choose(folder, f"{service}-{role}"))
        for service, role, variable in PROCESSES
        if service in names and (variable is None or os.environ.get(variable))
    ]


def _record(folder: Path, services: list[Service]) -> None:
    fresh = folder / "services.json.new"
    fresh.write_text(json.dumps([asdict(service) for service in services], indent=2))
    fresh.replace(folder / "services.json")  # a reader sees the old or the new, never a half


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])

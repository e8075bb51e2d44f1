"""Start and stop the services of an installation, known by its folder."""

import hashlib
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM

import psutil

from balance_local import stack, supervisor
from balance_local.daemon import MARK, Daemon, NotStartedError
from balance_local.stack import Say
from balance_local.supervisor import SERVICES, Service

READY_WITHIN_S = 60.0


def daemon(folder: Path) -> Daemon:
    """The supervisor of the services."""
    return Daemon(f"the services of {folder.name}", folder / "supervisor")


def up(
    folder: Path,
    environment: Mapping[str, str],
    say: Say = lambda _: None,
    names: Sequence[str] = SERVICES,
) -> list[Service]:
    """Start these services, unless any run, and return when each is ready. Raises NotStartedError.

    Services that were given other variables (a stack that had to change a port) are started anew.
    """
    watched = daemon(folder)
    given = watched.folder / "environment.sha256"
    digest = hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode()).hexdigest()
    with stack.locked(folder, say):
        if watched.process() is not None and given.read_text() != digest:
            say("the addresses have changed: the services are started anew")
            down(folder)
        if watched.process() is None:
            _end_orphans(folder)
            watched.start([sys.executable, "-m", "balance_local.supervisor", folder, *names], environment)
            given.write_text(digest)
        _wait(watched, folder)
    return supervisor.recorded(folder)


def down(folder: Path) -> bool:
    """Stop the services in reverse order; whether they ran."""
    stopped = daemon(folder).stop(SIGTERM, supervisor.PATIENCE_S * len(supervisor.recorded(folder)) + 5)
    return _end_orphans(folder) or stopped


def state(service: Service) -> str:
    """`ready`, `down`, `starting`, or in words what it waits for."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/readyz", timeout=2):
            return "ready"
    except urllib.error.HTTPError as error:
        with error:
            lines = error.read(4000).decode("utf-8", "replace").splitlines()
        return "; ".join(line for line in lines if not line.endswith(": ready")) or "starting"
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return "starting" if service.pid else "down"


def _end_orphans(folder: Path) -> bool:
    """Stop what a killed supervisor left behind; whether there was anything."""
    orphans = [found for service in supervisor.recorded(folder) if (found := _process(service, folder))]
    for process in reversed(orphans):
        process.terminate()
    for process in psutil.wait_procs(orphans, supervisor.PATIENCE_S)[1]:
        process.kill()
    (folder / "services.json").unlink(missing_ok=True)
    return bool(orphans)


def _process(service: Service, folder: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(service.pid)
        # The pid may be somebody else's by now; the services carry their supervisor's mark.
        ours = process.environ().get(MARK) == str(folder / "supervisor")
        return process if service.pid and ours and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _wait(watched: Daemon, folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        found = supervisor.recorded(folder)
        late = [service for service in found if state(service) != "ready"]
        if found and not late:
            return
        if watched.process() is None:
            raise NotStartedError(f"{watched.title} ended while starting.\n{watched.last_words()}")
        if time.monotonic() > deadline:
            raise NotStartedError(_why(watched, folder, late))
        time.sleep(0.1)


def _why(watched: Daemon, folder: Path, late: list[Service]) -> str:
    words = [f"{watched.title} were not ready after {READY_WITHIN_S:.0f} s.", watched.last_words(5)]
    for service in late:
        log = supervisor.log_of(folder, service)
        lines = log.read_text("utf-8", "replace").splitlines()[-8:] if log.exists() else []
        words += [f"{service.title}: {state(service)}; {log} ends:", *(f"    {line}" for line in lines)]
    return "\n".join(words)

"""Where the time goes: seconds of processor used by each process of the stack and the services."""

from __future__ import annotations

from collections.abc import Mapping

import psutil
from balance_local import paths, supervisor
from balance_local.broker import Broker
from balance_local.database import Database
from balance_local.installation import Installation


def used(made: Installation) -> dict[str, float]:
    """Seconds of processor used so far, by process; the database with all its sessions."""
    root = paths.local_root()
    seconds = {one.title: _of(psutil.Process(one.pid)) for one in supervisor.recorded(made.folder) if one.pid}
    for title, daemon in (("broker", Broker(root).daemon), ("database", Database(root).daemon)):
        process = daemon.process()
        if process is not None:
            seconds[title] = _of(process) + sum(_of(child) for child in process.children())
    seconds["bench: sends and listens"] = _of(psutil.Process())
    return seconds


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each used meanwhile."""
    return {title: round(after[title] - before[title], 2) for title in after if title in before}


def _of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)

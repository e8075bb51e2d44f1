"""On what a figure was measured."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
from balance_local import paths

LIBRARIES = ("aiokafka", "fastavro", "faust-streaming", "numpy", "psycopg")


def described(dsn: str) -> dict[str, Any]:
    """Machine, versions and commit, flat."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    brokers = sorted(path.stem for path in (paths.PARTS / "kafka").glob("kafka_2*.jar"))
    return {
        "machine": f"{psutil.cpu_count()} cores, {_processor()}, {_gibibytes():.0f} GiB",
        "cores": psutil.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "commit": _commit(),
        "python_version": platform.python_version(),
        "postgresql_version": str(row[0]) if row else "",
        "kafka_version": brokers[0].rpartition("-")[2] if brokers else "as given",
        **{f"{name.replace('-', '_')}_version": version(name) for name in LIBRARIES},
    }


def _gibibytes() -> float:
    return float(psutil.virtual_memory().total) / 2**30


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    asked = ["git", "-C", str(paths.CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"

"""A process with one sink or agent, killed by its test.

Arguments: `sink` or `agent`; `crash` to die between transaction and commit.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from balance_chassis.agents import Agent
from balance_chassis.kafka import Record
from balance_chassis.lifecycle import Process, Runnable, run_process
from balance_chassis.postgres import make_pool
from balance_chassis.settings import load
from balance_chassis.sink import Sink
from balance_schemas import catalogue


def build(process: Process) -> Sequence[Runnable]:
    pool = make_pool(process.settings.postgres, "trial")
    process.closing.callback(pool.close)

    def handle(numbers: Sequence[int]) -> None:
        with pool.connection() as conn, conn.cursor() as cur:
            statement = (
                "INSERT INTO stored VALUES (%s, 1) "
                "ON CONFLICT (number) DO UPDATE SET times = stored.times + 1"
            )
            cur.executemany(statement, [(number,) for number in sorted(numbers)])
        if "crash" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)

    def decode(record: Record) -> int:
        return int(record.value or b"")

    given: dict[str, Any] = {
        "topics": [catalogue.PACKETS],
        "group": "ingest-packets",
        "kafka": process.settings.kafka,
        "decode": decode,
        "handle": handle,
        "metrics": process.metrics,
    }
    return [Agent(**given, max_records=10) if "agent" in sys.argv else Sink(**given, max_weight=10)]


if __name__ == "__main__":
    given = load()
    given = replace(given, kafka=replace(given.kafka, session_timeout_s=6.0))
    sys.exit(run_process("trial", "live", build, given))

"""What one would write first: a Faust agent, one JSON message and one inserted row a reading.

Run by `naive.readings_per_second` as `python -m balance_bench.naive_faust worker`.
"""

from __future__ import annotations

import os
from typing import Any

import faust
import psycopg

app = faust.App(
    "balance-bench-naive",
    broker=f"kafka://{os.environ['BENCH_BOOTSTRAP_SERVERS']}",
    topic_allow_declare=False,
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    datadir=os.environ["BENCH_FOLDER"],
)
topic = app.topic(os.environ["BENCH_TOPIC"], value_serializer="json")


@app.agent(topic)
async def store(readings: Any) -> None:
    """Insert each reading as it comes."""
    connection = await psycopg.AsyncConnection.connect(os.environ["BENCH_DSN"], autocommit=True)
    async for reading in readings:
        await connection.execute(
            "INSERT INTO bench_naive (usage_point, start_at, value) VALUES (%s, %s, %s) "
            "ON CONFLICT (usage_point, start_at) DO UPDATE SET value = excluded.value",
            (reading["usage_point"], reading["start_at"], reading["value"]),
        )


if __name__ == "__main__":
    app.main()

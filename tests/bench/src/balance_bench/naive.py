"""How fast the naive Faust pipeline is on the same broker and database."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from aiokafka.admin import NewTopic
from balance_chassis.kafka import make_producer
from balance_chassis.settings import KafkaSettings
from balance_local.topics import admin_client

TABLE = """
DROP TABLE IF EXISTS bench_naive;
CREATE TABLE bench_naive (
    usage_point int, start_at timestamptz, value bigint,
    stored_at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (usage_point, start_at)
)
"""
SPEED = "SELECT count(*), extract(epoch FROM max(stored_at) - min(stored_at)) FROM bench_naive"
PATIENCE_S = 300.0


def readings_per_second(kafka: KafkaSettings, dsn: str, topic: str, count: int) -> float:
    """Rows a second between the first and the last row stored; messages lie ready when it starts."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        asyncio.run(_publish(kafka, topic, [_message(number) for number in range(count)]))
        with _worker(kafka, dsn, topic):
            seconds = _until_stored(connection, count)
        connection.execute("DROP TABLE bench_naive")
    return (count - 1) / seconds


def _message(number: int) -> bytes:
    day, hour = number // 24 % 28 + 1, number % 24
    reading = {
        "usage_point": number // 672,
        "start_at": f"2026-01-{day:02}T{hour:02}:00:00Z",
        "value": number % 9,
    }
    return json.dumps(reading).encode()


def _until_stored(connection: psycopg.Connection, count: int) -> float:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        stored, seconds = connection.execute(SPEED).fetchone() or (0, None)
        if stored >= count:
            return float(seconds)
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the naive pipeline stored {stored} of {count} readings in {PATIENCE_S:.0f} s"
            )
        time.sleep(0.2)


async def _publish(kafka: KafkaSettings, topic: str, messages: Sequence[bytes]) -> None:
    async with admin_client(kafka) as admin:
        if topic in await admin.list_topics():
            await admin.delete_topics([topic])
            while topic in await admin.list_topics():
                await asyncio.sleep(0.1)
        await admin.create_topics([NewTopic(topic, 1, 1)])
    producer = make_producer(kafka)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value=message) for message in messages])
    finally:
        await producer.stop()


@contextmanager
def _worker(kafka: KafkaSettings, dsn: str, topic: str) -> Iterator[None]:
    """The Faust worker as a process, ended on leaving."""
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "BENCH_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "BENCH_TOPIC": topic,
            "BENCH_DSN": dsn,
            "BENCH_FOLDER": folder,
        }
        command = [sys.executable, "-m", "balance_bench.naive_faust", "worker", "--loglevel", "warn"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **given}, stdout=log, stderr=log)
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"the naive pipeline ended:\n{(Path(folder) / 'log').read_text()[-2000:]}")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

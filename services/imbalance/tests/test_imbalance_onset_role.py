"""The role of agents as a process: killed and started again, it has found every onset and alarm once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from balance_chassis.framing import make_codec
from balance_chassis.kafka import make_producer, topic_name
from balance_chassis.lag import group_lag
from balance_chassis.outbox import Outbox
from balance_chassis.publisher import Outgoing
from balance_chassis.testing import Installation, NewInstallation
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.entrypoints.kafka import ONSET_GROUP
from balance_schemas import catalogue

pytestmark = pytest.mark.stack
GROUPS = [f"G{number}" for number in range(12)]
DAYS = range(12)
KILLED = str(Path(__file__).with_name("killed_agents.py"))
RULES = {"BALANCE_IMBALANCE_ONSET_WINDOW_DAYS": "14", "BALANCE_IMBALANCE_ONSET_LEAST_DAYS": "7"}


@pytest.fixture(scope="module")
def installation(new_installation: NewInstallation) -> Installation:
    """One with topics, for a process reads them."""
    return new_installation()


def used(day: int) -> int:
    return 9_000 + 100 * (day * 7 % 5)


def lost(day: int) -> list[int]:
    """By hour; on day 10 something bursts at noon."""
    return [1_000 + 3 * (day % 3) + (3_000 if day + hour / 24 >= 10.5 else 0) for hour in range(24)]


def computed(house: Any) -> None:
    """Group-days of all groups, in the database and in the outbox."""
    for group in GROUPS:
        supply, member = f"{group}-S", f"{group}-A"
        house.describe(
            house.meter_of(supply), house.meter_of(member), house.group_of(group, [supply], [member])
        )
        for day in DAYS:
            readings = (
                house.reading(supply, day, [used(day) + more for more in lost(day)]),
                house.reading(member, day, used(day)),
            )
            house.hear(*readings, clock_day=day + 1)
    house.settle()


def messages(house: Any, installation: Installation) -> Sequence[Outgoing]:
    """What the publisher would send, in the order of days, so that groups alternate."""
    outbox, render = Outbox("imbalance"), Renderer(make_codec(installation.settings().registry))
    with house.pool.connection() as conn:
        outgoing = render(conn, outbox.claim(conn, 1000))
    return sorted(outgoing, key=lambda one: dict(one.headers)["ce_id"].split(b"/")[1:])


async def send(installation: Installation, outgoing: Sequence[Outgoing]) -> None:
    kafka = installation.settings().kafka
    producer = make_producer(kafka)
    await producer.start()
    try:
        for one in outgoing:
            await producer.send_and_wait(topic_name(kafka, one.topic), one.value, one.key)
    finally:
        await producer.stop()


async def lag(installation: Installation) -> int:
    kafka = installation.settings().kafka
    topics = [topic_name(kafka, catalogue.IMBALANCE)]
    return sum(
        one.records for one in (await group_lag(kafka, topic_name(kafka, ONSET_GROUP), topics)).values()
    )


@contextmanager
def agents(installation: Installation, *program: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *(program or ("-m", "balance_imbalance")), "run", "--role", "agents"],
        env={
            **os.environ,
            **installation.environment(),
            **RULES,
            "BALANCE_KAFKA_SESSION_TIMEOUT_S": "6",
            "BALANCE_HTTP_PORT": "0",
        },
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.1)


def test_killed_between_transaction_and_acknowledgement_it_finds_each_once(
    house: Any, installation: Installation
) -> None:
    computed(house)
    outgoing = messages(house, installation)
    assert len(outgoing) == len(GROUPS) * len(DAYS)
    half = len(outgoing) // 2
    asyncio.run(send(installation, outgoing[:half]))
    with agents(installation, KILLED) as process:
        assert process.wait(90) == -signal.SIGKILL
    stored = house.rows("SELECT DISTINCT balance_group FROM imbalance.onset_days")
    assert 1 <= len(stored) <= len(GROUPS), "a transaction was committed"
    assert asyncio.run(lag(installation)) == half, "nothing was acknowledged"
    asyncio.run(send(installation, outgoing[half:]))
    with agents(installation) as process:
        until(lambda: asyncio.run(lag(installation)) == 0, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    onsets = house.rows("SELECT * FROM imbalance.v_group_onsets ORDER BY group_id")
    assert [(row["group_id"], row["side"]) for row in onsets] == [(group, "RISE") for group in sorted(GROUPS)]
    assert {row["version"] for row in onsets} == {1}
    tenth = datetime.fromtimestamp(house.day_start(10), UTC)
    assert {row["alarmed_day"] for row in onsets} == {tenth}
    alarms = house.rows("SELECT * FROM imbalance.v_group_hour_alarms")
    assert [(row["start_at"] - tenth).total_seconds() / 3600 for row in alarms] == [12.0] * len(GROUPS)
    (states,) = house.rows("SELECT count(*) AS days FROM imbalance.onset_days")
    assert states["days"] == len(GROUPS) * len(DAYS)

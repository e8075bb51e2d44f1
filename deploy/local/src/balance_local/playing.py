"""Plays packets onto the topics of an installation, several at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from balance_chassis.kafka import make_producer, topic_name
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids
from balance_simulator import packets as packing
from balance_simulator.delivery import Packet
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from balance_local.installation import Installation
from balance_local.screen import Screen

AT_ONCE = 200
"""Packets on their way at a time."""

TOPICS = {packing.LIVE: catalogue.PACKETS, packing.BACKLOG: catalogue.PACKETS_BACKLOG}


def play(to: Installation, packets: Sequence[Packet], on: Screen, title: str, speed: float = 0.0) -> float:
    """Send all packets in their order and return when every one is acknowledged; the seconds it took.

    `speed` is how many seconds of packet time pass in a second; 0 is as fast as it goes.
    """
    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=on.console,
        transient=True,
    )
    shown: AbstractContextManager[object] = bar if on.rich else nullcontext()
    task = bar.add_task(title, total=len(packets))
    with shown:
        asyncio.run(_play(to, packets, speed, lambda count: bar.advance(task, count)))
    return time.monotonic() - started


async def _play(
    to: Installation, packets: Sequence[Packet], speed: float, advance: Callable[[int], None]
) -> None:
    settings = to.settings().kafka
    codec = Codec(load_ids(to.folder / "schema-ids.json"), raw_timestamps=True)
    started, at_once = time.monotonic(), 1 if speed else AT_ONCE
    producer = make_producer(settings)
    await producer.start()
    try:
        for first in range(0, len(packets), at_once):
            part = packets[first : first + at_once]
            if speed:
                due = (part[0]["received_at"] - packets[0]["received_at"]) / 1000 / speed
                await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            acknowledged = [
                await producer.send(
                    topic_name(settings, TOPICS[packet["lane"]]),
                    codec.encode(packing.RECORD, packing.record(packet)),
                    packet["concentrator_id"].encode(),
                )
                for packet in part
            ]
            await asyncio.gather(*acknowledged)
            advance(len(part))
    finally:
        await producer.stop()

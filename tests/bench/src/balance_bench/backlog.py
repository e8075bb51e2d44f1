"""Live packets while a backlog pours in: from sending one to the last of its reading days published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka import ConsumerRecord
from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import Outgoing
from balance_local.installation import Installation
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_bench import fleet
from balance_bench.end_to_end import Line
from balance_bench.fleet import HOURS, Block

_PACKETS_A_SECOND = 10.0
_LEAD_S = 1.0
"""Live packets begin when the backlog is this old."""


@dataclass(frozen=True)
class Waited:
    """Seconds each live packet took, and how the backlog fared."""

    live_s: Sequence[float]
    backlog_s: float
    backlog_readings: int

    def described(self) -> dict[str, float]:
        """Flat, with units in the keys."""
        return {
            "live_p50_seconds_during_backlog": round(float(np.percentile(self.live_s, 50)), 3),
            "live_p99_seconds_during_backlog": round(float(np.percentile(self.live_s, 99)), 3),
            "live_packets_during_backlog": len(self.live_s),
            "backlog_readings": self.backlog_readings,
            "backlog_seconds": round(self.backlog_s, 1),
            "backlog_readings_per_second": round(self.backlog_readings / self.backlog_s),
        }


def play(made: Installation, sessions: Sequence[Outgoing], today: Block, readings: int) -> Waited:
    """Send the backlog at once and one house's live day after another, until the backlog is published.

    `readings` are those of the backlog. Raises TimeoutError when it, or a live packet, is not published.
    """
    return asyncio.run(_Play(made, today, readings // HOURS).run(sessions))


class _Play:
    def __init__(self, made: Installation, today: Block, backlog_days: int) -> None:
        self._kafka = settings_of(made).kafka
        self._codec: Codec = codec_of(made)
        self._today = today
        self._left = backlog_days
        self._backlog_days = backlog_days
        self._pending: dict[str, tuple[float, set[str]]] = {}
        self._waited: list[float] = []
        self._started = 0.0
        self._ended = 0.0
        self._all_sent = False

    async def run(self, sessions: Sequence[Outgoing]) -> Waited:
        topics = [catalogue.READINGS, catalogue.READINGS_BACKLOG]
        async with Line(self._kafka, topics) as line:
            self._started = time.perf_counter()
            listening = asyncio.create_task(line.listen(self._heard))
            pouring = asyncio.create_task(line.send(sessions))
            living = asyncio.create_task(self._live(line))
            try:
                await asyncio.gather(listening, pouring, living)
            finally:
                for task in (listening, pouring, living):
                    task.cancel()
        return Waited(self._waited, self._ended - self._started, self._backlog_days * HOURS)

    async def _live(self, line: Line) -> None:
        """One house after another at an even pace, until none is left or the backlog is done."""
        due = self._started + _LEAD_S
        for house, packet in enumerate(fleet.packets(self._today, self._codec)):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._ended:
                break
            due += 1 / _PACKETS_A_SECOND
            names = {fleet.module(house, place) for place in range(self._today.counts.shape[1])}
            self._pending[f"{house:03}"] = time.perf_counter(), names
            await line.send([packet])
        self._all_sent = True

    def _heard(self, record: ConsumerRecord) -> bool:
        now = time.perf_counter()
        event = dict(record.headers)["ce_id"].decode()
        if record.topic.endswith(catalogue.READINGS_BACKLOG):
            self._left -= int(event.rpartition("/")[2])
            if self._left <= 0 and not self._ended:
                self._ended = now
        elif not event.startswith("clock/"):
            self._strike(self._codec.decode(record.value)[1]["days"], now)
        return bool(self._ended) and self._all_sent and not self._pending

    def _strike(self, days: Sequence[dict[str, str]], now: float) -> None:
        for day in days:
            house = day["usage_point_id"][1:].partition("-")[0]
            sent, names = self._pending.get(house, (0.0, set()))
            names.discard(day["usage_point_id"])
            if house in self._pending and not names:
                del self._pending[house]
                self._waited.append(now - sent)

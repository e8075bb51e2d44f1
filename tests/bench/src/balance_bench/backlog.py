"""Live packets while a backlog pours in: from sending one to the last of its results published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from aiokafka import ConsumerRecord
from balance_chaos.published import GROUP_DAY
from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import Outgoing
from balance_local.installation import Installation
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_bench import fleet
from balance_bench.end_to_end import Line
from balance_bench.fleet import Block

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


class Results(Protocol):
    """What is waited for: results of live packets, and of the backlog."""

    @property
    def topics(self) -> Sequence[str]:
        """Where they are published."""
        ...

    def of_house(self, house: int, today: Block) -> set[str]:
        """Results that the live packet of a house brings about."""
        ...

    def heard(self, record: ConsumerRecord) -> tuple[Iterable[tuple[str, str]], int]:
        """(house, result) of the live results of a record, and of how many results of the backlog it is."""
        ...


class ReadingDays:
    """Reading days, each published once."""

    topics = (catalogue.READINGS, catalogue.READINGS_BACKLOG)

    def __init__(self, codec: Codec) -> None:
        """Take what decodes records."""
        self._codec = codec

    def of_house(self, house: int, today: Block) -> set[str]:
        """A reading day of every meter."""
        return {fleet.module(house, place) for place in range(today.counts.shape[1])}

    def heard(self, record: ConsumerRecord) -> tuple[Iterable[tuple[str, str]], int]:
        """Those of the backlog are counted by the id of their message."""
        event = dict(record.headers)["ce_id"].decode()
        if record.topic.endswith(catalogue.READINGS_BACKLOG):
            return (), int(event.rpartition("/")[2])
        if event.startswith("clock/"):
            return (), 0
        points = [day["usage_point_id"] for day in self._codec.decode(record.value)[1]["days"]]
        return [(point[1:].partition("-")[0], point) for point in points], 0


class GroupDays:
    """Group-days, each when it is complete for the first time."""

    topics = (catalogue.IMBALANCE,)

    def __init__(self, codec: Codec) -> None:
        """Take what decodes records."""
        self._codec = codec
        self._today = -1
        self._complete: set[tuple[str, int]] = set()

    def of_house(self, house: int, today: Block) -> set[str]:
        """The one group-day of the house."""
        self._today = today.day_starts[0] * 1000
        return {f"G-{house:03}"}

    def heard(self, record: ConsumerRecord) -> tuple[Iterable[tuple[str, str]], int]:
        """Incomplete ones, and whatever is not a group-day, are passed over."""
        name, one = self._codec.decode(record.value)
        if name != GROUP_DAY or one["day"]["coverage"] != "COMPLETE":
            return (), 0
        key = one["group_id"], one["day_start_at"]
        if key in self._complete:
            return (), 0
        self._complete.add(key)
        if key[1] == self._today:
            return [(key[0].removeprefix("G-"), key[0])], 0
        return (), 1


def play(
    made: Installation, sessions: Sequence[Outgoing], today: Block, results: Results, due: int, readings: int
) -> Waited:
    """Send the backlog at once and one house's live day after another, until the backlog is published.

    `due` is of how many results the backlog is, `readings` of how many readings. Raises TimeoutError when
    it, or a live packet, is not published.
    """
    return asyncio.run(_Play(made, today, results, due, readings).run(sessions))


class _Play:
    def __init__(self, made: Installation, today: Block, results: Results, due: int, readings: int) -> None:
        self._kafka = settings_of(made).kafka
        self._codec: Codec = codec_of(made)
        self._today = today
        self._results = results
        self._left = due
        self._readings = readings
        self._pending: dict[str, tuple[float, set[str]]] = {}
        self._waited: list[float] = []
        self._started = 0.0
        self._ended = 0.0
        self._all_sent = False

    async def run(self, sessions: Sequence[Outgoing]) -> Waited:
        async with Line(self._kafka, self._results.topics) as line:
            self._started = time.perf_counter()
            listening = asyncio.create_task(line.listen(self._heard))
            pouring = asyncio.create_task(line.send(sessions))
            living = asyncio.create_task(self._live(line))
            try:
                await asyncio.gather(listening, pouring, living)
            finally:
                for task in (listening, pouring, living):
                    task.cancel()
        return Waited(self._waited, self._ended - self._started, self._readings)

    async def _live(self, line: Line) -> None:
        """One house after another at an even pace, until none is left or the backlog is done."""
        due = self._started + _LEAD_S
        for house, packet in enumerate(fleet.packets(self._today, self._codec)):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._ended:
                break
            due += 1 / _PACKETS_A_SECOND
            self._pending[f"{house:03}"] = time.perf_counter(), self._results.of_house(house, self._today)
            await line.send([packet])
        self._all_sent = True

    def _heard(self, record: ConsumerRecord) -> bool:
        now = time.perf_counter()
        live, backlog = self._results.heard(record)
        self._left -= backlog
        if self._left <= 0 and not self._ended:
            self._ended = now
        for house, result in live:
            self._strike(house, result, now)
        return bool(self._ended) and self._all_sent and not self._pending

    def _strike(self, house: str, result: str, now: float) -> None:
        sent, results = self._pending.get(house, (0.0, set()))
        results.discard(result)
        if house in self._pending and not results:
            del self._pending[house]
            self._waited.append(now - sent)

"""From packets to evidence: elements are screened, and cut at the edges of metering days (docs/domain.md
§2.1, §2.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from balance_ingest.domain.clocks import TOLERANCE_S
from balance_ingest.domain.days import HOUR_S, Days, Ints
from balance_ingest.domain.evidence import Block, Points, Shape
from balance_ingest.domain.join import ABSENT, Slots
from balance_ingest.domain.measuring import archives_of
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Element, Packet, Registers
from balance_ingest.domain.screening import Limits, Noted, Refusal, is_ordinary, screen
from balance_ingest.domain.screening_telemetry import listen
from balance_ingest.domain.telemetry import Telemetry
from balance_ingest.domain.wording_telemetry import fast_clock

ChannelKey = tuple[str, int]
"""(module id, channel number)."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a batch of packets says. Blocks and points count channels by their position in `channels`."""

    channels: Sequence[ChannelKey]
    blocks: Sequence[Block]
    points: Points
    refusals: Sequence[Refusal]
    received: int
    """The newest receipt among the packets."""
    telemetry: Telemetry = field(default_factory=Telemetry)
    noted: Sequence[Noted] = ()
    """What was found of evidence that counts all the same."""

    def days(self, calendar: Days) -> frozenset[int]:
        """The days that any evidence lies in."""
        found = [np.unique(block.day) for block in self.blocks]
        return frozenset(np.concatenate([*found, calendar.days_of(self.points.instant)]).tolist())


def harvest(packets: Iterable[Packet], days: Days, limits: Limits) -> Harvest:
    """Screen and cut all elements of some packets, and join what they say about the same thing."""
    basket = _Basket(days)
    refusals: list[Refusal] = []
    noted: list[Noted] = []
    telemetry = Telemetry()
    received = 0
    for packet in packets:
        received = max(received, packet.received)
        refusals.extend(listen(telemetry, packet, limits))
        elements: list[Element] = [*packet.registers, *packet.measurements]
        for archive in packet.archives:
            if is_ordinary(archive, packet.received, days, limits):
                basket.add_whole_day(archive, packet.sequence)
            else:
                elements.append(archive)
        for element in elements:
            refusal = screen(element, packet, days, limits)
            if refusal:
                refusals.append(refusal)
                continue
            if not isinstance(element, Registers) and element.end > packet.received + TOLERANCE_S:
                noted.append(Noted(fast_clock(element, packet), packet.sequence))
            if isinstance(element, Archive):
                basket.add_archive(element, packet.sequence)
            elif isinstance(element, Registers):
                basket.add_registers(element, packet.sequence)
            else:
                for archive in archives_of(element):
                    basket.add_archive(archive, packet.sequence)
    channels, blocks, points = list(basket.channels), basket.blocks(), basket.points()
    return Harvest(channels, blocks, points, refusals, received, telemetry, noted)


@dataclass(slots=True)
class _Rows:
    """Rows of one shape as they come, in lists: cheaper than arrays until all are there."""

    channel: list[int] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    revision: list[int] = field(default_factory=list)
    values: list[Sequence[int]] = field(default_factory=list)
    silent: list[tuple[int, Sequence[int] | slice]] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)

    def add(
        self, channel: int, day: int, revision: int, values: Sequence[int], start: int | None, end: int | None
    ) -> int:
        """Append a row; a register that is not there is −1."""
        self.channel.append(channel)
        self.day.append(day)
        self.revision.append(revision)
        self.values.append(values)
        self.start.append(ABSENT if start is None else start)
        self.end.append(ABSENT if end is None else end)
        return len(self.values) - 1

    def block(self, shape: Shape) -> Block:
        values = np.array(self.values, np.int64)
        revision = np.array(self.revision, np.int64)
        by_slot = np.repeat(revision[:, None], shape.slots, axis=1)
        for row, slots in self.silent:
            by_slot[row, slots] = ABSENT
            values[row, slots] = 0
        return Block(
            shape,
            np.array(self.channel, np.int64),
            np.array(self.day, np.int64),
            Slots(by_slot, values, values),
            _edge(self.start, revision),
            _edge(self.end, revision),
        )


def _edge(registers: Sequence[int], revision: Ints) -> Slots:
    values = np.array(registers, np.int64)
    there = values >= 0
    shown = np.where(there, values, 0)
    return Slots(np.where(there, revision, ABSENT), shown, shown)


class _Basket:
    """Collects what is accepted."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._hours = days.hours_by_start
        self._rows: dict[Shape, _Rows] = {}
        self._points: list[tuple[int, int, int, int]] = []
        self.channels: dict[ChannelKey, int] = {}

    def blocks(self) -> Sequence[Block]:
        blocks = (rows.block(shape).folded() for shape, rows in sorted(self._rows.items()))
        return [block.at(block.spoken) for block in blocks]

    def points(self) -> Points:
        if not self._points:
            return Points.none()
        channel, instant, revision, value = np.array(self._points, np.int64).T
        return Points(channel, instant, Slots(revision, value, value)).folded()

    def add_whole_day(self, archive: Archive, sequence: int) -> None:
        """An archive of exactly one day, nothing missing: the normal case, for which cutting would be a
        waste.
        """
        module_id, number, rank, start, step, values, _, register_start, register_end = archive
        rows = self._rows_of(Shape(step, self._hours[start]))
        channel = self._channel(module_id, number)
        rows.add(channel, start, (rank or 0) + sequence, values, register_start, register_end)

    def add_archive(self, archive: Archive, sequence: int) -> None:
        """The pieces of an archive by day; its registers away from day edges are POINTs."""
        channel = self._channel(archive.module_id, archive.channel)
        revision = (archive.rank or 0) + sequence
        missing = sorted(set(archive.missing))  # a position may be listed any number of times
        for day in self._days.between(archive.start, archive.end):
            shape = Shape(archive.step, self._hours[day])
            end = day + shape.hours * HOUR_S
            first = max(archive.start - day, 0) // archive.step
            skipped = max(day - archive.start, 0) // archive.step
            taken = archive.values[skipped : skipped + shape.slots - first]
            after = first + len(taken)
            rows = self._rows_of(shape)
            row = rows.add(
                channel,
                day,
                revision,
                [*[0] * first, *taken, *[0] * (shape.slots - after)],
                archive.register_start if archive.start == day else None,
                archive.register_end if archive.end == end else None,
            )
            rows.silent.append((row, slice(0, first)))
            rows.silent.append((row, slice(after, None)))
            unheard = [p - skipped + first for p in missing if skipped <= p < skipped + len(taken)]
            if unheard:
                rows.silent.append((row, unheard))
        for instant, register in (
            (archive.start, archive.register_start),
            (archive.end, archive.register_end),
        ):
            if register is not None and instant not in self._hours:
                self._points.append((channel, instant, revision, register))

    def add_registers(self, registers: Registers, sequence: int) -> None:
        channel = self._channel(registers.module_id, registers.channel)
        revision = ARCHIVED_RANK + sequence
        for offset, value in zip(registers.offsets, registers.values, strict=True):
            self._points.append((channel, registers.start + offset, revision, value))

    def _channel(self, module_id: str, number: int) -> int:
        return self.channels.setdefault((module_id, number), len(self.channels))

    def _rows_of(self, shape: Shape) -> _Rows:
        rows = self._rows.get(shape)
        if rows is None:
            rows = self._rows[shape] = _Rows()
        return rows

"""What was fitted when: the history of a usage point as the rules read it (docs/domain.md §3, Fittings)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from balance_kernel.quantity import Resource

from balance_ingest.domain.days import Span
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.sensor_kinds import SENSED, SensorKind, kind_of

FOREVER = 2**62
"""End of a fitting that stands."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter fitted in [fitted, removed): pulse weight in base units, q_max in base units an hour,
    registers in pulses, and by how many of them its counts may differ from its registers (docs/domain.md
    §3.4).
    """

    fitted: int
    removed: int
    weight: int
    digits: int
    q_max: int
    initial: int | None = None
    final: int | None = None
    sum_tolerance: int = 2

    @property
    def modulus(self) -> int:
        """Where its register wraps, in pulses."""
        return int(10**self.digits)


@dataclass(frozen=True, slots=True)
class Fitting:
    """A module channel that reads a usage point in [fitted, removed). `number` 0 is the module's
    thermometer.
    """

    channel_id: int
    module_id: str
    number: int
    fitted: int
    removed: int
    minima_id: int | None = None
    maxima_id: int | None = None
    """Channels of the minima and maxima of a sensor (docs/domain.md §2.6)."""

    @property
    def channel_ids(self) -> Sequence[int]:
        """Every channel whose evidence its readings are made of."""
        beside = (self.minima_id, self.maxima_id)
        return [self.channel_id, *(channel for channel in beside if channel is not None)]

    def contains(self, start: int, end: int) -> bool:
        """Whether it holds the whole span."""
        return self.fitted <= start and end <= self.removed

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it holds a part of the span."""
        return self.fitted < end and start < self.removed


@dataclass(frozen=True)
class UsagePoint:
    """A usage point with all meters and channels ever fitted, each in the order fitted. Deleted: with
    neither.
    """

    key: int
    name: str
    resource: Resource
    meters: tuple[Meter, ...] = ()
    fittings: tuple[Fitting, ...] = ()
    related: frozenset[int] = field(default=frozenset(), compare=False)
    """Every channel that any version of its history named, so that what a correction left behind is found."""
    sensor_kind: str | None = None
    """Kind of sensor, as the register says it."""
    kind: SensorKind | None = None
    """What the table says of its kind; None for meters and for a kind that it does not have."""
    decisions: tuple[Edit, ...] = ()
    """Standing decisions about its readings, each before those that count instead of it."""

    @property
    def is_sensed(self) -> bool:
        """Whether a sensor reads it, and not a meter (docs/domain.md §3.14)."""
        return self.resource in SENSED

    @cached_property
    def channel_ids(self) -> Sequence[int]:
        """Every channel whose evidence its readings are made of, in order."""
        return sorted({channel for fitting in self.fittings for channel in fitting.channel_ids})

    @cached_property
    def _fitted(self) -> Sequence[int]:
        return [meter.fitted for meter in self.meters]

    def meter_index(self, instant: int) -> int:
        """Position of the meter fitted at an instant; −1 without one."""
        index = bisect_right(self._fitted, instant) - 1
        return index if index >= 0 and instant < self.meters[index].removed else -1

    def meter_at(self, instant: int) -> Meter | None:
        """The meter fitted at an instant."""
        index = self.meter_index(instant)
        return None if index < 0 else self.meters[index]

    def meters_fitted_in(self, start: int, end: int) -> range:
        """Positions of the meters fitted in (start, end]."""
        return range(bisect_right(self._fitted, start), bisect_right(self._fitted, end))

    def meter_edge_inside(self, start: int, end: int) -> bool:
        """Whether a meter begins or ends strictly inside a span."""
        return any(start < edge < end for meter in self.meters for edge in (meter.fitted, meter.removed))

    def channel_edge_inside(self, start: int, end: int) -> bool:
        """Whether a channel fitting begins or ends strictly inside a span."""
        return any(start < edge < end for f in self.fittings for edge in (f.fitted, f.removed))


def changed_spans(old: UsagePoint | None, new: UsagePoint) -> Iterator[Span]:
    """Spans of time in which two histories of a usage point say different things about its readings.

    Beside the spans in which another channel or another kind of meter is fitted, the instant of every edge
    that only one of them has, as an empty span: rules that compare days ask whether an edge lies between
    them.
    """
    histories = [old, new] if old else [new]
    if old and _sensed(old) != _sensed(new):
        yield (-FOREVER, FOREVER)
    edges = sorted({edge for history in histories for edge in _edges(history)} | {-FOREVER, FOREVER})
    for start, end in pairwise(edges):
        if (_fitted(old, start) if old else (None, None)) != _fitted(new, start):
            yield (start, end)
    for instant, *_ in set(_joints(old) if old else ()) ^ set(_joints(new)):
        yield (int(instant or 0), int(instant or 0))


def _sensed(history: UsagePoint) -> tuple[Resource, str | None]:
    return history.resource, kind_of(history.resource, history.sensor_kind)


def _edges(history: UsagePoint) -> Iterator[int]:
    for meter in history.meters:
        yield from (meter.fitted, meter.removed)
    for fitting in history.fittings:
        yield from (fitting.fitted, fitting.removed)


def _fitted(history: UsagePoint, instant: int) -> tuple[object, object]:
    fitting = next(
        (f.channel_id for f in reversed(history.fittings) if f.overlaps(instant, instant + 1)), None
    )
    meter = history.meter_at(instant)
    return fitting, meter and (meter.weight, meter.digits, meter.q_max)


def _joints(history: UsagePoint) -> Iterator[tuple[int | None, ...]]:
    before: Meter | None = None
    for meter in history.meters:
        left = (before.final, before.weight) if before else (None, None)
        yield (meter.fitted, 1, meter.initial, *left)
        yield (meter.removed, 2)
        before = meter
    for fitting in history.fittings:
        yield (fitting.fitted, 3, fitting.channel_id)
        yield (fitting.removed, 4, fitting.channel_id)

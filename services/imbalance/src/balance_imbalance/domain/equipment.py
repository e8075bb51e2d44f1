"""What hangs on a usage point's modules: how long it may be silent, and its thermometer (docs/domain.md §4.1,
§4.5).

Instants are seconds since 1970 (UTC), spans half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

from balance_kernel.plans import Allowance, allowance_at


@dataclass(frozen=True, slots=True)
class ChannelFitting:
    """The channel of a module that reads a usage point from ``fitted_at`` up to, not including,
    ``removed_at``.
    """

    module_id: str
    channel: int
    fitted_at: int
    removed_at: int


@dataclass(frozen=True, slots=True)
class ThermometerSpan:
    """On days that start from ``start`` up to, not including, ``end`` the thermometer of a usage point is
    this one.
    """

    start: int
    end: int
    thermometer: int


@dataclass(frozen=True)
class Equipment:
    """Allowances and thermometers by usage point; those without are left out. Spans of one do not overlap."""

    allowances: Mapping[int, Sequence[Allowance]] = field(default_factory=dict)
    thermometers: Mapping[int, Sequence[ThermometerSpan]] = field(default_factory=dict)

    def allowance_days(self, usage_point: int, day_start: int) -> int:
        """The allowance (§3.17) of a usage point on the day that starts then, in days; 0 without any."""
        return allowance_at(self.allowances.get(usage_point, ()), day_start)

    def thermometer_of(self, usage_point: int, day_start: int) -> int | None:
        """The usage point (surrogate) whose temperature is that of this one on the day that starts then.

        It is one fitted to a channel of the same module, whatever is metered (§4.5).
        """
        spans = self.thermometers.get(usage_point, ())
        return next((span.thermometer for span in spans if span.start <= day_start < span.end), None)


@dataclass(frozen=True, slots=True, order=True)
class FittedThermometer:
    """A usage point of resource TEMPERATURE on a module for a time."""

    usage_point_id: str
    usage_point: int
    fitted_at: int
    removed_at: int


def allowances_of_point(
    channels: Sequence[ChannelFitting], by_module: Mapping[str, Sequence[Allowance]]
) -> Sequence[Allowance]:
    """Of the allowances of the modules fitted at an instant the greatest, in order of time (§4.1)."""
    there = [
        (max(allowance.start, channel.fitted_at), min(allowance.end, channel.removed_at), allowance.days)
        for channel in channels
        for allowance in by_module.get(channel.module_id, ())
    ]
    return [Allowance(start, end, days) for start, end, days in _greatest(there)]


def thermometers_of_point(
    channels: Sequence[ChannelFitting], by_module: Mapping[str, Sequence[FittedThermometer]]
) -> Sequence[ThermometerSpan]:
    """Of the thermometers on the modules fitted at an instant the first by id, in order of time (§4.5)."""
    there = [
        (
            max(fitted.fitted_at, channel.fitted_at),
            min(fitted.removed_at, channel.removed_at),
            (fitted.usage_point_id, fitted.usage_point),
        )
        for channel in channels
        for fitted in by_module.get(channel.module_id, ())
    ]
    ranked = sorted({name for _, _, name in there}, reverse=True)
    ranks = {name: rank for rank, name in enumerate(ranked)}
    best = _greatest([(start, end, ranks[name]) for start, end, name in there])
    return [ThermometerSpan(start, end, ranked[rank][1]) for start, end, rank in best]


def _greatest(spans: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Of (start, end, value) the greatest value at each instant, as maximal spans in order of time."""
    waiting = sorted((span for span in spans if span[0] < span[1]), reverse=True)
    edges = sorted({edge for start, end, _ in waiting for edge in (start, end)})
    holding: list[tuple[int, int]] = []  # (-value, end)
    found: tuple[int, int, int] | None = None
    for start, end in pairwise(edges):
        while waiting and waiting[-1][0] <= start:
            _, until, value = waiting.pop()
            heappush(holding, (-value, until))
        while holding and holding[0][1] <= start:
            heappop(holding)
        if not holding:
            continue
        value = -holding[0][0]
        if found and found[1:] == (start, value):
            found = (found[0], end, value)
            continue
        if found:
            yield found
        found = (start, end, value)
    if found:
        yield found

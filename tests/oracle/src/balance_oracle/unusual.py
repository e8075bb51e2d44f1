"""What is unusual about readings as they stand (domain.md §3.15, §3.16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import Finding
from balance_oracle.fittings import Meter, UsagePoint
from balance_oracle.groups import UNITS
from balance_oracle.intervals import successive
from balance_oracle.settings import HOUR

Hour = tuple[int | None, str]
STANDING = ("VALID", "EDITED")
PAST_DAYS, LEAST_PAST_DAYS = 28, 14
LONG_PAST_DAYS, LEAST_LONG_PAST_HOURS = 365, 2000


@dataclass(frozen=True)
class Parameters:
    """§3.16: days of zero, hours stuck, times the usual, share of Qmax."""

    zero_days: int
    stuck_hours: int
    usual_times: int = 3
    high_share: Fraction = Fraction(1, 2)


BY_RESOURCE = {
    "GAS": Parameters(14, 24),
    "WATER": Parameters(14, 24),
    "HOT_WATER": Parameters(14, 24),
    "HEAT": Parameters(60, 48),
    "ELECTRICITY": Parameters(7, 24),
}
OF_LARGE_METERS = Parameters(3, 24, usual_times=2)
LARGE_Q_MAX = {"MILLILITRE": 25 * 10**6, "WATT_HOUR": 10**5}


def parameters(point: UsagePoint, meter: Meter) -> Parameters:
    """Those of a resource, or of a large meter."""
    large = meter.q_max >= LARGE_Q_MAX[UNITS[point.resource]]
    return OF_LARGE_METERS if large else BY_RESOURCE[point.resource]


class PointHistory:
    """The reading days of one metered usage point, and what is unusual in them."""

    def __init__(self, point: UsagePoint, readings: Mapping[int, list[Hour]], days: MeteringDays) -> None:
        self._point = point
        self._readings = readings
        self._days = days
        self._whole = {
            day: [value for value, _ in hours if value is not None]
            for day, hours in readings.items()
            if all(quality in STANDING for _, quality in hours)
        }

    def findings(self) -> set[Finding]:
        """Those of §3.15."""
        found = {*self._zero(), *self._stuck()}
        for day in self._readings:
            found |= {("vee.above_usual", *span) for span in self._hours_above(day, self._usual(day))}
            found |= {("vee.spike", *span) for span in self._hours_above(day, self._rare(day))}
        return {(rule, self._point.usage_point_id, start, end) for rule, start, end in found}

    @cached_property
    def _by_hour(self) -> dict[int, int]:
        """Values VALID or EDITED, by hour."""
        return {
            hour: value
            for day, hours in sorted(self._readings.items())
            for hour, (value, quality) in zip(self._days.hours(day), hours, strict=True)
            if quality in STANDING and value is not None
        }

    def _before(self, day: int, count: int) -> Iterator[int]:
        return (self._days.shifted(day, -back) for back in range(1, count + 1))

    def _whole_before(self, day: int) -> list[list[int]]:
        """The whole days among the 28 before."""
        return [self._whole[past] for past in self._before(day, PAST_DAYS) if past in self._whole]

    def _is_zero(self, day: int) -> bool:
        return day in self._whole and sum(self._whole[day]) == 0

    def _zero(self) -> Iterator[tuple[str, int, int]]:
        for day in self._whole:
            meter = self._point.meter_at(day)
            if meter is None:
                continue
            length = parameters(self._point, meter).zero_days
            first = self._days.shifted(day, 1 - length)
            run = [self._days.shifted(day, -back) for back in range(length)]
            if not all(map(self._is_zero, run)) or self._is_zero(self._days.shifted(day, -length)):
                continue
            past = self._whole_before(first)
            used = [values for values in past if sum(values) > 0]
            if len(past) >= LEAST_PAST_DAYS and 10 * len(used) >= 9 * len(past):
                yield "vee.zero", first, self._days.end(day)

    def _stuck(self) -> Iterator[tuple[str, int, int]]:
        run_start, length = 0, 0
        for hour, value in self._by_hour.items():
            follows = self._by_hour.get(hour - HOUR) == value
            run_start, length = (run_start, length + 1) if follows else (hour, 1)
            meter, first = self._point.meter_at(hour), self._point.meter_at(run_start)
            if meter is None or first is None or value < 3 * first.weight:
                continue
            if length == parameters(self._point, meter).stuck_hours:
                yield "vee.stuck", run_start, hour + HOUR

    def _hours_above(self, day: int, is_above: Callable[[int, Meter], bool]) -> list[tuple[int, int]]:
        hours = []
        for hour in self._days.hours(day):
            value, meter = self._by_hour.get(hour), self._point.meter_at(hour)
            if value is not None and meter is not None and is_above(value, meter):
                hours.append(hour)
        return successive(hours)

    def _usual(self, day: int) -> Callable[[int, Meter], bool]:
        past = [values for values in self._whole_before(day) if max(values) > 0]
        if len(past) < LEAST_PAST_DAYS:
            return _never
        usual = max(max(values) for values in past)

        def is_above(value: int, meter: Meter) -> bool:
            least = 10 * meter.weight
            times = parameters(self._point, meter).usual_times
            return usual >= least and value > times * usual and value > least

        return is_above

    def _rare(self, day: int) -> Callable[[int, Meter], bool]:
        first = self._days.shifted(day, -LONG_PAST_DAYS)
        past = sorted(value for hour, value in self._by_hour.items() if first <= hour < day)
        if len(past) < LEAST_LONG_PAST_HOURS:
            return _never
        rank = -(-999 * len(past) // 1000)

        def is_above(value: int, meter: Meter) -> bool:
            return value > parameters(self._point, meter).high_share * meter.q_max and value > past[rank - 1]

        return is_above


def _never(_value: int, _meter: Meter) -> bool:
    return False

"""Usage points with the meters and channels fitted to them (domain.md §3, Fittings). Instants in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from balance_oracle.evidence import Channel

FOREVER = 2**60


@dataclass(frozen=True)
class Meter:
    """A meter at a usage point for a time; weight and q_max in base units, registers in pulses."""

    fitted: int
    removed: int
    class_ppm: int
    weight: int
    digits: int
    q_max: int
    initial: int | None
    final: int | None
    starting_flow: int | None = None
    is_compensated: bool = False


@dataclass(frozen=True)
class Fitting:
    """A channel that reads a usage point from ``fitted`` to ``removed``."""

    channel: Channel
    fitted: int
    removed: int

    def holds(self, start: int, end: int) -> bool:
        return self.fitted <= start and end <= self.removed


@dataclass(frozen=True)
class UsagePoint:
    """A usage point with its whole history; a deleted one has none."""

    usage_point_id: str
    resource: str
    meters: tuple[Meter, ...]
    fittings: tuple[Fitting, ...]
    sensor_kind: str | None = None
    object_path: tuple[str, ...] = ()
    is_outdoor: bool = False

    @property
    def is_sensor(self) -> bool:
        """Whether it is measured (§3.14), not metered."""
        return self.resource in ("SENSOR", "TEMPERATURE")

    def meter_at(self, instant: int) -> Meter | None:
        return next((m for m in self.meters if m.fitted <= instant < m.removed), None)

    def modules_at(self, instant: int) -> set[str]:
        """Modules of the channels fitted then."""
        return {f.channel[0] for f in self.fittings if f.fitted <= instant < f.removed}

    def fitting_over(self, start: int, end: int) -> Fitting | None:
        return next((f for f in self.fittings if f.holds(start, end)), None)

    def one_meter_over(self, start: int, end: int) -> Meter | None:
        return next((m for m in self.meters if m.fitted <= start and end <= m.removed), None)

    def meter_edge_inside(self, start: int, end: int) -> bool:
        """Whether a meter fitting begins or ends strictly between the two instants."""
        return any(start < edge < end for m in self.meters for edge in (m.fitted, m.removed))

    def fitting_edge_inside(self, start: int, end: int) -> bool:
        """Whether a channel fitting begins or ends strictly between the two instants."""
        return any(start < edge < end for f in self.fittings for edge in (f.fitted, f.removed))


def seconds(milliseconds: int | None) -> int:
    """§1.5: to the second; null means it still stands."""
    return FOREVER if milliseconds is None else milliseconds // 1000


def usage_point(described: Mapping[str, Any]) -> UsagePoint:
    """From the shape of UsagePointDescribed."""
    gone = described["state"] == "DELETED"
    return UsagePoint(
        described["usage_point_id"],
        described["resource"],
        () if gone else tuple(_meter(m) for m in described["meters"]),
        () if gone else tuple(_fitting(c) for c in described["channels"]),
        described.get("sensor_kind"),
        tuple(described["object_path"]),
        described.get("is_outdoor", False) and not gone,
    )


def _meter(fitting: Mapping[str, Any]) -> Meter:
    return Meter(
        fitted=seconds(fitting["fitted_at"]),
        removed=seconds(fitting["removed_at"]),
        class_ppm=fitting["accuracy_class_ppm"],
        weight=fitting["pulse_weight"],
        digits=fitting["register_digits"],
        q_max=fitting["q_max"],
        initial=fitting["initial_register"],
        final=fitting["final_register"],
        starting_flow=fitting.get("q_start"),
        is_compensated=fitting.get("is_temperature_compensated", False),
    )


def _fitting(fitting: Mapping[str, Any]) -> Fitting:
    return Fitting(
        (fitting["module_id"], fitting["channel"]),
        seconds(fitting["fitted_at"]),
        seconds(fitting["removed_at"]),
    )

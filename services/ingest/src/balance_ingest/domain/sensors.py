"""Readings of sensors: least and greatest values, and what their kind cannot mean (docs/domain.md §3.14)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from balance_kernel.quantity import Resource

from balance_ingest.domain import findings
from balance_ingest.domain.channel_days import NO_EVIDENCE, ChannelEvidence
from balance_ingest.domain.clocks import MovedHours
from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.findings import Finding, Severity, instant_text, span_text
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.join import Bools
from balance_ingest.domain.sensor_kinds import SensorKind
from balance_ingest.domain.sheet import NOTHING


def extremes(
    fitting: Fitting, evidence: Mapping[int, ChannelEvidence], day: int, parts: Ints
) -> tuple[Ints, Ints]:
    """Least and greatest value of each hour of a day; NOTHING where not every interval has one without
    conflict.

    `parts` is of how many intervals each hour is made, int64[hours].
    """
    return (
        _of_hours(fitting.minima_id, evidence, day, parts, least=True),
        _of_hours(fitting.maxima_id, evidence, day, parts, least=False),
    )


def moved_extremes(
    fitting: Fitting, evidence: Mapping[int, ChannelEvidence], moved: MovedHours
) -> tuple[Ints, Ints]:
    """The same of a day whose hours were moved (docs/domain.md §3.13)."""
    least, greatest = (
        NO_EVIDENCE if channel is None else evidence.get(channel, NO_EVIDENCE)
        for channel in (fitting.minima_id, fitting.maxima_id)
    )
    return moved.extreme(least, True, NOTHING), moved.extreme(greatest, False, NOTHING)


def _of_hours(
    channel: int | None, evidence: Mapping[int, ChannelEvidence], day: int, parts: Ints, least: bool
) -> Ints:
    found = np.full(len(parts), NOTHING, np.int64)
    kept = evidence.get(channel, NO_EVIDENCE).days.get(day) if channel is not None else None
    for step, slots in kept.steps.items() if kept else ():
        count = HOUR_S // step
        values = slots.low.reshape(len(parts), count)
        sound = (slots.there & ~slots.conflict).reshape(len(parts), count).all(axis=1) & (parts == count)
        found[sound] = (values.min(axis=1) if least else values.max(axis=1))[sound]
    return found


def out_of_range(point: UsagePoint, values: Ints) -> Bools:
    """`vee.out_of_range`: means that the kind of a usage point's sensor cannot have."""
    if point.kind is None or not point.is_sensed:
        return np.zeros(len(values), bool)
    return np.asarray((values < point.kind.least) | (values > point.kind.greatest), bool)


def range_fault(point: UsagePoint, fitting: Fitting, kind: SensorKind, start: int, values: Ints) -> Finding:
    """Successive hours from `start` whose means lie outside the range of the kind."""
    expected = f"{_text(kind.least, kind)} to {_text(kind.greatest, kind)}, the range of kind {kind.code}"
    least, greatest = int(values.min()), int(values.max())
    found = _text(least, kind) if least == greatest else f"{_text(least, kind)} to {_text(greatest, kind)}"
    end = start + HOUR_S * len(values)
    return Finding(
        rule=findings.OUT_OF_RANGE,
        about=f"means of channel {fitting.channel_id}",
        severity=Severity.ERROR,
        start=start,
        end=end,
        expected=expected,
        found=found,
        message=f"Usage point {point.name}, {span_text(start, end)}: expected {expected}, found {found}; "
        "a faulty or broken sensor, one that just began, or another kind than registered: look at it.",
        usage_point=point.name,
        module_id=fitting.module_id,
        channel=fitting.number,
    )


def unknown_sensor_kind(point: UsagePoint) -> Finding | None:
    """`vee.unknown_sensor_kind`: a SENSOR of no kind of the table; its values have no range."""
    if point.resource is not Resource.SENSOR or point.kind is not None or not point.fittings:
        return None
    start = point.fittings[0].fitted
    found = f"kind {point.sensor_kind}" if point.sensor_kind else "none"
    return Finding(
        rule=findings.UNKNOWN_SENSOR_KIND,
        about="kind",
        severity=Severity.WARNING,
        start=start,
        end=start,
        expected="a kind of the table of sensor kinds",
        found=found,
        message=f"Usage point {point.name}, a sensor fitted {instant_text(start)}: expected a kind of the "
        f"table of sensor kinds, found {found}; correct it in the register, its values are not judged until "
        "then.",
        usage_point=point.name,
    )


def _text(thousandths: int, kind: SensorKind) -> str:
    return f"{thousandths / 1000:,g} {kind.unit}"

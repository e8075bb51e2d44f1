"""Histories of usage points as rows, and a copy of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from balance_chassis.copying import Numbers
from balance_kernel.quantity import Resource
from psycopg import Connection

from balance_ingest.adapters.queries import statement
from balance_ingest.domain.days import Ints
from balance_ingest.domain.edits import Edit, in_order
from balance_ingest.domain.history import Fitting, Meter, UsagePoint
from balance_ingest.domain.measuring import MAXIMA_AT, MINIMA_AT
from balance_ingest.domain.parameters import DEFAULTS, ParameterTable
from balance_ingest.domain.plain import NOBODY, Windows
from balance_ingest.domain.sensor_kinds import SensorKind, told_kind

_RESOURCES = list(Resource)
_METER = ("fitted", "removed", "weight", "digits", "q_max", "initial", "final")
_FITTING = ("channel_id", "module_id", "number", "fitted", "removed")
_NOBODY = (NOBODY, 0, 0, 1, 0, 1, 0, 0, 0, 0)
_UNBOUNDED = (-(2**62), 2**62)


def to_row_meters(meters: Sequence[Meter]) -> list[dict[str, Any]]:
    """Meters as kept in `ingest.usage_points`."""
    return [{name: getattr(meter, name) for name in _METER} for meter in meters]


def to_row_fittings(fittings: Sequence[Fitting]) -> list[dict[str, Any]]:
    """Fittings as kept in `ingest.usage_points`."""
    return [{name: getattr(fitting, name) for name in _FITTING} for fitting in fittings]


def from_row_usage_point(row: Sequence[Any], table: ParameterTable = DEFAULTS) -> UsagePoint:
    """A usage point of (usage_point, usage_point_id, resource, meters, fittings, related), and what follows
    of sensor_kind, the row of that kind, channels beside its own as (module, number, channel), and edits.
    """
    key, name, code, meters, fittings, related, *more = row
    sensor_kind, kind, beside, edits = (*more, None, None, None, None)[:4]
    extremes = {(module, number): channel for module, number, channel in beside or ()}
    resource = _RESOURCES[code]
    return UsagePoint(
        key=key,
        name=name,
        resource=resource,
        meters=tuple(
            Meter(**meter, sum_tolerance=table.of(resource, meter["q_max"]).sum_tolerance) for meter in meters
        ),
        fittings=tuple(_fitting(extremes, **fitting) for fitting in fittings),
        related=frozenset(related or ()),
        sensor_kind=sensor_kind,
        kind=SensorKind(**kind) if kind else None,
        decisions=in_order(_edit(name, **edit) for edit in edits or ()),
    )


def _fitting(extremes: Mapping[tuple[str, int], int], **given: Any) -> Fitting:
    module, number = given["module_id"], given["number"]
    minima, maxima = (extremes.get((module, number + beside)) for beside in (MINIMA_AT, MAXIMA_AT))
    return Fitting(**given, minima_id=minima, maxima_id=maxima)


def _edit(name: str, **given: Any) -> Edit:
    values = given.pop("values")
    return Edit(**given, usage_point=name, standing=True, values=None if values is None else tuple(values))


class Histories:
    """Usage points by channel, kept in memory over transactions and refreshed by the generation of their
    rows.

    Whoever reads it holds ASSETS shared, so what is committed is all there is.
    """

    def __init__(self, table: ParameterTable) -> None:
        """Know nothing yet but the parameters of meters."""
        self._table = table
        self._generation = 0
        self._by_channel: dict[int, tuple[UsagePoint, ...]] = {}
        self._windows: dict[int, tuple[int, ...]] = {}

    def refresh(self, conn: Connection[Any]) -> None:
        """Forget what the register changed since."""
        rows = conn.execute(
            statement("usage_points_since"), {"generation": self._generation}, prepare=True
        ).fetchall()
        if rows:
            # Channels without a usage point may have one now; which, only the database knows.
            self._by_channel.clear()
            self._windows.clear()
            self._generation = rows[-1][0]

    def of(self, conn: Connection[Any], channels: Iterable[int]) -> Mapping[int, Sequence[UsagePoint]]:
        """Usage points that ever had each channel fitted."""
        wanted = list(channels)
        unknown = [channel for channel in wanted if channel not in self._by_channel]
        if unknown:
            self._load(conn, unknown)
        return {channel: self._by_channel[channel] for channel in wanted}

    def _load(self, conn: Connection[Any], channels: Sequence[int]) -> None:
        found: dict[int, list[UsagePoint]] = {channel: [] for channel in channels}
        with conn.cursor(binary=True) as cur:
            cur.execute(statement("usage_points_of_channels"), {"channels": Numbers(channels)})
            for row in cur:
                point = from_row_usage_point(row, self._table)
                for channel in point.related & found.keys():
                    found[channel].append(point)
        for channel, points in found.items():
            self._by_channel[channel] = tuple(sorted(points, key=lambda point: point.key))
            self._windows[channel] = _window(channel, self._by_channel[channel])

    def windows(self, channels: Ints) -> Windows:
        """The windows of channels that were asked for before."""
        rows = np.array([self._windows.get(channel, _NOBODY) for channel in channels.tolist()], np.int64)
        return Windows(*rows.reshape(-1, len(_NOBODY)).T)


def _window(channel: int, points: Sequence[UsagePoint]) -> tuple[int, ...]:
    """The newest span in which one meter and this one fitting, of one usage point alone, stand."""
    if len(points) != 1:
        return _NOBODY
    point = points[0]
    if not point.meters or not point.fittings or point.fittings[-1].channel_id != channel:
        return _NOBODY
    meter, fitting = point.meters[-1], point.fittings[-1]
    before = max((f.removed for f in point.fittings[:-1]), default=fitting.fitted)
    earlier = max((m.removed for m in point.meters[:-1]), default=meter.fitted)
    start = max(meter.fitted, fitting.fitted, before, earlier)
    end = min(meter.removed, fitting.removed)
    if point.decisions or told_kind(point.resource, point.sensor_kind):
        return _NOBODY
    numbers = (meter.weight, meter.q_max, fitting.number, point.resource.code, meter.sum_tolerance)
    return (point.key, start, end, *numbers, *_range(point))


def _range(point: UsagePoint) -> tuple[int, int]:
    return (point.kind.least, point.kind.greatest) if point.is_sensed and point.kind else _UNBOUNDED

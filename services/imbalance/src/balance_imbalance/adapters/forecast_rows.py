"""A forecast as a row of `imbalance.forecasts`, and on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from balance_kernel.quantity import Resource

from balance_imbalance.domain.forecast import ALGORITHM_VERSION, Method, Reason
from balance_imbalance.domain.forecast_subjects import Forecast

FORECAST = "balance.v1.ForecastComputed"
USAGE_POINT, BALANCE_GROUP = 1, 2
_KINDS = ("UNSPECIFIED", "USAGE_POINT", "BALANCE_GROUP")

_LAYOUT = (
    ("subject_kind", "int2"),
    ("subject", "int4"),
    ("month_start", "timestamptz"),
    ("as_of", "timestamptz"),
    ("used", "int8"),
    ("expected", "int8"),
    ("lowest", "int8"),
    ("highest", "int8"),
    ("days_known", "int2"),
    ("days_to_come", "int2"),
    ("method", "int2"),
    ("reason", "int2"),
    ("version", "int8"),
    ("algorithm_version", "int4"),
    ("settings_hash", "text"),
    ("computed_at", "timestamptz"),
)
COLUMNS = tuple(name for name, _ in _LAYOUT)
TYPES = tuple(kind for _, kind in _LAYOUT)
_WITHDRAWN = (None, None, None, None, 0, 0, int(Method.NONE), int(Reason.WITHDRAWN))


def to_row_forecast(
    forecast: Forecast, subject_kind: int, settings_hash: str, computed_at: datetime
) -> Sequence[Any]:
    """The row of a first version; one without figures is withdrawn."""
    f = forecast.figures
    figures = (
        _WITHDRAWN
        if f is None
        else (f.used, f.expected, f.lowest, f.highest, f.days_known, f.days_to_come, f.method, f.reason)
    )
    return (
        subject_kind,
        forecast.subject,
        forecast.month_start,
        forecast.as_of,
        *figures,
        1,
        ALGORITHM_VERSION,
        settings_hash,
        computed_at,
    )


def to_wire_forecast(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ForecastComputed of a row of the query `current_forecasts`; instants are raw milliseconds."""
    resource = list(Resource)[row["resource"]]
    previous = row["previous"]
    return {
        "subject_kind": _KINDS[row["subject_kind"]],
        "subject_id": row["subject_id"],
        "resource": resource.value,
        "unit": resource.unit.value,
        "month_start_at": _milliseconds(row["month_start"]),
        "as_of_day_start_at": _milliseconds(row["as_of"]),
        "method": Method(row["method"]).name,
        "reason": Reason(row["reason"]).name,
        **{name: row[name] for name in ("used", "expected", "lowest", "highest")},
        **{name: row[name] for name in ("days_known", "days_to_come", "version", "algorithm_version")},
        "settings_hash": row["settings_hash"],
        "computed_at": _milliseconds(row["computed_at"]),
        "previous": previous
        and {
            "version": previous["version"],
            "as_of_day_start_at": previous["as_of"] * 1000,
            **{name: previous[name] for name in ("used", "expected", "lowest", "highest")},
        },
    }


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)

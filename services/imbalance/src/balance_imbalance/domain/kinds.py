"""The kinds of nightly results, by what they are computed from."""

from __future__ import annotations

from balance_imbalance.domain import forecast_days
from balance_imbalance.domain.nightly import Kind, Source

FORECAST = Kind(
    "forecast", "forecast_markers", Source.READING_DAYS, forecast_days.fallen, forecast_days.touched
)
GROUP_FORECAST = Kind(
    "group_forecast", "group_forecast_markers", Source.GROUP_DAYS, forecast_days.fallen, forecast_days.touched
)

OF_READINGS = (FORECAST,)
OF_GROUP_DAYS = (GROUP_FORECAST,)

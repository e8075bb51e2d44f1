"""The kinds of nightly results, by what they are computed from."""

from __future__ import annotations

from balance_imbalance.domain import forecast_days
from balance_imbalance.domain.nightly import Kind, Source, days_after, each_day

FORECAST = Kind(
    "forecast", "forecast_markers", Source.READING_DAYS, forecast_days.fallen, forecast_days.touched
)
GROUP_FORECAST = Kind(
    "group_forecast", "group_forecast_markers", Source.GROUP_DAYS, forecast_days.fallen, forecast_days.touched
)
INADEQUACY = Kind("inadequacy", "inadequacy_markers", Source.HOMES, each_day, days_after(0))

OF_READINGS = (FORECAST, INADEQUACY)
OF_GROUP_DAYS = (GROUP_FORECAST,)

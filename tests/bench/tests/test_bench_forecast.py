"""Forecasts of real homes are better than pro rata, and their interval holds about what it says."""

from __future__ import annotations

import pytest
from balance_bench import forecast
from balance_bench.forecast import Case
from balance_bench.forecast_homes import Home, british_home, spanish_homes, told
from balance_kernel.quantity import Resource


@pytest.fixture(scope="module")
def gas() -> Home:
    return british_home("gas_kwh", Resource.GAS, weather=True)


@pytest.mark.parametrize(("day", "at_most"), [(10, 0.95), (15, 1.0), (20, 0.95)])
def test_gas_in_the_heating_months_is_forecast_better_than_pro_rata(
    gas: Home, day: int, at_most: float
) -> None:
    """Better at days 10 and 20, no worse at 15: medians of 16 months."""
    given = forecast.whole_heating_months(gas, told(gas, [day]))
    assert len(given) == 16
    errors = forecast.errors("at", given)
    assert errors["at_error_percent"] < at_most * errors["at_pro_rata_error_percent"]


@pytest.mark.parametrize("silent", [False, True])
def test_the_interval_holds_most_months_of_water(silent: bool) -> None:
    given = [each for home in spanish_homes() for each in told(home, [8, 16, 24], silent=silent)]
    case = Case("water", given).described()
    assert case["water_forecasts"] > 90
    assert 90.0 <= case["water_interval_coverage_percent"] <= 99.0


def test_the_interval_holds_most_months_of_gas(gas: Home) -> None:
    case = Case("gas", list(told(gas, [5, 10, 15, 20, 25]))).described()
    assert case["gas_forecasts"] > 150
    assert 90.0 <= case["gas_interval_coverage_percent"] <= 99.0

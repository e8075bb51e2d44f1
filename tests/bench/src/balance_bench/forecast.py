"""`make bench-forecast`: month-end forecasts of real homes beside pro rata and beside what was then used, how
often the interval held it, and how long a night of the whole fleet takes.

Writes `docs/proof/forecast.json` and `.md` for the large size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from balance_kernel.quantity import Resource

from balance_bench import forecast_fleet, forecast_words, proof
from balance_bench.forecast_homes import HEATING_MONTHS, SEED, Home, Told, british_home, spanish_homes, told

SIZES = {"small": 0, "medium": 6_700, "large": 67_000}
"""Usage points of the fleet; none: the real homes alone."""
DAYS = (10, 15, 20)


@dataclass(frozen=True)
class Case:
    """Forecasts that belong together."""

    name: str
    told: Sequence[Told]

    def described(self) -> dict[str, float]:
        """How many, and in how many the truth lay in the interval; flat, percent."""
        count = len(self.told)
        above = sum(each.actual > each.highest for each in self.told)
        inside = sum(each.is_inside for each in self.told)
        widths = [(each.highest - each.lowest) / 2 / each.expected for each in self.told if each.expected > 0]
        return {
            f"{self.name}_forecasts": count,
            f"{self.name}_interval_coverage_percent": round(100 * inside / count, 1),
            f"{self.name}_used_more_percent": round(100 * above / count, 1),
            f"{self.name}_interval_half_width_percent": round(100 * median(widths), 1),
        }


def main() -> None:
    """Measure, show, and write the proof."""
    chosen = proof.chosen("forecast", __doc__, SIZES)
    report: dict[str, Any] = {"size": chosen.size, "silence_seed": SEED, **homes()}
    if SIZES[chosen.size]:
        night = forecast_fleet.measure(SIZES[chosen.size])
        report |= {**night.described(), **night.machine}
    proof.write(chosen, report, forecast_words.page(report))


def homes() -> Mapping[str, Any]:
    """Of the real homes: errors beside pro rata in the heating months, coverage of every kind of case."""
    gas = british_home("gas_kwh", Resource.GAS, weather=True)
    water = spanish_homes()
    cold = heating(gas)
    cases = [
        Case("gas_heating", cold),
        Case("gas_all_year", list(told(gas))),
        Case("gas_silent", heating(gas, silent=True)),
        Case("gas_no_weather", heating(british_home("gas_kwh", Resource.GAS, weather=False))),
        Case("electricity", list(told(british_home("elec_kwh", Resource.ELECTRICITY, weather=False)))),
        Case("water", [each for home in water for each in told(home)]),
        Case("water_silent", [each for home in water for each in told(home, silent=True)]),
    ]
    report: dict[str, Any] = {"gas_heating_months": len({each.month for each in cold})}
    for day in DAYS:
        report |= errors(f"gas_day_{day}", [each for each in cold if each.day == day])
        report |= errors(f"water_day_{day}", [each for each in cases[5].told if each.day == day])
    for case in cases:
        report |= case.described()
    return report


def heating(home: Home, *, silent: bool = False) -> Sequence[Told]:
    """As of every day of October to April, of months that the file has to their end."""
    return whole_heating_months(home, told(home, silent=silent))


def whole_heating_months(home: Home, given: Iterable[Told]) -> Sequence[Told]:
    """Of these those of October to April and of months that the file has to their end."""
    last = max(home.whole)
    return [
        each
        for each in given
        if each.month.month in HEATING_MONTHS
        and (each.month.year, each.month.month) < (last.year, last.month)
    ]


def errors(name: str, given: Iterable[Told]) -> dict[str, float]:
    """Median absolute errors in percent of what was used."""
    used = [each for each in given if each.actual > 0]
    return {
        f"{name}_error_percent": round(100 * median(each.error for each in used), 1),
        f"{name}_pro_rata_error_percent": round(100 * median(each.error_pro_rata for each in used), 1),
    }


if __name__ == "__main__":
    main()

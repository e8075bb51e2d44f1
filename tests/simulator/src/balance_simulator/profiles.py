"""A real home's gas and weather, hour by hour, from the sample files inside the package eemeter (Apache-2.0).

The files are read where the package is installed; nothing of it is imported, for its libraries are not
wanted. Flats are resamples of this one home: each day of a flat is a whole day of the home, drawn among the
days of the same season and the same kind (weekday or weekend), times the size of the flat.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

PACKAGE = "eemeter"
GAS = "eemeter/eemeter/samples/uk-gas-hdd-only-hourly-sample-0.csv.gz"
OUTDOOR = "eemeter/eemeter/samples/uk-tempC-sample-0.csv.gz"
HOME_ZONE = ZoneInfo("Europe/London")
KWH_PER_M3 = 10.55
"""Calorific value of natural gas (gross), as billed in Moldova: about 10.5 kWh/m³."""
SEASON_DAYS = 21

Floats = NDArray[np.float64]


class NoProfilesError(RuntimeError):
    """The package with the profiles is not installed, or not as expected."""


@dataclass(frozen=True)
class Home:
    """Whole civil days of 24 hours of the real home: gas in mL an hour, outdoor temperature in °C."""

    gas: Mapping[date, Floats]
    outdoor: Mapping[date, Floats]

    def donors(self, days: Sequence[date]) -> Mapping[date, Sequence[date]]:
        """Days of the home that may stand for each day: same season in any year, same kind of day."""
        whole = [day for day in self.gas if day in self.outdoor]
        return {
            day: [
                donor
                for donor in whole
                if _apart(donor, day) <= SEASON_DAYS and (donor.weekday() >= 5) == (day.weekday() >= 5)
            ]
            for day in days
        }


def read_home() -> Home:
    """The home of the package's samples. Raises NoProfilesError with what to do."""
    gas = {day: kwh / KWH_PER_M3 * 1e6 for day, kwh in _days(_file(GAS), "start", "value").items()}
    return Home(gas, _days(_file(OUTDOOR), "dt", "tempC"))


def resample(donors: Mapping[date, Sequence[date]], rng: np.random.Generator) -> list[date]:
    """A flat: for each day the day of the home that stands for it."""
    return [choice[int(rng.integers(len(choice)))] for choice in donors.values()]


def _file(name: str) -> Path:
    try:
        path = Path(str(distribution(PACKAGE).locate_file(name)))
    except PackageNotFoundError:
        raise NoProfilesError(
            f"expected the package {PACKAGE} with real home profiles, found none; "
            "install it: make setup (requirements/profiles.txt)"
        ) from None
    if not path.is_file():
        raise NoProfilesError(
            f"expected {name} in {PACKAGE}, found none; install the pinned version: make setup"
        )
    return path


def _days(path: Path, time: str, value: str) -> dict[date, Floats]:
    """Whole days of 24 hours, by the home's civil day."""
    hours: dict[date, list[float]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            instant = datetime.fromisoformat(row[time])
            local = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(HOME_ZONE)
            hours[local.date()].append(float(row[value]))
    return {day: np.array(values) for day, values in hours.items() if len(values) == 24}


def _apart(one: date, other: date) -> int:
    """Days between two dates of the year, whatever the year."""
    apart = abs(one.timetuple().tm_yday - other.timetuple().tm_yday)
    return min(apart, 365 - apart)

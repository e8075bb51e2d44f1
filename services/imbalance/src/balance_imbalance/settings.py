"""Settings of this service: `BALANCE_IMBALANCE_<FIELD>`, beside those of the installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from balance_chassis import settings as chassis

from balance_imbalance.adapters.weather_service import WeatherService, read_service
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_imbalance.domain.rules import Rules

WEATHER_SERVICE = "BALANCE_IMBALANCE_WEATHER_SERVICE"


@dataclass(frozen=True)
class ImbalanceSettings:
    """What every process of this service is given."""

    installation: chassis.Settings
    rules: Rules
    group_days_a_transaction: int
    """How many group-days the worker computes and writes at once."""
    recompute_from: date | None
    """First metering day that other settings or a newer algorithm recompute; None for all. It is to stay
    set: a worker that starts without it recomputes what is older too.
    """
    onset: OnsetRules
    inadequacy: InadequacyRules
    weather: WeatherService | None
    """The weather service of role weather; None for an installation without one."""


def load(environment: Mapping[str, str] | None = None) -> ImbalanceSettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    default = Rules()
    weather = read_weather(reader)
    heating_base = reader.integer(
        "BALANCE_IMBALANCE_HEATING_BASE", default.heating_base, at_least=-30_000, at_most=40_000
    )
    settings = ImbalanceSettings(
        installation=chassis.read(reader),
        rules=Rules(
            unreliable_share=reader.number(
                "BALANCE_IMBALANCE_UNRELIABLE_SHARE", default.unreliable_share, at_most=1.0
            ),
            in_service_factor=reader.number(
                "BALANCE_IMBALANCE_IN_SERVICE_FACTOR", default.in_service_factor, at_most=10.0
            ),
            batch_correlation=reader.number(
                "BALANCE_IMBALANCE_BATCH_CORRELATION", default.batch_correlation, at_most=1.0
            ),
            lookback_days=reader.integer(
                "BALANCE_IMBALANCE_LOOKBACK_DAYS", default.lookback_days, at_least=1, at_most=366
            ),
            unmetered_days=reader.integer(
                "BALANCE_IMBALANCE_UNMETERED_DAYS", default.unmetered_days, at_least=1, at_most=31
            ),
            clock_s=reader.integer("BALANCE_IMBALANCE_CLOCK_S", default.clock_s, at_most=3600),
            idle_share=reader.number("BALANCE_IMBALANCE_IDLE_SHARE", default.idle_share, at_most=1.0),
            base_temperature=reader.number(
                "BALANCE_IMBALANCE_BASE_TEMPERATURE", default.base_temperature, at_most=60.0
            ),
            grace_s=reader.integer("BALANCE_IMBALANCE_GRACE_S", default.grace_s, at_most=35 * 86_400),
            heating_base=heating_base,
        ),
        group_days_a_transaction=reader.integer(
            "BALANCE_IMBALANCE_GROUP_DAYS_A_TRANSACTION", 400, at_least=1, at_most=10_000
        ),
        recompute_from=reader.day("BALANCE_IMBALANCE_RECOMPUTE_FROM"),
        onset=read_onset(reader),
        inadequacy=read_inadequacy(reader, heating_base),
        weather=weather,
    )
    reader.check()
    return settings


def read_onset(reader: chassis.Reader) -> OnsetRules:
    """Settings of onset and hourly alarm."""
    default, prefix = OnsetRules(), "BALANCE_IMBALANCE_ONSET"
    rules = OnsetRules(
        window_days=reader.integer(f"{prefix}_WINDOW_DAYS", default.window_days, at_least=7, at_most=366),
        least_days=reader.integer(f"{prefix}_LEAST_DAYS", default.least_days, at_least=5, at_most=366),
        least_spread=reader.number(f"{prefix}_LEAST_SPREAD", default.least_spread, at_least=1e-6, at_most=1),
        most_score=reader.number(f"{prefix}_MOST_SCORE", default.most_score, at_least=1, at_most=1000),
        slack=reader.number(f"{prefix}_SLACK", default.slack, at_most=10),
        threshold=reader.number(f"{prefix}_THRESHOLD", default.threshold, at_least=0.1, at_most=1000),
        size_days=reader.integer(f"{prefix}_SIZE_DAYS", default.size_days, at_least=1, at_most=56),
        watched_days=reader.integer(f"{prefix}_WATCHED_DAYS", default.watched_days, at_least=1, at_most=3660),
        hour_sigmas=reader.number(f"{prefix}_HOUR_SIGMAS", default.hour_sigmas, at_least=1, at_most=1000),
    )
    if rules.least_days > rules.window_days:
        reader.problems.append(
            f"{prefix}_LEAST_DAYS: expected at most {prefix}_WINDOW_DAYS ({rules.window_days}), "
            f"found {rules.least_days}"
        )
    return rules


def read_inadequacy(reader: chassis.Reader, heating_base: int) -> InadequacyRules:
    """Settings of inadequacy days; temperatures in thousandths of a degree."""
    default = InadequacyRules()
    prefix = "BALANCE_IMBALANCE_INADEQUACY"
    return InadequacyRules(
        cold_below=reader.integer(
            f"{prefix}_COLD_BELOW", default.cold_below, at_least=-30_000, at_most=40_000
        ),
        heating_base=heating_base,
        free_heat=reader.integer(f"{prefix}_FREE_HEAT", default.free_heat, at_least=0, at_most=20_000),
        lookback_days=reader.integer(
            f"{prefix}_LOOKBACK_DAYS", default.lookback_days, at_least=14, at_most=1_100
        ),
        least_homes=reader.integer(f"{prefix}_LEAST_HOMES", default.least_homes, at_least=1, at_most=1_000),
    )


def read_weather(reader: chassis.Reader) -> WeatherService | None:
    """The weather service's description, errors left in the reader; None when there is none."""
    path = reader.path(WEATHER_SERVICE)
    token = reader.secret("BALANCE_IMBALANCE_WEATHER_TOKEN")
    if path is None:
        return None
    service, problems = read_service(path, token)
    reader.problems.extend(f"{WEATHER_SERVICE}: {problem}" for problem in problems)
    return service

"""Settings of this service: `BALANCE_IMBALANCE_<FIELD>`, beside those of the installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from balance_chassis import settings as chassis

from balance_imbalance.domain.rules import Rules


@dataclass(frozen=True)
class ImbalanceSettings:
    """What every process of this service is given."""

    installation: chassis.Settings
    rules: Rules
    group_days_a_transaction: int
    """How many group-days the worker computes and writes at once."""
    recompute_from: date | None
    """First metering day that other settings or a newer algorithm recompute; None for all."""


def load(environment: Mapping[str, str] | None = None) -> ImbalanceSettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    default = Rules()
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
            grace_s=reader.integer("BALANCE_IMBALANCE_GRACE_S", default.grace_s, at_most=35 * 86_400),
        ),
        group_days_a_transaction=reader.integer(
            "BALANCE_IMBALANCE_GROUP_DAYS_A_TRANSACTION", 400, at_least=1, at_most=10_000
        ),
        recompute_from=reader.day("BALANCE_IMBALANCE_RECOMPUTE_FROM"),
    )
    reader.check()
    return settings

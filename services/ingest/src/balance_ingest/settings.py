"""Settings of this service: `BALANCE_INGEST_<FIELD>`, beside those of the installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from balance_chassis import settings as chassis

from balance_ingest.domain.screening import Limits


@dataclass(frozen=True)
class IngestSettings:
    """What every process of this service is given."""

    installation: chassis.Settings
    limits: Limits
    grace_s: int
    """A day counts as missing this long after its end."""
    days_a_batch: int
    """Channel-days a sink stores in one transaction, about."""
    days_a_transaction: int
    """Marked days the worker computes in one transaction."""


def load(environment: Mapping[str, str] | None = None) -> IngestSettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    settings = IngestSettings(
        installation=chassis.read(reader),
        limits=Limits(
            future_s=reader.integer("BALANCE_INGEST_FUTURE_S", 3600, at_most=7 * 86_400),
            horizon_days=reader.integer("BALANCE_INGEST_HORIZON_DAYS", 1100, at_least=1, at_most=1800),
        ),
        grace_s=reader.integer("BALANCE_INGEST_GRACE_S", 36 * 3600, at_most=35 * 86_400),
        days_a_batch=reader.integer("BALANCE_INGEST_DAYS_A_BATCH", 5000, at_least=1, at_most=50_000),
        days_a_transaction=reader.integer(
            "BALANCE_INGEST_DAYS_A_TRANSACTION", 400, at_least=1, at_most=10_000
        ),
    )
    reader.check()
    return settings

"""Settings of this service, beside those of the installation: none yet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from balance_chassis import settings as chassis


@dataclass(frozen=True)
class GatewaySettings:
    """What every process of this service is given."""

    installation: chassis.Settings


def load(environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    settings = GatewaySettings(chassis.read(reader))
    reader.check()
    return settings

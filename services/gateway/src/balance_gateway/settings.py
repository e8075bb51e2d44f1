"""Settings of this service, beside those of the installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from balance_chassis import settings as chassis

_SHORTEST_KEY = 32


@dataclass(frozen=True)
class GatewaySettings:
    """What every process of this service is given."""

    installation: chassis.Settings
    web_port: int = 8080
    """Of the pages; on every interface if people come by HTTPS, else on that of this machine alone."""
    secret_key: str | None = field(default=None, repr=False)
    """What sessions are signed with; the role `web` needs it."""
    is_secure: bool = False
    """Whether people come by HTTPS, through one proxy that says so; else by HTTP, as only one machine may."""


def load(environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    settings = GatewaySettings(
        chassis.read(reader),
        web_port=reader.integer("BALANCE_GATEWAY_WEB_PORT", 8080, at_least=1, at_most=65535),
        secret_key=reader.secret("BALANCE_GATEWAY_SECRET_KEY"),
        is_secure=reader.choice("BALANCE_GATEWAY_IS_SECURE", ("no", "yes"), "no") == "yes",
    )
    if settings.secret_key is not None and len(settings.secret_key) < _SHORTEST_KEY:
        found = len(settings.secret_key)
        reader.problems.append(
            f"BALANCE_GATEWAY_SECRET_KEY: expected at least {_SHORTEST_KEY} characters, found {found}"
        )
    reader.check()
    return settings

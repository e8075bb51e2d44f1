"""Settings of this service: `BALANCE_INGEST_<FIELD>`, beside those of the installation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from balance_chassis import settings as chassis

from balance_ingest.adapters.mqtt import MqttSettings
from balance_ingest.adapters.parameters_file import read_parameters
from balance_ingest.domain.delivery import DeliveryLimits
from balance_ingest.domain.parameters import ParameterTable
from balance_ingest.domain.screening import Limits

MQTT_URL = "BALANCE_INGEST_MQTT_URL"
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class IngestSettings:
    """What every process of this service is given."""

    installation: chassis.Settings
    limits: Limits
    grace_s: int
    """A day counts as missing this long after its end, and its allowance."""
    delivery: DeliveryLimits
    """When somebody is silent, and a battery is to be changed."""
    days_a_batch: int
    """Channel-days a sink stores in one transaction, about."""
    parameters: ParameterTable
    """Parameters of the rules by resource and size of meter."""
    days_a_transaction: int
    """Marked days the worker computes in one transaction."""
    mqtt: MqttSettings | None
    """The MQTT broker of role edge; None for an installation without one."""


def load(environment: Mapping[str, str] | None = None) -> IngestSettings:
    """Settings from the environment. Raises SettingsError with everything that is wrong."""
    reader = chassis.Reader(os.environ if environment is None else environment)
    parameters, wrong = read_parameters(reader.path("BALANCE_INGEST_PARAMETERS"))
    reader.problems.extend(f"BALANCE_INGEST_PARAMETERS: {problem}" for problem in wrong)
    settings = IngestSettings(
        installation=chassis.read(reader),
        limits=Limits(
            future_s=reader.integer("BALANCE_INGEST_FUTURE_S", 3600, at_most=7 * 86_400),
            horizon_days=reader.integer("BALANCE_INGEST_HORIZON_DAYS", 1100, at_least=1, at_most=1800),
        ),
        grace_s=reader.integer("BALANCE_INGEST_GRACE_S", 36 * 3600, at_most=35 * 86_400),
        delivery=read_delivery(reader),
        days_a_batch=reader.integer("BALANCE_INGEST_DAYS_A_BATCH", 5000, at_least=1, at_most=50_000),
        parameters=parameters,
        days_a_transaction=reader.integer(
            "BALANCE_INGEST_DAYS_A_TRANSACTION", 400, at_least=1, at_most=10_000
        ),
        mqtt=read_mqtt(reader),
    )
    reader.check()
    return settings


def read_delivery(reader: chassis.Reader) -> DeliveryLimits:
    """When somebody is silent, and a battery is to be changed; errors are left in the reader."""
    usual = DeliveryLimits()
    return DeliveryLimits(
        silence_s=reader.integer("BALANCE_INGEST_SILENCE_S", usual.silence_s, at_most=35 * 86_400),
        unpaid_s=reader.integer("BALANCE_INGEST_UNPAID_S", usual.unpaid_s, at_most=35 * 86_400),
        battery_soon_s=86_400
        * reader.integer("BALANCE_INGEST_BATTERY_DAYS", usual.battery_soon_s // 86_400, at_most=3650),
        least_battery_mv=reader.integer("BALANCE_INGEST_BATTERY_MV", usual.least_battery_mv, at_most=20_000),
    )


def read_mqtt(reader: chassis.Reader) -> MqttSettings | None:
    """The MQTT broker's settings, errors left in the reader; None when there is no URL."""
    url = reader.optional(MQTT_URL)
    if url is None:
        return None
    settings = MqttSettings(
        *_mqtt_address(reader, url),
        client_id=reader.text("BALANCE_INGEST_MQTT_CLIENT_ID", "balance-edge"),
        username=reader.optional("BALANCE_INGEST_MQTT_USERNAME"),
        password=reader.secret("BALANCE_INGEST_MQTT_PASSWORD"),
        ca_file=reader.path("BALANCE_INGEST_MQTT_CA_FILE"),
        cert_file=reader.path("BALANCE_INGEST_MQTT_CERT_FILE"),
        key_file=reader.path("BALANCE_INGEST_MQTT_KEY_FILE"),
        receive_maximum=reader.integer(
            "BALANCE_INGEST_MQTT_RECEIVE_MAXIMUM", 200, at_least=1, at_most=65_535
        ),
        share_group=reader.optional("BALANCE_INGEST_MQTT_SHARE_GROUP"),
        session_expiry_s=reader.integer("BALANCE_INGEST_MQTT_SESSION_EXPIRY_S", 3600, at_most=7 * 86_400),
    )
    if (settings.cert_file is None) != (settings.key_file is None):
        reader.problems.append(
            "BALANCE_INGEST_MQTT_CERT_FILE and BALANCE_INGEST_MQTT_KEY_FILE go together: set both or none"
        )
    if settings.password and not settings.username:
        reader.problems.append("BALANCE_INGEST_MQTT_PASSWORD needs BALANCE_INGEST_MQTT_USERNAME")
    if settings.share_group and set(settings.share_group) & set("/+#"):
        reader.problems.append(
            f"BALANCE_INGEST_MQTT_SHARE_GROUP: expected a name without / + #, found {settings.share_group!r}"
        )
    return settings


def _mqtt_address(reader: chassis.Reader, url: str) -> tuple[str, int, bool]:
    """Host, port, whether by TLS."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _MQTT_PORTS and parts.hostname and not parts.path.strip("/") and "@" not in url:
            return parts.hostname, parts.port or _MQTT_PORTS[parts.scheme], parts.scheme == "mqtts"
    except ValueError:  # a port that is none
        pass
    reader.problems.append(
        f"{MQTT_URL}: expected mqtt://host[:port] or mqtts://host[:port], without user or path, found {url!r}"
    )
    return "", 0, False

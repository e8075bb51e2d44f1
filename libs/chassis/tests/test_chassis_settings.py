"""Settings: read once, every error said at once, secrets never shown."""

import ssl
from pathlib import Path

import pytest
from balance_chassis.kafka import client_options
from balance_chassis.settings import Reader, SettingsError, load
from balance_kernel.calendar import Calendar

LEAST = {
    "BALANCE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "BALANCE_REGISTRY_URL": "http://127.0.0.1:8080/apis/ccompat/v7",
    "BALANCE_POSTGRES_DSN": "postgresql://balance:s3cret@127.0.0.1/balance",
}


def test_the_least_there_must_be() -> None:
    settings = load(LEAST)
    assert settings.kafka.topic_prefix == ""
    assert settings.calendar == Calendar("Europe/Chisinau", 0)
    assert (settings.clock, settings.http_port) == ("wall", 0)
    assert client_options(settings.kafka) == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_every_error_is_said_at_once() -> None:
    wrong = {
        "BALANCE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "BALANCE_KAFKA_SSL_CERTFILE": "/nowhere/cert.pem",
        "BALANCE_CALENDAR_ZONE": "Europe/Kishinev-City",
        "BALANCE_CALENDAR_DAY_START_HOUR": "24",
        "BALANCE_CLOCK": "sun",
        "BALANCE_HTTP_PORT": "http",
        "BALANCE_POSTGRES_DSN": "",
    }
    with pytest.raises(SettingsError) as failed:
        load(wrong)
    assert set(failed.value.problems) == {
        "BALANCE_KAFKA_BOOTSTRAP_SERVERS is not set",
        "BALANCE_REGISTRY_URL is not set",
        "BALANCE_POSTGRES_DSN is not set",
        "BALANCE_KAFKA_SECURITY_PROTOCOL=SASL_SSL needs BALANCE_KAFKA_SASL_USERNAME and "
        "BALANCE_KAFKA_SASL_PASSWORD",
        "BALANCE_KAFKA_SSL_CERTFILE: expected a file, found none at /nowhere/cert.pem",
        "BALANCE_CALENDAR_ZONE: expected a name such as Europe/Chisinau, found 'Europe/Kishinev-City'",
        "BALANCE_CALENDAR_DAY_START_HOUR: expected a whole number from 0 to 23, found 24",
        "BALANCE_CLOCK: expected one of wall, packets, found 'sun'",
        "BALANCE_HTTP_PORT: expected a whole number, found 'http'",
    }


def test_secrets_are_read_from_files_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pa55\n")
    settings = load(
        LEAST
        | {
            "BALANCE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "BALANCE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "BALANCE_KAFKA_SASL_USERNAME": "ingest",
            "BALANCE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password"),
            "BALANCE_REGISTRY_PASSWORD": "r3gistry",
        }
    )
    shown = repr(settings)
    assert not [secret for secret in ("pa55", "s3cret", "r3gistry") if secret in shown]
    options = client_options(settings.kafka)
    assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
    assert options == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ingest",
        "sasl_plain_password": "pa55",
    }


def test_a_certificate_without_its_key_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    with pytest.raises(SettingsError, match="go together"):
        load(LEAST | {"BALANCE_KAFKA_SSL_CERTFILE": str(tmp_path / "cert.pem")})


def test_numbers_of_a_service_are_bounded() -> None:
    reader = Reader({"BALANCE_TRIAL_SHARE": "1.5", "BALANCE_TRIAL_WEIGHT": "7"})
    assert reader.number("BALANCE_TRIAL_SHARE", 0.5, at_most=1.0) == 0.5
    assert reader.integer("BALANCE_TRIAL_WEIGHT", 5, at_least=1) == 7
    with pytest.raises(SettingsError, match="BALANCE_TRIAL_SHARE: expected a number from 0"):
        reader.check()

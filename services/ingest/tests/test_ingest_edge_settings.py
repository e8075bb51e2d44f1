"""Settings of the MQTT broker, every error at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from balance_chassis.settings import Reader
from balance_ingest.adapters.mqtt import MqttSettings
from balance_ingest.settings import read_mqtt


def found(**variables: str) -> tuple[MqttSettings | None, list[str]]:
    reader = Reader({f"BALANCE_INGEST_MQTT_{name}": value for name, value in variables.items()})
    return read_mqtt(reader), reader.problems


def test_without_a_url_there_is_no_broker() -> None:
    assert found(USERNAME="edge") == (None, [])


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", ("broker", 1883, False)),
        ("mqtts://broker", ("broker", 8883, True)),
        ("mqtts://[::1]:1234/", ("::1", 1234, True)),
    ],
)
def test_the_url_says_host_port_and_tls(url: str, address: tuple[str, int, bool]) -> None:
    settings, problems = found(URL=url)
    assert settings
    assert (settings.host, settings.port, settings.tls) == address
    assert not problems


def test_a_password_may_lie_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings, problems = found(URL="mqtt://broker", USERNAME="edge", PASSWORD_FILE=str(tmp_path / "password"))
    assert settings
    assert settings.password == "secret"
    assert "secret" not in repr(settings)
    assert not problems


def test_everything_wrong_is_said_at_once() -> None:
    _, problems = found(
        URL="http://user@broker/path",
        PASSWORD="secret",
        CERT_FILE=__file__,
        CA_FILE="nowhere.pem",
        RECEIVE_MAXIMUM="0",
        SHARE_GROUP="a/b",
        SESSION_EXPIRY_S="never",
    )
    said = "\n".join(problems)
    for words in (
        "expected mqtt://host",
        "_PASSWORD needs",
        "_KEY_FILE go together",
        "found none at nowhere.pem",
        "from 1 to 65535, found 0",
        "without / + #",
        "expected a whole number, found 'never'",
    ):
        assert words in said
    assert len(problems) == 7
    assert "secret" not in said


@pytest.mark.parametrize("url", ["mqtt://", "broker:1883", "mqtt://broker:x", "mqtt://broker:99999999"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    assert "expected mqtt://host" in found(URL=url)[1][0]

"""Processes that run only where somebody described what they are for."""

from pathlib import Path

import pytest
from balance_local import ports, supervisor


@pytest.mark.parametrize(
    ("variable", "process"),
    [
        ("BALANCE_INGEST_MQTT_URL", ("ingest", "edge")),
        ("BALANCE_IMBALANCE_WEATHER_SERVICE", ("imbalance", "weather")),
    ],
)
def test_a_process_runs_where_it_has_something_to_do(
    variable: str, process: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "choose", lambda *_: 1)

    def processes(*names: str) -> set[tuple[str, str]]:
        return {(one.service, one.role) for one in supervisor._services(tmp_path, names)}

    monkeypatch.delenv(variable, raising=False)
    assert process not in processes("ingest", "imbalance")
    monkeypatch.setenv(variable, "given")
    assert process in processes("ingest", "imbalance")
    assert process not in processes(*{"ingest", "imbalance"} - {process[0]})

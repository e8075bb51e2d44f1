"""The watchdog ends what stands still, and nothing else; the door answers."""

import urllib.error
import urllib.request
from typing import Any

import pytest
from balance_chassis import watchdog as module
from balance_chassis.door import opened
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress
from balance_chassis.settings import KafkaSettings
from balance_chassis.watchdog import Watchdog


class Scene:
    """A watchdog with a broker and a clock that are told what to say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.committed, self.lag = 100, 5
        self.broker_is_away = False
        self.ended: list[int] = []
        monkeypatch.setattr(module, "_committed_and_lag", self._answer)
        self.progress = Progress("sink", ready=True, group="g", partitions=frozenset({("t", 0)}))
        self.watchdog = Watchdog(KafkaSettings("nowhere"), clock=lambda: self.now, end=self.ended.append)
        self.watchdog.watch(self.progress)

    async def _answer(self, *_: Any) -> tuple[int, int]:
        if self.broker_is_away:
            raise ConnectionError
        return self.committed, self.lag

    def minutes(self, minutes: int) -> None:
        for _ in range(12 * minutes):
            self.now += 5
            self.watchdog.look()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_lag_and_nothing_done_for_a_minute_ends_the_process(scene: Scene) -> None:
    scene.minutes(1)
    assert scene.ended == []
    scene.minutes(1)
    assert set(scene.ended) == {75}


def test_what_moves_lives(scene: Scene) -> None:
    for _ in range(5):
        scene.minutes(1)
        scene.progress.done += 1
    assert scene.ended == []


def test_nothing_to_do_is_no_stall(scene: Scene) -> None:
    scene.lag = 0
    scene.minutes(5)
    assert scene.ended == []


def test_waiting_for_a_dependency_is_no_stall(scene: Scene) -> None:
    scene.progress.waiting_for = "the database"
    scene.minutes(5)
    assert scene.ended == []
    scene.progress.waiting_for = ""
    scene.minutes(2)
    assert scene.ended


def test_a_broker_that_is_away_is_no_stall(scene: Scene) -> None:
    scene.broker_is_away = True
    scene.minutes(5)
    assert scene.ended == []


def test_busy_without_an_end_is_a_stall_though_nothing_lags(scene: Scene) -> None:
    scene.lag, scene.progress.busy = 0, True
    scene.minutes(2)
    assert scene.ended


def test_without_partitions_another_member_that_moves_is_enough(scene: Scene) -> None:
    scene.progress.partitions = frozenset()
    for _ in range(30):
        scene.minutes(1)
        scene.committed += 1
    assert scene.ended == []
    scene.minutes(3)
    assert scene.ended


def test_the_door_answers(scene: Scene, unused_port: int) -> None:
    metrics = ChassisMetrics("trial")
    metrics.sink_records.labels("g").inc(3)
    with opened(unused_port, metrics.registry, scene.watchdog):
        address = f"http://127.0.0.1:{unused_port}"
        assert _get(f"{address}/livez") == (200, "alive\n")
        assert _get(f"{address}/readyz") == (200, "sink: ready\n")
        assert 'balance_trial_sink_records_total{group="g"} 3.0' in _get(f"{address}/metrics")[1]
        scene.progress.waiting_for = "the database"
        assert _get(f"{address}/readyz") == (503, "sink: waits: the database\n")
        assert _get(f"{address}/else")[0] == 404


def _get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()

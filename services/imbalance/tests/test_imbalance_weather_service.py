"""The adapter to a weather service against a server of its own: what it asks, what it makes of answers, and
what it says of failures.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from balance_chassis.lifecycle import EXIT_SETTINGS
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.settings import KafkaSettings, Reader
from balance_imbalance.adapters.weather_http import ATTEMPTS, WeatherClient, WeatherServiceError
from balance_imbalance.adapters.weather_service import Place, WeatherService, read_service
from balance_imbalance.adapters.wire_weather import from_wire_weather_day
from balance_imbalance.entrypoints.weather import Observing, WeatherPoller, reports_of
from balance_imbalance.settings import WEATHER_SERVICE, read_weather
from balance_kernel.calendar import Calendar
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec, save_ids

CALENDAR = Calendar("Europe/Chisinau", 0)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
TOWN = Place(("Town",), 47.0, 28.8)
START = datetime(2026, 1, 9, 22, tzinfo=UTC)
NOW = datetime(2026, 1, 10, 3, 30, tzinfo=UTC)
AT = int(START.timestamp())


@dataclass
class Answering:
    """A server that answers what it is told to, one after the other, the last for ever."""

    url: str
    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    pause_s: float = 0.0
    """Between two bytes of an answer."""

    def next(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.asked.append((path, headers))
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.fixture
def server() -> Iterator[Answering]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answering.next(self.path, dict(self.headers))
            if status == 0:  # hangs up
                self.close_connection = True
                return
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                for piece in [body[n : n + 1] for n in range(len(body))] if answering.pause_s else [body]:
                    self.wfile.write(piece)
                    time.sleep(answering.pause_s)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answering = Answering(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield answering
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


DESCRIPTION = """
name = "s"
url = "{url}/hourly?lat={{latitude}}&lon={{longitude:.2f}}&from={{start:%Y-%m-%dT%H:%M}}&key={{token}}"
time = "hourly.time"
temperature = "hourly.temperature"
"""
OBJECTS = """
[[objects]]
path = ["Town"]
latitude = 47.0
longitude = 28.8
"""


def described(tmp_path: Path, text: str, token: str | None = "t&t") -> WeatherService:
    path = tmp_path / "service.toml"
    path.write_text(text)
    service, problems = read_service(path, token)
    assert service is not None, problems
    return service


def told(times: Sequence[Any], values: Sequence[Any]) -> Any:
    return {"hourly": {"time": times, "temperature": values}}


@dataclass
class Case:
    """A server, and a client that knows it by a description."""

    server: Answering
    tmp_path: Path

    def client(self, more: str = "", objects: str = OBJECTS) -> WeatherClient:
        service = described(self.tmp_path, DESCRIPTION.format(url=self.server.url) + more + objects)
        return WeatherClient(service, wait_initial_s=0.001)

    def observed(self, *answers: tuple[int, Any], more: str = "") -> Sequence[tuple[int, int]]:
        self.server.answers[:] = answers
        return self.client(more).observations(TOWN, START, NOW)

    def said(self, *answers: tuple[int, Any], more: str = "") -> str:
        with pytest.raises(WeatherServiceError) as caught:
            self.observed(*answers, more=more)
        return str(caught.value)


@pytest.fixture
def case(server: Answering, tmp_path: Path) -> Case:
    return Case(server, tmp_path)


def test_it_asks_as_described_and_reads_two_lists(case: Case) -> None:
    answer = told(["2026-01-09T22:00", "2026-01-10T01:00+02:00", AT + 7200], [-4.25, 3, None])
    assert case.observed((200, answer)) == [(AT, -4250), (AT + 3600, 3000)]
    path, headers = case.server.asked[0]
    assert path == "/hourly?lat=47.0&lon=28.80&from=2026-01-09T22:00&key=t%26t"
    assert headers["Accept"] == "application/json"


def test_it_reads_rows_in_other_units_by_a_local_clock_with_headers(case: Case) -> None:
    more = 'rows = "data.0"\nunit = "kelvin"\nzone = "Europe/Chisinau"\nheaders = { X-Key = "k {token}" }\n'
    text = DESCRIPTION.replace('"hourly.time"', '"dt"').replace('"hourly.temperature"', '"main.temp"')
    rows = [{"dt": "2026-01-10T00:00", "main": {"temp": 268.15}}, {"dt": AT * 1000, "main": {"temp": None}}]
    case.server.answers[:] = [(200, {"data": [rows]})]
    service = described(case.tmp_path, text.format(url=case.server.url) + more + OBJECTS)
    assert WeatherClient(service).observations(TOWN, START, NOW) == [(AT, -5000)]
    path, headers = case.server.asked[0]
    assert "from=2026-01-10T00:00" in path
    assert headers["X-Key"] == "k t&t"
    fahrenheit = told([AT], [23])
    assert case.observed((200, fahrenheit), more='unit = "fahrenheit"\n') == [(AT, -5000)]


def test_the_answer_itself_may_be_the_list_of_rows(case: Case) -> None:
    text = DESCRIPTION.replace('"hourly.time"', '"0"').replace('"hourly.temperature"', '"1"')
    case.server.answers[:] = [(200, [[AT, 1.5]])]
    service = described(case.tmp_path, text.format(url=case.server.url) + 'rows = "."\n' + OBJECTS)
    assert WeatherClient(service).observations(TOWN, START, NOW) == [(AT, 1500)]


def test_half_a_thousandth_is_rounded_and_nan_is_not_known(case: Case) -> None:
    answer = b'{"hourly": {"time": [0, 3600, 7200], "temperature": [1.0005, NaN, 85]}}'
    assert case.observed((200, answer)) == [(0, 1001), (7200, 85_000)]


@pytest.mark.parametrize("away", [(503, b"later"), (429, b"slowly"), (500, b""), (0, b"")])
def test_who_is_away_is_asked_again(case: Case, away: tuple[int, Any]) -> None:
    assert case.observed(away, away, (200, told([AT], [1]))) == [(AT, 1000)]
    assert len(case.server.asked) == ATTEMPTS
    case.server.asked.clear()
    said = case.said(away)
    assert "it is asked again the next time" in said
    assert len(case.server.asked) == ATTEMPTS
    assert "t%26t" not in said


def test_nobody_there_is_said_without_the_token(case: Case) -> None:
    service = described(
        case.tmp_path, DESCRIPTION.format(url="http://127.0.0.1:1") + "timeout_s = 1\n" + OBJECTS
    )
    with pytest.raises(WeatherServiceError) as caught:
        WeatherClient(service, wait_initial_s=0.001).observations(TOWN, START, NOW)
    assert "127.0.0.1:1: no answer" in str(caught.value)
    assert "t%26t" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b"bad key t&t"), "expected an answer of 200, found 401"),
        ((404, b"no such page"), "It said: no such page"),
        ((204, b""), "found 204"),
        ((200, b"<html>"), "expected an answer of JSON"),
        ((200, b"\xff\xfe"), "expected an answer of JSON"),
        ((200, {"error": "limit"}), "expected 'hourly' of hourly.time in its answer, found error"),
        ((200, {"hourly": {"time": 7}}), "expected a list at hourly.time, found 7"),
        ((200, told([AT], [])), "found 0 and 1"),
        ((200, told([AT], ["cold"])), "expected numbers or null in hourly.temperature, found 'cold'"),
        ((200, told([AT], [True])), "expected numbers or null"),
        ((200, told([AT], [1e30])), "expected numbers or null"),
        ((200, b'{"hourly": {"time": [0], "temperature": [Infinity]}}'), "expected numbers or null"),
        ((200, told(["yesterday"], [1])), "expected times such as 2026-01-31T05:00"),
        ((200, told([None], [1])), "expected times such as"),
        ((200, told([-5], [1])), "expected times such as"),
        ((200, told([10**18], [1])), "expected times such as"),
        ((200, told([10**400], [1])), "expected times such as"),
        ((200, told([AT], [10**400])), "expected numbers or null"),
        ((200, b'{"hourly": {"time": [1e3000000], "temperature": [1]}}'), "expected times such as"),
        ((200, b'{"hourly": {"time": [0], "temperature": [1e3000000]}}'), "expected numbers or null"),
        ((200, b'{"hourly": {"time": [1e99999999999999999999]}}'), "numbers of a sensible size"),
        ((200, b"[" * 100_000), "expected an answer of JSON"),
    ],
)
def test_what_is_not_as_described_is_said_once(case: Case, answer: tuple[int, Any], words: str) -> None:
    said = case.said(answer)
    assert words in said
    assert len(case.server.asked) == 1
    assert "t&t" not in said


def test_an_answer_that_trickles_is_not_waited_for(case: Case, server: Answering) -> None:
    server.pause_s = 0.05
    begun = time.monotonic()
    assert "no whole answer within 1 s" in case.said((200, b" " * 1000), more="timeout_s = 1\n")
    assert time.monotonic() - begun < 15  # the whole of it would take 50 s, three times
    assert len(server.asked) == ATTEMPTS


def test_another_host_is_told_no_token(case: Case, server: Answering) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    server.answers[:] = [(302, f"{other}/moved".encode()), (200, told([AT], [1]))]
    assert case.client('headers = { X-Key = "{token}" }\n').observations(TOWN, START, NOW) == [(AT, 1000)]
    assert [path for path, _ in server.asked][1] == "/moved"
    assert ["X-Key" in headers for _, headers in server.asked] == [True, False]


def test_redirects_without_end_end(case: Case, server: Answering) -> None:
    assert "no answer" in case.said((302, f"{server.url}/again".encode()))


def test_hours_that_have_not_ended_say_nothing() -> None:
    observations = [(AT + 1800 * n, 1000 * n) for n in range(60)]
    (report,) = reports_of("s", TOWN, observations, START, NOW, CALENDAR)
    assert report.day.values[:6] == (500, 2500, 4500, 6500, 8500, None)
    assert (report.version, report.reported_at) == (int(NOW.timestamp()) * 1000, int(NOW.timestamp()))
    assert reports_of("s", TOWN, [], START, NOW, CALENDAR) == []


@pytest.mark.parametrize(
    "calendar", [CALENDAR, Calendar("Europe/Chisinau", 6), Calendar("America/New_York", 0)], ids=str
)
def test_a_service_asked_by_dates_of_another_clock_tells_no_day_in_part(calendar: Calendar) -> None:
    """The description of docs/how-tos/weather.md: `from={start:%Y-%m-%d}` in UTC."""
    start = calendar.shift(calendar.day_start(NOW), -2)
    asked = int(start.replace(hour=0).timestamp())
    observations = [(at, 1000) for at in range(asked, int(NOW.timestamp()), 3600)]
    reports = reports_of("s", TOWN, observations, start, NOW, calendar)
    assert [report.day.values.count(None) for report in reports][:-1] == [0, 0]
    assert reports[0].day.day_start == int(start.timestamp())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name is missing"),
        ("= 3", "expected a file of TOML"),
        (DESCRIPTION.format(url="http://x") + "objects = []", "objects: expected one at least"),
        (
            DESCRIPTION.format(url="http://x") + OBJECTS + "altitude = 1",
            "expected path, latitude and longitude",
        ),
        (DESCRIPTION.format(url="http://x") + OBJECTS + OBJECTS, "expected each path once"),
        (DESCRIPTION.format(url="http://x") + OBJECTS.replace("47.0", "97.0"), "degrees from -90 to 90"),
        (
            DESCRIPTION.format(url="http://x") + OBJECTS.replace('["Town"]', '"Town"'),
            "expected a path such as",
        ),
        (DESCRIPTION.format(url="ftp://x") + OBJECTS, "expected an http(s) address"),
        (DESCRIPTION.format(url="http://{{city}}") + OBJECTS, "found city"),
        (DESCRIPTION.format(url="http://x/{{start.year}}") + OBJECTS, "found start.year"),
        (DESCRIPTION.format(url="http://x/{{") + OBJECTS, "expected placeholders in braces"),
        (DESCRIPTION.format(url="http://x/{{latitude:%Y}}") + OBJECTS, "expected formats such as"),
        (DESCRIPTION.format(url="http://x") + 'unit = "réaumur"' + OBJECTS, "expected one of celsius"),
        (DESCRIPTION.format(url="http://x") + 'zone = "Mars/Olympus"' + OBJECTS, "found 'Mars/Olympus'"),
        (DESCRIPTION.format(url="http://x") + "interval_s = 1" + OBJECTS, "expected 60 to 86400, found 1"),
        (DESCRIPTION.format(url="http://x") + "days_back = true" + OBJECTS, "expected a whole number"),
        (DESCRIPTION.format(url="http://x") + "altitude = 1" + OBJECTS, "unknown field 'altitude'"),
        (DESCRIPTION.format(url="http://x") + "headers = { a = 1 }" + OBJECTS, "headers.a: expected a text"),
    ],
)
def test_a_wrong_description_is_said_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "service.toml"
    path.write_text(text.replace("{{", "{").replace("}}", "}") if "{{" in text else text)
    service, problems = read_service(path, "t")
    assert service is None
    assert any(words in problem and str(path) in problem for problem in problems), problems


def test_settings_name_the_description_and_the_token(tmp_path: Path) -> None:
    assert read_weather(Reader({})) is None
    path = tmp_path / "service.toml"
    path.write_text(DESCRIPTION.format(url="http://x") + OBJECTS)
    given = {WEATHER_SERVICE: str(path)}
    without = Reader(given)
    assert read_weather(without) is None
    assert "BALANCE_IMBALANCE_WEATHER_TOKEN is not set" in without.problems[0]
    service = read_weather(Reader({**given, "BALANCE_IMBALANCE_WEATHER_TOKEN": "secret"}))
    assert service is not None
    assert "secret" not in repr(service)
    nowhere = Reader({WEATHER_SERVICE: str(tmp_path / "none.toml")})
    assert read_weather(nowhere) is None
    assert nowhere.problems


def test_role_weather_without_a_description_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started as a process is, with nobody there to connect to. Whoever starts processes does not start one
    again that ends with 78.
    """
    for name in [name for name in os.environ if name.startswith("BALANCE_")]:
        monkeypatch.delenv(name)
    ids = tmp_path / "ids.json"
    save_ids(ids, {name: number for number, name in enumerate(avsc.names(), start=1)})
    given = {
        "BALANCE_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
        "BALANCE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "BALANCE_REGISTRY_URL": "http://127.0.0.1:1",
        "BALANCE_SCHEMA_IDS": str(ids),
        "BALANCE_HTTP_PORT": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    run = [sys.executable, "-m", "balance_imbalance", "run", "--role", "weather"]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == EXIT_SETTINGS
    (said,) = [line for line in ended.stdout.splitlines() if "CRITICAL" in line]
    assert f"role weather: {WEATHER_SERVICE} is not set: name the file" in json.loads(said)["message"]


@dataclass
class Producing:
    """In place of the broker's producer: keeps what is sent."""

    sent: list[tuple[str, bytes, Mapping[str, Any]]] = field(default_factory=list)
    on_send: Callable[[int], None] = lambda _: None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(self, topic: str, value: bytes, key: bytes) -> asyncio.Future[None]:
        self.sent.append((topic, key, CODEC.decode(value)[1]))
        self.on_send(len(self.sent))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


def rounds(
    service: WeatherService, client: Observing, producer: Producing, first: datetime, count: int
) -> datetime:
    """One process that asks every hour from ``first`` on, so many times; when the next would ask."""
    stop = asyncio.Event()
    asked: list[bool] = []

    def count_rounds(answered: bool) -> None:
        asked.append(answered)
        if len(asked) == count:
            stop.set()

    poller = WeatherPoller(
        WeatherService(**{**vars(service), "interval_s": 0}),
        client,
        producer,
        CODEC,
        CALENDAR,
        kafka=KafkaSettings("nowhere:9092", topic_prefix="p."),
        metrics=ChassisMetrics("imbalance"),
        asked=count_rounds,
        now=lambda: first + timedelta(hours=len(asked)),
    )
    asyncio.run(asyncio.wait_for(poller.run(stop), 20))
    assert asked == [True] * count
    return first + timedelta(hours=count)


@dataclass
class Telling:
    """A service that tells 1 °C of each of the last hours, whatever it is asked, but of none in ``lost``."""

    hours: int
    lost: frozenset[int] = frozenset()

    def observations(self, _: Place, __: datetime, end: datetime) -> Sequence[tuple[int, int]]:
        last = int(end.timestamp()) // 3600 * 3600 - 3600
        told = (last - 3600 * hour for hour in range(self.hours))
        return [(at, 1000) for at in told if at not in self.lost]


def standing(producer: Producing) -> Sequence[Sequence[int | None]]:
    """The newest version of each day in order; none may know less than the one before."""
    found: dict[int, Sequence[int | None]] = {}
    for _, _, value in producer.sent:
        day = from_wire_weather_day(value, CALENDAR).day
        lost = [
            hour
            for hour, known in enumerate(found.get(day.day_start, []))
            if known is not None and day.values[hour] is None
        ]
        assert lost == [], (day, found[day.day_start])
        found[day.day_start] = day.values
    return [found[day] for day in sorted(found)]


@pytest.mark.parametrize(("hours", "whole"), [(1, 1), (24, 3), (100, 5)])
def test_a_service_of_the_last_hours_erases_none(tmp_path: Path, hours: int, whole: int) -> None:
    """Asked for more than three days from five in the morning on, the process started anew at noon of the
    second.
    """
    service, producer = described(tmp_path, DESCRIPTION.format(url="http://x") + OBJECTS), Producing()
    again = rounds(service, Telling(hours), producer, NOW, 31)
    rounds(service, Telling(hours), producer, again, 48)
    assert [None in day for day in standing(producer)].count(False) == whole


def test_an_hour_that_a_service_no_longer_knows_stays_known(tmp_path: Path) -> None:
    service, producer = described(tmp_path, DESCRIPTION.format(url="http://x") + OBJECTS), Producing()

    class Forgetting(Telling):
        def observations(self, place: Place, start: datetime, end: datetime) -> Sequence[tuple[int, int]]:
            told = super().observations(place, start, end)
            self.lost = frozenset({AT + 3600})
            return told

    rounds(service, Forgetting(100), producer, NOW, 3)
    assert standing(producer)[-1][:8] == (*[1000] * 7, None)


def test_a_round_sends_what_changed_and_a_failing_place_stops_no_other(case: Case, server: Answering) -> None:
    more_objects = OBJECTS + OBJECTS.replace("Town", "Other")
    service = described(case.tmp_path, DESCRIPTION.format(url=server.url) + more_objects)
    cold, colder = told([AT], [-1]), told([AT, AT + 3600], [-1, -2])
    server.answers[:] = [(404, b""), (200, cold), (200, cold), (200, cold), (200, colder), (200, cold)]
    producer, asked = Producing(), list[bool]()
    stop = asyncio.Event()
    rounds = iter([NOW, NOW, NOW, NOW, NOW, NOW])

    def count(answered: bool) -> None:
        asked.append(answered)
        if len(asked) == 6:
            stop.set()

    poller = WeatherPoller(
        WeatherService(**{**vars(service), "interval_s": 0}),
        WeatherClient(service, wait_initial_s=0.001),
        producer,
        CODEC,
        CALENDAR,
        kafka=KafkaSettings("nowhere:9092", topic_prefix="p."),
        metrics=ChassisMetrics("imbalance"),
        asked=count,
        now=lambda: next(rounds, NOW),
    )
    asyncio.run(asyncio.wait_for(poller.run(stop), 20))
    assert asked == [False, True, True, True, True, True]
    days = [from_wire_weather_day(value, CALENDAR).day for _, _, value in producer.sent]
    assert [(day.object_path, day.values[:2]) for day in days] == [
        (("Other",), (-1000, None)),
        (("Town",), (-1000, None)),
        (("Town",), (-1000, -2000)),
    ]
    assert {topic for topic, _, _ in producer.sent} == {f"p.{catalogue.WEATHER}"}
    assert producer.sent[0][1] == b'[["Other"],"SERVICE","s"]'

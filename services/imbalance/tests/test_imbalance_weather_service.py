"""The adapter to a weather service against a server of its own: what it asks, what it makes of answers, and
what it says of failures.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.settings import KafkaSettings, Reader
from balance_imbalance.adapters.weather_http import ATTEMPTS, WeatherClient, WeatherServiceError
from balance_imbalance.adapters.weather_service import Place, WeatherService, read_service
from balance_imbalance.adapters.wire_weather import from_wire_weather_day
from balance_imbalance.entrypoints.weather import WeatherPoller, reports_of
from balance_imbalance.settings import WEATHER_SERVICE, read_weather
from balance_kernel.calendar import Calendar
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec

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
                self.wfile.write(body)

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
    ],
)
def test_what_is_not_as_described_is_said_once(case: Case, answer: tuple[int, Any], words: str) -> None:
    said = case.said(answer)
    assert words in said
    assert len(case.server.asked) == 1
    assert "t&t" not in said


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
    (report,) = reports_of("s", TOWN, observations, NOW, CALENDAR)
    assert report.day.values[:6] == (500, 2500, 4500, 6500, 8500, None)
    assert (report.version, report.reported_at) == (int(NOW.timestamp()) * 1000, int(NOW.timestamp()))
    assert reports_of("s", TOWN, [], NOW, CALENDAR) == []


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

"""A weather service as a file describes it: its address, how its answers are read, the objects to ask for.

    name = "city-service"
    url = "https://…/hourly?latitude={latitude}&longitude={longitude}&from={start:%Y-%m-%dT%H:%M}"
    time = "hourly.time"
    temperature = "hourly.temperature"

    [[objects]]
    path = ["Chișinău"]
    latitude = 47.01
    longitude = 28.86

docs/how-tos/weather.md explains each field.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from balance_imbalance.domain.weather import ObjectPath

CELSIUS, KELVIN, FAHRENHEIT = "celsius", "kelvin", "fahrenheit"
_UNITS = (CELSIUS, KELVIN, FAHRENHEIT)
_PLACEHOLDERS = ("latitude", "longitude", "start", "end", "token")
_FIELDS: Mapping[str, tuple[type, Any]] = {
    "name": (str, None),
    "url": (str, None),
    "headers": (dict, {}),
    "rows": (str, ""),
    "time": (str, None),
    "temperature": (str, None),
    "unit": (str, CELSIUS),
    "zone": (str, "UTC"),
    "interval_s": (int, 3600),
    "days_back": (int, 2),
    "timeout_s": (int, 20),
    "objects": (list, None),
}
"""Type and default of each field; None: it must be there."""
_KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", dict: "a table", list: "a list of tables"}
_BOUNDS = {"interval_s": range(60, 86_401), "days_back": range(36), "timeout_s": range(1, 121)}


@dataclass(frozen=True, slots=True)
class Place:
    """An object and where it is, in degrees."""

    object_path: ObjectPath
    latitude: float
    longitude: float


@dataclass(frozen=True)
class WeatherService:
    """How to ask a weather service. ``rows``, ``time`` and ``temperature`` are paths into its answer, parts
    joined by dots: of the list of observations, and in each of them; without ``rows``, of two lists of one
    length.
    """

    name: str
    url: str
    headers: Mapping[str, str]
    rows: str
    time: str
    temperature: str
    unit: str
    zone: ZoneInfo
    interval_s: int
    """How long it waits between two rounds."""
    days_back: int
    """How many days before today it asks for again each time: services correct what they told."""
    timeout_s: int
    places: Sequence[Place]
    token: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Where it is, without what may be secret in the address."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def url_of(self, place: Place, start: datetime, end: datetime) -> str:
        """Address of the observations at a place from ``start`` to ``end`` (UTC)."""
        return self.url.format_map(self._values(place, start, end, quote(self.token or "", safe="")))

    def headers_of(self) -> Mapping[str, str]:
        """Headers of every request."""
        return {name: value.format(token=self.token or "") for name, value in self.headers.items()}

    def _values(self, place: Place, start: datetime, end: datetime, token: str) -> Mapping[str, Any]:
        return {
            "latitude": place.latitude,
            "longitude": place.longitude,
            "start": start.astimezone(self.zone),
            "end": end.astimezone(self.zone),
            "token": token,
        }


def read_service(path: Path, token: str | None) -> tuple[WeatherService | None, Sequence[str]]:
    """The service of a TOML file, or None and a sentence for each thing that is wrong with it."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return None, [f"{path}: expected a file of TOML, found: {error}"]
    problems = list(_problems(document))
    if problems:
        return None, [f"{path}: {problem}" for problem in problems]
    given = {name: document.get(name, default) for name, (_, default) in _FIELDS.items()}
    places = [
        Place(tuple(one["path"]), float(one["latitude"]), float(one["longitude"]))
        for one in given.pop("objects")
    ]
    service = WeatherService(**{**given, "zone": ZoneInfo(given["zone"])}, places=places, token=token)
    problems = list(_template_problems(service))
    return (None, [f"{path}: {problem}" for problem in problems]) if problems else (service, [])


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(document.keys() - _FIELDS.keys()):
        yield f"unknown field {name!r}; expected some of {', '.join(_FIELDS)}"
    for name, (kind, default) in _FIELDS.items():
        found = document.get(name, default)
        if found is None:
            yield f"{name} is missing"
        elif not isinstance(found, kind) or isinstance(found, bool):
            yield f"{name}: expected {_KINDS[kind]}, found {found!r}"
        elif name in _BOUNDS and found not in _BOUNDS[name]:
            yield f"{name}: expected {_BOUNDS[name][0]} to {_BOUNDS[name][-1]}, found {found}"
    unit, zone = document.get("unit", CELSIUS), document.get("zone", "UTC")
    if unit not in _UNITS:
        yield f"unit: expected one of {', '.join(_UNITS)}, found {unit!r}"
    try:
        ZoneInfo(str(zone))
    except (KeyError, ValueError, OSError):
        yield f"zone: expected a name such as UTC or Europe/Chisinau, found {zone!r}"
    for name, value in document["headers"].items() if isinstance(document.get("headers"), dict) else ():
        if not isinstance(value, str):
            yield f"headers.{name}: expected a text, found {value!r}"
    objects = document.get("objects")
    if isinstance(objects, list):
        yield from _object_problems(objects)


def _object_problems(objects: Sequence[Any]) -> Iterator[str]:
    if not objects:
        yield "objects: expected one at least"
    seen: set[ObjectPath] = set()
    for number, one in enumerate(objects, start=1):
        if not isinstance(one, dict) or set(one) != {"path", "latitude", "longitude"}:
            yield f"object no. {number}: expected path, latitude and longitude, found {one!r}"
            continue
        path = one["path"]
        if not isinstance(path, list) or not all(isinstance(part, str) and part for part in path):
            yield f'object no. {number}: expected a path such as ["Town"], [] for everywhere, found {path!r}'
        elif tuple(path) in seen:
            yield f"object no. {number}: expected each path once, found {path} again"
        else:
            seen.add(tuple(path))
        for name, most in (("latitude", 90), ("longitude", 180)):
            value = one[name]
            if not isinstance(value, int | float) or isinstance(value, bool) or not -most <= value <= most:
                yield f"object no. {number}: {name}: expected degrees from -{most} to {most}, found {value!r}"


def _template_problems(service: WeatherService) -> Iterator[str]:
    """What of the address or the headers cannot be filled in."""
    if not service.url.startswith(("http://", "https://")):
        yield f"url: expected an http(s) address, found {service.url[:40]!r}"
    texts = {"url": service.url, **{f"headers.{name}": value for name, value in service.headers.items()}}
    for name, text in texts.items():
        wanted = _PLACEHOLDERS if name == "url" else ("token",)
        try:
            found = [each for _, each, _, _ in string.Formatter().parse(text) if each is not None]
        except ValueError as error:
            yield f"{name}: expected placeholders in braces, found {text!r} ({error})"
            continue
        unknown = sorted(set(found) - set(wanted))
        if unknown:
            yield f"{name}: expected placeholders of {', '.join(wanted)}, found {', '.join(unknown)}"
        if "token" in found and service.token is None:
            yield f"{name}: it has the placeholder token, and BALANCE_IMBALANCE_WEATHER_TOKEN is not set"
        if not unknown and name == "url":
            yield from _not_filled(service)


def _not_filled(service: WeatherService) -> Iterator[str]:
    some_day = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        service.url_of(service.places[0], some_day, some_day)
    except (ValueError, TypeError) as error:
        yield f"url: expected formats such as {{start:%Y-%m-%d}} or {{latitude:.2f}}, one fails: {error}"

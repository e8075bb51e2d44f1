"""Asks a weather service over HTTP, and reads what it answers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import stamina
import urllib3

from balance_imbalance.adapters.weather_service import FAHRENHEIT, KELVIN, Place, WeatherService

ATTEMPTS = 3
_MOST_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 65_536
_MOST_REDIRECTS = 3
_SECONDS_BELOW = 10**11
"""A number above is of milliseconds."""
_LATEST_S = 7_258_118_400
"""The year 2200."""
_MOST = 10**6
# At DEBUG it would write addresses, and what may be secret in them, into the log.
logging.getLogger("urllib3").setLevel(logging.WARNING)


class WeatherServiceError(Exception):
    """The service did not answer, or what it answered is not what its description says. The message says
    what was expected and found.
    """


class _AwayError(Exception):
    """It may well answer the next time."""


class WeatherClient:
    """Asks one service. To be used by one thread at a time."""

    def __init__(self, service: WeatherService, wait_initial_s: float = 1.0) -> None:
        self._service = service
        self._zone = service.zone
        self._wait_initial_s = wait_initial_s
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=service.timeout_s),
            retries=urllib3.Retry(
                total=_MOST_REDIRECTS,
                connect=0,
                read=0,
                status=0,
                other=0,
                redirect=_MOST_REDIRECTS,
                remove_headers_on_redirect=list(service.headers),  # another host is told no token
            ),
        )

    def observations(self, place: Place, start: datetime, end: datetime) -> Sequence[tuple[int, int]]:
        """Observed temperatures at a place as (seconds since 1970, thousandths of a degree Celsius), what it
        does not know left out; it may say more than was asked for. Raises WeatherServiceError.
        """
        url = self._service.url_of(place, start, end)
        try:
            for attempt in stamina.retry_context(
                on=_AwayError,
                attempts=ATTEMPTS,
                timeout=120,
                wait_initial=self._wait_initial_s,
                wait_jitter=self._wait_initial_s,
            ):
                with attempt:
                    return self._read(json.loads(self._get(url), parse_float=Decimal))
        except _AwayError as error:
            raise WeatherServiceError(
                f"{self._service.host}: {error}; it is asked again the next time"
            ) from None
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise WeatherServiceError(
                f"{self._service.host}: expected an answer of JSON with numbers of a sensible size, found "
                f"none: {type(error).__name__}: {_cut(str(error))}"
            ) from None
        raise AssertionError("stamina neither returned nor raised")

    def _get(self, url: str) -> bytes:
        headers = {"Accept": "application/json", **self._service.headers_of()}
        deadline = time.monotonic() + self._service.timeout_s
        try:
            answer = self._http.request("GET", url, headers=headers, preload_content=False)
            with answer:
                if answer.status == 429 or answer.status >= 500:
                    raise _AwayError(f"it answered {answer.status}")
                if answer.status != 200:
                    said = _shown(answer.read1(500)).replace(self._service.token or "\0", "…")
                    raise WeatherServiceError(
                        f"{self._service.host}: expected an answer of 200, found {answer.status}: look at "
                        f"url, headers and token of its description. It said: {said}"
                    )
                return self._body(answer, deadline)
        except urllib3.exceptions.HTTPError as error:
            # Its text holds the address, and what may be secret in it.
            raise _AwayError(f"no answer: {type(getattr(error, 'reason', None) or error).__name__}") from None

    def _body(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """All of it. The client's own time-out begins anew with every byte that comes."""
        body = bytearray()
        while piece := answer.read1(_PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > _MOST_BYTES:
                raise WeatherServiceError(
                    f"{self._service.host}: expected an answer of up to {_MOST_BYTES} bytes, found more"
                )
            if time.monotonic() > deadline:
                raise _AwayError(f"no whole answer within {self._service.timeout_s} s")
        return bytes(body)

    def _read(self, answer: Any) -> Sequence[tuple[int, int]]:
        service = self._service
        if service.rows:
            rows = self._list(answer, service.rows)
            told = [(self._at(row, service.time), self._at(row, service.temperature)) for row in rows]
        else:
            times, values = self._list(answer, service.time), self._list(answer, service.temperature)
            if len(times) != len(values):
                raise WeatherServiceError(
                    f"{service.host}: expected as many values in {service.temperature} as in {service.time}, "
                    f"found {len(values)} and {len(times)}"
                )
            told = list(zip(times, values, strict=True))
        found = ((self._seconds(at), self._temperature(value)) for at, value in told)
        return [(seconds, value) for seconds, value in found if value is not None]

    def _list(self, answer: Any, path: str) -> Sequence[Any]:
        found = self._at(answer, path)
        if not isinstance(found, list):
            raise WeatherServiceError(
                f"{self._service.host}: expected a list at {path}, found {_shown(found)}"
            )
        return found

    def _at(self, answer: Any, path: str) -> Any:
        found = answer
        for part in path.split(".") if path != "." else ():
            if isinstance(found, dict) and part in found:
                found = found[part]
            elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                raise WeatherServiceError(
                    f"{self._service.host}: expected {part!r} of {path} in its answer, found "
                    f"{', '.join(map(str, found)) if isinstance(found, dict) else _shown(found)}"
                )
        return found

    def _seconds(self, told: Any) -> int:
        seconds = -1
        if isinstance(told, str):
            with suppress(ValueError, OverflowError):
                instant = datetime.fromisoformat(told)
                seconds = int((instant if instant.tzinfo else instant.replace(tzinfo=self._zone)).timestamp())
        elif isinstance(told, (int, Decimal)) and not isinstance(told, bool) and 0 <= told < 1000 * _LATEST_S:
            seconds = int(told if told < _SECONDS_BELOW else told / 1000)
        if not 0 <= seconds < _LATEST_S:
            raise WeatherServiceError(
                f"{self._service.host}: expected times such as 2026-01-31T05:00 or seconds since 1970 in "
                f"{self._service.time}, found {_shown(told)}"
            )
        return seconds

    def _temperature(self, value: Any) -> int | None:
        if value is None or (isinstance(value, float) and value != value):  # NaN is no JSON, and yet sent
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not -_MOST < value < _MOST:
            raise WeatherServiceError(
                f"{self._service.host}: expected numbers or null in {self._service.temperature}, "
                f"found {_shown(value)}"
            )
        degrees = Decimal(value)
        if self._service.unit == KELVIN:
            degrees -= Decimal("273.15")
        elif self._service.unit == FAHRENHEIT:
            degrees = (degrees - 32) * 5 / 9
        return int((degrees * 1000).to_integral_value(ROUND_HALF_UP))


def _shown(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"

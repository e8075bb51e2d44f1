"""Role weather: what a weather service tells, to the topic of weather."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from aiokafka import AIOKafkaProducer
from balance_chassis.kafka import stop_client, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, pause, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread
from balance_kernel.calendar import HOUR_S, Calendar
from balance_kernel.weather import hourly_means, source_key
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_imbalance.adapters.weather_http import WeatherServiceError
from balance_imbalance.adapters.weather_service import Place, WeatherService
from balance_imbalance.adapters.wire_weather import WEATHER_DAY, to_wire_weather_day
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import Source, WeatherReport

_log = logging.getLogger(__name__)


class Observing(Protocol):
    """A weather service that can be asked."""

    def observations(self, place: Place, start: datetime, end: datetime) -> Sequence[tuple[int, int]]:
        """(seconds, thousandths of a degree); may take a while. Raises WeatherServiceError."""
        ...


def reports_of(
    name: str,
    place: Place,
    observations: Sequence[tuple[int, int]],
    start: datetime,
    now: datetime,
    calendar: Calendar,
) -> Sequence[WeatherReport]:
    """The weather days of what a service told of a place, from the day that starts at ``start``: of those
    before it told a part at most. Hours that have not ended by ``now`` say nothing: they are forecasts. The
    version is ``now`` in milliseconds.
    """
    ended = int(now.timestamp()) // HOUR_S * HOUR_S
    told = hourly_means((each for each in observations if each[0] < ended), calendar)
    return [
        WeatherReport(
            WeatherDay(place.object_path, WeatherKind.SERVICE, name, int(day.timestamp()), tuple(values)),
            int(now.timestamp() * 1000),
            int(now.timestamp()),
        )
        for day, values in sorted(told.items())
        if day >= start
    ]


class WeatherPoller:
    """Asks for each place in turn, sends the days that differ from what it sent before, waits, and begins
    again. A place that cannot be had is said in the log and asked for in the next round.

    A weather day replaces the one before it, so none may know less: an hour that was sent stays known, and
    a day within which the answer begins is sent only by who has asked since before that day.
    """

    def __init__(
        self,
        service: WeatherService,
        client: Observing,
        producer: AIOKafkaProducer,
        codec: Codec,
        calendar: Calendar,
        *,
        kafka: KafkaSettings,
        metrics: ChassisMetrics,
        asked: Callable[[bool], None],
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._client = client
        self._producer = producer
        self._codec = codec
        self._calendar = calendar
        self._kafka = kafka
        self._metrics = metrics
        self._asked = asked
        self._now = now
        self._sent: dict[tuple[Source, int], Sequence[int | None]] = {}
        self.name = "weather service"
        self.progress = Progress(self.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask and send until ``stop``."""
        self._thread = OneThread(self.name)
        self._asks_since = int(self._now().timestamp())
        try:
            await unless_stopped(self._patiently(self._producer.start, stop), stop)
            self.progress.ready = True
            while not stop.is_set():
                for place in self._service.places:
                    await unless_stopped(self._round(place, stop), stop)
                await pause(stop, self._service.interval_s)
        except Stopped:
            _log.info("%s stopped while it waited; the next start asks again", self.name)
        finally:
            self.progress.ready = False
            await stop_client(self._producer)
            self._thread.close()

    async def _round(self, place: Place, stop: asyncio.Event) -> None:
        now = self._now()
        start = self._calendar.shift(self._calendar.day_start(now), -self._service.days_back)
        where = " > ".join(place.object_path) or "everywhere"
        try:
            observed = await self._thread(partial(self._client.observations, place, start, now))
        except WeatherServiceError as error:
            self._asked(False)
            _log.warning("no weather of %s: %s", where, error)
            return
        reports = reports_of(self._service.name, place, observed, start, now, self._calendar)
        told = any(value is not None for report in reports for value in report.day.values)
        self._asked(told)
        if not told:
            _log.warning("%s tells no temperature of %s since %s", self._service.host, where, start)
        whole = [self._with_sent(report) for report in reports if self._is_whole(report, observed)]
        if len(whole) < len(reports):
            _log.info("%s tells a part of a day of %s, which is left out", self._service.host, where)
        await self._patiently(partial(self._send, whole), stop)

    def _is_whole(self, report: WeatherReport, observed: Sequence[tuple[int, int]]) -> bool:
        """Whether nobody can have told more of that day before this process."""
        day_start, first = report.day.day_start, min(at for at, _ in observed)
        return first < day_start + HOUR_S or self._asks_since <= day_start or _key(report) in self._sent

    def _with_sent(self, report: WeatherReport) -> WeatherReport:
        sent = self._sent.get(_key(report))
        if sent is None:
            return report
        known = [old if new is None else new for new, old in zip(report.day.values, sent, strict=True)]
        return replace(report, day=replace(report.day, values=tuple(known)))

    async def _send(self, reports: Sequence[WeatherReport]) -> None:
        changed = [each for each in reports if self._sent.get(_key(each)) != each.day.values]
        topic = topic_name(self._kafka, catalogue.WEATHER)
        acknowledged = [
            await self._producer.send(
                topic,
                value=self._codec.encode(WEATHER_DAY, to_wire_weather_day(report)),
                key=source_key(report.day.object_path, report.day.kind.name, report.day.name),
            )
            for report in changed
        ]
        await asyncio.gather(*acknowledged)
        self._sent = self._kept(changed)
        self._metrics.published.labels(catalogue.WEATHER).inc(len(changed))
        self.progress.done += len(changed)

    def _kept(self, changed: Sequence[WeatherReport]) -> dict[tuple[Source, int], Sequence[int | None]]:
        """What was sent, days that are no longer asked for forgotten."""
        oldest = self._calendar.shift(self._calendar.day_start(self._now()), -self._service.days_back - 2)
        kept: Mapping[tuple[Source, int], Sequence[int | None]] = {
            key: values for key, values in self._sent.items() if key[1] >= int(oldest.timestamp())
        }
        return {**kept, **{_key(report): report.day.values for report in changed}}

    async def _patiently(self, attempt: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
        await patiently(attempt, progress=self.progress, stop=stop, metrics=self._metrics)


def _key(report: WeatherReport) -> tuple[Source, int]:
    return report.source, report.day.day_start

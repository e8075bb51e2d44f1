"""Puts the service together: the only module that names concrete adapters. Nothing connects at import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.agents import Agent
from balance_chassis.errors import Fatal
from balance_chassis.framing import make_codec
from balance_chassis.kafka import Record, make_producer
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.lifecycle import EXIT_SETTINGS, Process, Runnable
from balance_chassis.migrations import migrate as migrate_schema
from balance_chassis.postgres import make_pool
from balance_chassis.publisher import Publisher
from balance_chassis.setting_aside import Returning
from balance_chassis.sink import Sink
from balance_chassis.worker import Worker
from balance_schemas import catalogue
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance import handlers
from balance_imbalance.adapters.postgres import GROUP_DAY_MARKERS, PostgresGroupDayStore
from balance_imbalance.adapters.postgres_forecasts import MarkForecastsOfWeather, PostgresForecasts
from balance_imbalance.adapters.postgres_inadequacy import MarkWeather, PostgresInadequacy
from balance_imbalance.adapters.postgres_onsets import PostgresOnsetStore
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister
from balance_imbalance.adapters.postgres_waiting import read_waiting
from balance_imbalance.adapters.postgres_weather import AlsoMark, PostgresWeatherMarks, PostgresWeatherStore
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.adapters.queries import SCHEMA
from balance_imbalance.adapters.weather_http import WeatherClient
from balance_imbalance.adapters.weather_service import WeatherService
from balance_imbalance.computing.forecasting import Forecasts
from balance_imbalance.computing.inadequacy import Inadequacy
from balance_imbalance.computing.onsets import Watching, group_of
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST, INADEQUACY
from balance_imbalance.domain.messages import Asset, ChangedGroupDay, ReadingDays
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.entrypoints import kafka
from balance_imbalance.entrypoints.weather import WeatherPoller
from balance_imbalance.metrics import ImbalanceMetrics
from balance_imbalance.settings import WEATHER_SERVICE, ImbalanceSettings

SERVICE = "imbalance"
_FORECASTS_A_TRANSACTION = 4000
_LEAST_CONNECTIONS = 12
"""What the worker's runnables hold at most, all busy at once."""
_MESSAGES_AT_ONCE = 50
"""Of group-days: a group's years take a second or two, and a rebalance waits for the batch in hand."""
_GROUPS_AT_ONCE = 10
"""Gone over before the watchdog is told that it goes on: years of so many are well within its patience."""
Pool = ConnectionPool[Connection[Any]]


def migrate(settings: ImbalanceSettings) -> Sequence[str]:
    """Bring the schema up to date; gives the names of what was applied."""
    installation = settings.installation
    return migrate_schema(installation.postgres.dsn, SCHEMA, "balance_imbalance", installation.calendar)


class Assembly:
    """Makes the runnables of each role for one process."""

    def __init__(self, settings: ImbalanceSettings, process: Process) -> None:
        self._settings = settings
        self._process = process
        self._calendar = settings.installation.calendar
        self._metrics = ImbalanceMetrics(process.metrics.registry)
        postgres = settings.installation.postgres
        self._pool: Pool = make_pool(postgres, SERVICE, max(postgres.pool_size, _LEAST_CONNECTIONS))
        process.closing.callback(self._pool.close)
        self._codec = make_codec(settings.installation.registry)

    def live(self) -> Sequence[Runnable]:
        """The sink of today's readings."""
        return [self._readings(catalogue.READINGS, kafka.READINGS_GROUP, LIVE)]

    def backlog(self) -> Sequence[Runnable]:
        """The sink of readings from backlogs and recomputation."""
        return [self._readings(catalogue.READINGS_BACKLOG, kafka.READINGS_BACKLOG_GROUP, BACKLOG)]

    def worker(self) -> Sequence[Runnable]:
        """Computes, publishes, and keeps the register. One process is enough, another does no harm."""
        settings, metrics = self._settings, self._process.metrics
        now = None if settings.installation.clock == "packets" else lambda: datetime.now(UTC)
        aside = metrics.set_aside.labels(GROUP_DAY_MARKERS).inc
        store = PostgresGroupDayStore(self._pool, self._calendar, settings.rules, now, aside)
        computing = handlers.Computing(
            store,
            settings.rules,
            self._calendar,
            settings.group_days_a_transaction,
            self._metrics.computed,
        )
        sweep = handlers.Sweep(
            store, settings.rules, self._calendar, settings.recompute_from, settings.inadequacy
        )
        due = store.is_due
        return [
            Publisher(
                self._pool,
                SCHEMA,
                make_producer(settings.installation.kafka),
                Renderer(self._codec),
                kafka=settings.installation.kafka,
                metrics=metrics,
            ),
            Worker("group-days", computing.step, metrics=metrics),
            Worker("silence", sweep.step, metrics=metrics, idle_s=0.25),
            Worker("inadequacy", self._inadequacy(store).step, metrics=metrics, idle_s=5.0, gives_way=due),
            Worker("weather", self._marking_weather().step, metrics=metrics, idle_s=0.5),
            Worker("forecasts", self._forecasting(store.clock), metrics=metrics, idle_s=2.0, gives_way=due),
            Worker("set-aside", self._returning().step, metrics=metrics, idle_s=10.0),
            Worker("waiting", self._look, metrics=metrics, idle_s=30.0),
            self._assets(),
            self._weather(),
        ]

    def _look(self) -> int:
        """Show what waits; nothing of it is done here."""
        waiting = read_waiting(self._pool)
        self._metrics.waiting(waiting.markers, waiting.done_to)
        return 0

    def agents(self) -> Sequence[Runnable]:
        """Onset and hourly alarm; what they find goes out by the worker's publisher."""
        store = PostgresOnsetStore(self._pool, self._calendar, self._settings.onset)
        watching = Watching(store, self._settings.onset, self._metrics.watched)

        def decode(record: Record) -> ChangedGroupDay | str:
            return kafka.decode_group_day(self._codec, self._calendar, record.value)

        return [
            Agent(
                topics=[catalogue.IMBALANCE],
                group=kafka.ONSET_GROUP,
                kafka=self._settings.installation.kafka,
                decode=decode,
                handle=watching.handle,
                metrics=self._process.metrics,
                key=group_of,
                at_once=_GROUPS_AT_ONCE,
                max_records=_MESSAGES_AT_ONCE,
                version=self._process.version,
            )
        ]

    def _returning(self) -> Returning:
        tables = (GROUP_DAY_MARKERS, *(kind.markers for kind in (FORECAST, GROUP_FORECAST, INADEQUACY)))
        days = self._process.metrics.days_aside
        return Returning(self._pool, SCHEMA, tables, lambda table, count: days.labels(table).set(count))

    @property
    def _recompute_from(self) -> datetime | None:
        day = self._settings.recompute_from
        return self._calendar.start_of(day) if day else None

    def _inadequacy(self, store: PostgresGroupDayStore) -> Inadequacy:
        rules = self._settings.rules
        return Inadequacy(
            PostgresInadequacy(
                self._pool,
                self._calendar,
                self._settings.inadequacy,
                self._process.metrics.set_aside.labels(INADEQUACY.markers).inc,
            ),
            store.clock,
            self._calendar,
            rules.grace_s,
            self._metrics.inadequacy_computed,
            self._recompute_from,
        )

    def _readings(self, topic: str, group: str, lane: int) -> Sink[ReadingDays]:
        rules = self._settings.rules
        store = PostgresReadingDayStore(
            self._pool, self._calendar, lane, rules.lookback_days, rules.unmetered_days
        )

        def decode(record: Record) -> ReadingDays:
            return kafka.decode_readings(self._codec, self._calendar, record.value)

        def handle(messages: Sequence[ReadingDays]) -> None:
            self._metrics.reading_days_changed.inc(handlers.handle_reading_days(messages, store))

        return Sink(
            topics=[topic],
            group=group,
            kafka=self._settings.installation.kafka,
            decode=decode,
            handle=handle,
            metrics=self._process.metrics,
            weight=lambda message: len(message.days),
            version=self._process.version,
        )

    def _assets(self) -> Sink[Asset | str]:
        register = PostgresRegister(self._pool, self._calendar)

        def decode(record: Record) -> Asset | str:
            return kafka.decode_asset(self._codec, self._calendar, record.value)

        def handle(assets: Sequence[Asset | str]) -> None:
            ours = [asset for asset in assets if not isinstance(asset, str)]
            self._metrics.group_days_marked.inc(handlers.handle_assets(ours, register))

        return Sink(
            topics=[catalogue.ASSETS],
            group=kafka.ASSETS_GROUP,
            kafka=self._settings.installation.kafka,
            decode=decode,
            handle=handle,
            metrics=self._process.metrics,
            version=self._process.version,
        )

    def weather(self) -> Sequence[Runnable]:
        """What a weather service tells, to the topic of weather."""
        service, kafka_settings = _described(self._settings), self._settings.installation.kafka
        asked = self._metrics.weather_asked
        return [
            WeatherPoller(
                service,
                WeatherClient(service),
                make_producer(kafka_settings),
                self._codec,
                self._calendar,
                kafka=kafka_settings,
                metrics=self._process.metrics,
                asked=lambda answered: asked.labels("answered" if answered else "failed").inc(),
                now=lambda: datetime.now(UTC),
            )
        ]

    def _forecasting(self, clock: Callable[[], datetime | None]) -> Callable[[], int]:
        points, groups = (
            Forecasts(
                PostgresForecasts(
                    self._pool,
                    self._calendar,
                    self._settings.rules,
                    kind,
                    self._process.metrics.set_aside.labels(kind.markers).inc,
                ),
                clock,
                self._calendar,
                self._settings.rules,
                fills,
                _FORECASTS_A_TRANSACTION,
                self._metrics.forecast,
                self._recompute_from,
            )
            for kind, fills in ((FORECAST, True), (GROUP_FORECAST, False))
        )
        return lambda: points.step() + groups.step()

    def _marking_weather(self) -> handlers.MarkingWeather:
        rules = self._settings.rules
        also: Sequence[AlsoMark] = [MarkWeather(), MarkForecastsOfWeather(self._calendar)]
        marked = self._metrics.group_days_marked_by_weather.inc
        marks = PostgresWeatherMarks(self._pool, self._calendar, rules.lookback_days, also, marked)
        return handlers.MarkingWeather(marks)

    def _weather(self) -> Sink[WeatherReport]:
        store = PostgresWeatherStore(self._pool)

        def decode(record: Record) -> WeatherReport:
            return kafka.decode_weather(self._codec, self._calendar, record.value)

        def handle(reports: Sequence[WeatherReport]) -> None:
            self._metrics.weather_days_changed.inc(handlers.handle_weather(reports, store))

        return Sink(
            topics=[catalogue.WEATHER],
            group=kafka.WEATHER_GROUP,
            kafka=self._settings.installation.kafka,
            decode=decode,
            handle=handle,
            metrics=self._process.metrics,
            version=self._process.version,
        )


ROLES: dict[str, Callable[[Assembly], Sequence[Runnable]]] = {
    "live": Assembly.live,
    "backlog": Assembly.backlog,
    "worker": Assembly.worker,
    "agents": Assembly.agents,
    "weather": Assembly.weather,
}


def build(settings: ImbalanceSettings, role: str) -> Callable[[Process], Sequence[Runnable]]:
    """What `run_process` calls to make the runnables of a role. Raises KeyError for an unknown role."""
    make = ROLES[role]

    def runnables(process: Process) -> Sequence[Runnable]:
        if make is Assembly.weather:
            _described(settings)  # before anybody is waited for
        return make(Assembly(settings, process))

    return runnables


def _described(settings: ImbalanceSettings) -> WeatherService:
    if settings.weather is None:
        raise Fatal(
            f"role weather: {WEATHER_SERVICE} is not set: name the file that describes the weather service, "
            "see docs/how-tos/weather.md",
            EXIT_SETTINGS,
        )
    return settings.weather

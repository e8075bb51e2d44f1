"""Settings from the environment, as frozen objects, with every error reported at once.

Everything common to the processes of an installation is read by `load`. A service reads its own fields,
`BALANCE_<SERVICE>_<FIELD>`, with the same `Reader`:

    reader = Reader(os.environ)
    settings = read(reader)
    largest = reader.integer("BALANCE_INGEST_MAX_WEIGHT", 5000, at_least=1)
    reader.check()
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from balance_kernel.calendar import Calendar

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MEBIBYTE = 1024 * 1024


class SettingsError(ValueError):
    """The environment is wrong. `problems` holds a sentence for each variable that is."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep all problems and show all of them."""
        super().__init__("the settings are wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class KafkaSettings:
    """How to reach the broker. `topic_prefix` (e.g. `demo.`) goes before every topic and group of the
    catalogue.
    """

    bootstrap_servers: str
    topic_prefix: str = ""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    session_timeout_s: float = 20.0
    max_record_bytes: int = MEBIBYTE
    """A sink dead-letters a larger record as oversize without looking into it."""


@dataclass(frozen=True)
class RegistrySettings:
    """How to reach the schema registry, and the file that serves when it is away."""

    url: str
    schema_ids: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PostgresSettings:
    """How to reach the database. The DSN may hold a password, so it is never printed."""

    dsn: str = field(repr=False)
    pool_size: int = 4


@dataclass(frozen=True)
class Settings:
    """What every process of an installation is given."""

    kafka: KafkaSettings
    registry: RegistrySettings
    postgres: PostgresSettings
    calendar: Calendar
    clock: str
    """`wall`, or `packets`: time is the newest receipt of a packet, for replays of the past."""
    log_level: str
    http_port: int
    """Door of /livez, /readyz and /metrics; 0 means none."""


class Reader:
    """Reads variables of one environment and remembers what was wrong with them until `check`.

    An empty variable counts as one that is not set. A field that is wrong gives its default, or an empty
    value.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def check(self) -> None:
        """Raise SettingsError if anything read so far was wrong."""
        if self.problems:
            raise SettingsError(self.problems)

    def optional(self, name: str) -> str | None:
        """The variable, or None if it is not set."""
        return self._environment.get(name) or None

    def secret(self, name: str) -> str | None:
        """A secret, given itself or by `<name>_FILE`, the path of a file that holds it."""
        path = self.path(f"{name}_FILE")
        return path.read_text("utf-8").strip() if path else self.optional(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A text that must be set, unless there is a default."""
        value = self.optional(name)
        if value is None and default is None:
            self.problems.append(f"{name} is not set")
        return value or default or ""

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self.optional(name) or default
        if value not in choices:
            self.problems.append(f"{name}: expected one of {', '.join(choices)}, found {value!r}")
            return default
        return value

    def integer(self, name: str, default: int, *, at_least: int = 0, at_most: int = 2**63 - 1) -> int:
        """A whole number within bounds."""
        return int(self._number(name, default, at_least, at_most, int, "a whole number"))

    def number(
        self, name: str, default: float, *, at_least: float = 0.0, at_most: float = float("inf")
    ) -> float:
        """A number within bounds."""
        return self._number(name, default, at_least, at_most, float, "a number")

    def day(self, name: str) -> date | None:
        """A day of the calendar such as 2026-03-01; None if it is not set."""
        value = self.optional(name)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self.problems.append(f"{name}: expected a date such as 2026-03-01, found {value!r}")
            return None

    def path(self, name: str, *, must_exist: bool = True) -> Path | None:
        """A file; None if it is not set."""
        value = self.optional(name)
        if value and must_exist and not Path(value).is_file():
            self.problems.append(f"{name}: expected a file, found none at {value}")
            return None
        return Path(value) if value else None

    def _number(
        self, name: str, default: float, low: float, high: float, kind: type[int] | type[float], what: str
    ) -> float:
        text = self.optional(name)
        if text is None:
            return default
        try:
            value = kind(text)
        except ValueError:
            self.problems.append(f"{name}: expected {what}, found {text!r}")
            return default
        if not low <= value <= high:
            self.problems.append(f"{name}: expected {what} from {low} to {high}, found {text}")
            return default
        return value


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of this process from the environment. Raises SettingsError with everything that is wrong."""
    reader = Reader(os.environ if environment is None else environment)
    settings = read(reader)
    reader.check()
    return settings


def read(reader: Reader) -> Settings:
    """The common settings, errors left in the reader; for a service that reads more before it checks."""
    return Settings(
        kafka=read_kafka(reader),
        registry=RegistrySettings(
            url=reader.text("BALANCE_REGISTRY_URL"),
            schema_ids=reader.path("BALANCE_SCHEMA_IDS", must_exist=False),
            username=reader.optional("BALANCE_REGISTRY_USERNAME"),
            password=reader.secret("BALANCE_REGISTRY_PASSWORD"),
        ),
        postgres=PostgresSettings(
            dsn=reader.secret("BALANCE_POSTGRES_DSN") or reader.text("BALANCE_POSTGRES_DSN"),
            pool_size=reader.integer("BALANCE_POSTGRES_POOL_SIZE", 4, at_least=1, at_most=100),
        ),
        calendar=_calendar(reader),
        clock=reader.choice("BALANCE_CLOCK", ("wall", "packets"), "wall"),
        log_level=reader.choice("BALANCE_LOG_LEVEL", LOG_LEVELS, "INFO"),
        http_port=reader.integer("BALANCE_HTTP_PORT", 0, at_most=65535),
    )


def read_kafka(reader: Reader) -> KafkaSettings:
    """The broker's settings alone, for tools that need nothing else."""
    settings = KafkaSettings(
        bootstrap_servers=reader.text("BALANCE_KAFKA_BOOTSTRAP_SERVERS"),
        topic_prefix=reader.text("BALANCE_KAFKA_TOPIC_PREFIX", ""),
        security_protocol=reader.choice("BALANCE_KAFKA_SECURITY_PROTOCOL", SECURITY_PROTOCOLS, "PLAINTEXT"),
        sasl_mechanism=reader.choice("BALANCE_KAFKA_SASL_MECHANISM", SASL_MECHANISMS, "PLAIN"),
        sasl_username=reader.optional("BALANCE_KAFKA_SASL_USERNAME"),
        sasl_password=reader.secret("BALANCE_KAFKA_SASL_PASSWORD"),
        ssl_cafile=reader.path("BALANCE_KAFKA_SSL_CAFILE"),
        ssl_certfile=reader.path("BALANCE_KAFKA_SSL_CERTFILE"),
        ssl_keyfile=reader.path("BALANCE_KAFKA_SSL_KEYFILE"),
        session_timeout_s=reader.number("BALANCE_KAFKA_SESSION_TIMEOUT_S", 20.0, at_least=6, at_most=300),
        max_record_bytes=reader.integer("BALANCE_KAFKA_MAX_RECORD_BYTES", MEBIBYTE, at_least=1),
    )
    if settings.security_protocol.startswith("SASL") and not (
        settings.sasl_username and settings.sasl_password
    ):
        reader.problems.append(
            f"BALANCE_KAFKA_SECURITY_PROTOCOL={settings.security_protocol} needs "
            "BALANCE_KAFKA_SASL_USERNAME and BALANCE_KAFKA_SASL_PASSWORD"
        )
    if (settings.ssl_certfile is None) != (settings.ssl_keyfile is None):
        reader.problems.append(
            "BALANCE_KAFKA_SSL_CERTFILE and BALANCE_KAFKA_SSL_KEYFILE go together: set both or none"
        )
    return settings


def _calendar(reader: Reader) -> Calendar:
    hour = reader.integer("BALANCE_CALENDAR_DAY_START_HOUR", 0, at_most=23)
    zone = reader.text("BALANCE_CALENDAR_ZONE", "Europe/Chisinau")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        reader.problems.append(
            f"BALANCE_CALENDAR_ZONE: expected a name such as Europe/Chisinau, found {zone!r}"
        )
    return Calendar(zone, hour)

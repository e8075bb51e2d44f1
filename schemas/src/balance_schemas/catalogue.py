"""The catalogue of topics: who owns, writes and reads each, with what records, and how long it is kept.

It is read from `topics/<topic>.yaml`. Names are without the installation's prefix, which the chassis puts
before them. No other place types the name of a topic.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from balance_schemas import avsc

PACKETS = "balance.concentrators.packets.v1"
PACKETS_BACKLOG = "balance.concentrators.packets.backlog.v1"
REFUSED_PACKETS = "balance.concentrators.refused.v1"
READINGS = "balance.readings.v1"
READINGS_BACKLOG = "balance.readings.backlog.v1"
FINDINGS = "balance.findings.v1"
IMBALANCE = "balance.imbalance.v1"
ASSETS = "balance.assets.v1"
MODULE_EVENTS = "balance.module-events.v1"
READING_EDITS = "balance.reading-edits.v1"
WEATHER = "balance.weather.v1"
INADEQUACY = "balance.inadequacy.v1"
FORECASTS = "balance.forecasts.v1"

MAX_RETENTION_DAYS = 35
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
DEAD_LETTER_HEADERS_BYTES = 64 * 1024
"""Room for the headers that say where a dead letter came from and why."""

_TOPIC_NAME = re.compile(r"balance(\.[a-z][a-z0-9]*(-[a-z0-9]+)*)+\.v[1-9][0-9]*")
_PART = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Consumer:
    """A consumer group (without the installation's prefix) and the service it belongs to."""

    service: str
    group: str


@dataclass(frozen=True)
class Topic:
    """One topic. `key` says in words what the message key is; `retention_days` is None when compacted."""

    name: str
    summary: str
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[Consumer, ...]
    key: str
    records: tuple[str, ...]
    partitions: int
    retention_days: int | None
    compacted: bool
    max_message_bytes: int
    dead_letters: bool = True


@dataclass(frozen=True)
class Catalogue:
    """All topics of the house, by name."""

    topics: Mapping[str, Topic]

    def groups(self) -> Mapping[str, Topic]:
        """The topic each consumer group reads, by group."""
        return {c.group: topic for topic in self.topics.values() for c in topic.consumers}

    def dead_letter_topics(self) -> Sequence[Topic]:
        """The dead-letter topic and the retry topic of every group, ready to be created beside `topics`."""
        return [t for topic in self.topics.values() if topic.dead_letters for t in _dead_letters_of(topic)]


class CatalogueError(ValueError):
    """The YAML of the catalogue is wrong. `errors` lists everything found, a sentence each."""

    def __init__(self, errors: Sequence[str]) -> None:
        """Keep all errors and show all of them."""
        super().__init__("the catalogue of topics is wrong:\n" + "\n".join(f"- {e}" for e in errors))
        self.errors = tuple(errors)


@cache
def load() -> Catalogue:
    """The catalogue of this package. Raises CatalogueError with every error found."""
    return read(files("balance_schemas") / "topics", avsc.names())


def groups() -> Mapping[str, Topic]:
    """The topic each consumer group reads, by group."""
    return load().groups()


def dead_letters(group: str) -> str:
    """Topic of what a group could not process."""
    return f"balance.dead-letters.{group}.v1"


def dead_letters_retry(group: str) -> str:
    """Topic by which dead letters return to that group alone."""
    return f"balance.dead-letters.{group}.retry.v1"


def read(folder: Traversable, records: Sequence[str]) -> Catalogue:
    """Read and check every YAML of a folder. Raises CatalogueError with every error found in any of them."""
    errors: list[str] = []
    topics: dict[str, Topic] = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        name = file.name.removesuffix(".yaml")
        try:
            document = yaml.safe_load(file.read_text("utf-8"))
        except yaml.YAMLError as error:
            errors.append(f"{file.name}: expected YAML, found {error}")
            continue
        found = list(_errors(name, document, frozenset(records)))
        errors.extend(f"{file.name}: {error}" for error in found)
        if not found:
            topics[name] = _topic(name, document)
    errors.extend(_errors_between(topics.values()))
    if errors:
        raise CatalogueError(errors)
    return Catalogue(topics)


def _dead_letters_of(topic: Topic) -> Iterator[Topic]:
    for consumer in topic.consumers:
        group = consumer.group
        for name, summary in (
            (dead_letters(group), f"What {group} could not process."),
            (dead_letters_retry(group), f"Dead letters on their way back to {group}."),
        ):
            yield Topic(
                name=name,
                summary=summary,
                owner=consumer.service,
                producers=(consumer.service,),
                consumers=(),
                key=topic.key,
                records=topic.records,
                partitions=1,
                retention_days=MAX_RETENTION_DAYS,
                compacted=False,
                max_message_bytes=topic.max_message_bytes + DEAD_LETTER_HEADERS_BYTES,
                dead_letters=False,
            )


def _topic(name: str, document: Mapping[str, Any]) -> Topic:
    return Topic(
        name=name,
        summary=document["summary"],
        owner=document["owner"],
        producers=tuple(document["producers"]),
        consumers=tuple(Consumer(c["service"], c["group"]) for c in document["consumers"]),
        key=document["key"],
        records=tuple(document["records"]),
        partitions=document["partitions"],
        retention_days=document["retention_days"],
        compacted=document["compacted"],
        max_message_bytes=document["max_message_bytes"],
        dead_letters=document.get("dead_letters", True),
    )


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _part(value: object) -> bool:
    return isinstance(value, str) and _PART.fullmatch(value) is not None


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _consumer(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"service", "group"} and all(map(_part, value.values()))


def _list_of(check: Any, least: int = 0) -> Any:
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(check, value))


_FIELDS: Mapping[str, tuple[Any, str]] = {
    "summary": (_text, "a sentence"),
    "owner": (_part, "the name of the one service that writes it"),
    "producers": (_list_of(_part, 1), "a list of at least one service"),
    "consumers": (_list_of(_consumer), "a list of {service, group}, empty when nobody of ours reads it"),
    "key": (_text, "words for what the message key is"),
    "records": (_list_of(_text, 1), "a list of at least one record's full name"),
    "partitions": (_count, "a whole number above 0"),
    "retention_days": (lambda v: v is None or _count(v), "a whole number above 0, or null when compacted"),
    "compacted": (lambda v: isinstance(v, bool), "true or false"),
    "max_message_bytes": (_count, "a whole number above 0"),
    "dead_letters": (lambda v: isinstance(v, bool), "true or false, or nothing (true)"),
}
_OPTIONAL = frozenset({"dead_letters"})


def _errors(name: str, document: object, records: frozenset[str]) -> Iterator[str]:
    if not _TOPIC_NAME.fullmatch(name):
        yield "expected a file name balance.<subject>.v<major>.yaml, lower case, hyphens inside a part"
    if not isinstance(document, dict):
        yield f"expected the fields of a topic, found {type(document).__name__}"
        return
    for field in sorted(set(document) - set(_FIELDS), key=str):
        yield f"unknown field {field!r}; expected one of {', '.join(_FIELDS)}"
    wrong = False
    for field, (check, expected) in _FIELDS.items():
        if field not in document:
            if field not in _OPTIONAL:
                wrong = True
                yield f"{field} is missing; expected {expected}"
        elif not check(document[field]):
            wrong = True
            yield f"{field}: expected {expected}, found {document[field]!r}"
    if not wrong:
        yield from _errors_across(document, records)


def _errors_across(document: Mapping[str, Any], records: frozenset[str]) -> Iterator[str]:
    if document["producers"] != [document["owner"]]:
        yield f"producers: expected the owner alone, [{document['owner']}], found {document['producers']}"
    for record in document["records"]:
        if record not in records:
            yield f"records: there is no records/{record}.avsc"
    days = document["retention_days"]
    if document["compacted"] and days is not None:
        yield f"retention_days: expected null, for the topic is compacted, found {days}"
    if not document["compacted"] and (days is None or days > MAX_RETENTION_DAYS):
        yield f"retention_days: expected 1 to {MAX_RETENTION_DAYS}, found {days}"
    if document["max_message_bytes"] > MAX_MESSAGE_BYTES:
        found = document["max_message_bytes"]
        yield f"max_message_bytes: expected at most {MAX_MESSAGE_BYTES}, found {found}"


def _errors_between(topics: Any) -> Iterator[str]:
    seen: dict[str, str] = {}
    for topic in topics:
        for consumer in topic.consumers:
            if consumer.group in seen:
                other = seen[consumer.group]
                yield f"{topic.name}: expected one topic a group, but {consumer.group} reads {other} too"
            seen[consumer.group] = topic.name

"""The asset register in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from balance_chassis.outbox import Outbox
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_gateway.adapters.queries import SCHEMA, statement
from balance_gateway.adapters.wire import TOPICS
from balance_gateway.domain.changes import Author, Change, Standing
from balance_gateway.domain.checking import Fitting, Known
from balance_gateway.domain.finding import words
from balance_gateway.domain.kinds import (
    BALANCE_GROUP,
    BY_WORD,
    CONCENTRATOR,
    MODULE,
    USAGE_POINT,
    Entity,
    Value,
    links,
)
from balance_gateway.ports import Key, Logged, Work

_KEYS_A_ROW = 500
"""Entities an outbox row names: the publisher sends a few rows at once."""

_WORDED_AT_ONCE = 500


class PostgresRegister:
    """The register; `pool` is the gateway's."""

    def __init__(self, pool: ConnectionPool[Connection[Any]]) -> None:
        """Take the pool."""
        self._pool = pool

    @contextmanager
    def work(self) -> Iterator[Work]:
        """A transaction, alone on the register."""
        with self._pool.connection() as conn:
            conn.execute(statement("lock_register"))
            yield PostgresWork(conn)

    def counts(self) -> Mapping[str, int]:
        """How many entities stand, by the word of their kind."""
        with self._pool.connection() as conn:
            return dict(conn.execute(statement("counts")).fetchall())

    def give_words(self) -> int:
        """Let some entities be found that were written before there was a search; how many."""
        with self._pool.connection() as conn:
            rows = conn.execute(statement("entities_without_words"), {"most": _WORDED_AT_ONCE}).fetchall()
            given: dict[str, list[Any]] = {"kinds": [], "names": [], "versions": [], "words": []}
            for kind, name, version, value in rows:
                found = json.dumps(words(Entity(BY_WORD[kind], name, value)), ensure_ascii=False)
                for column, each in zip(given.values(), (kind, name, version, found), strict=True):
                    column.append(each)
            if rows:
                conn.execute(statement("give_words"), given)
        return len(rows)

    def unpublished(self) -> int:
        """Rows of the outbox that are not sent yet."""
        with self._pool.connection() as conn:
            row = conn.execute(statement("unpublished")).fetchone()
        return row[0] if row else 0


class PostgresWork:
    """What is done in one transaction."""

    def __init__(self, conn: Connection[Any]) -> None:
        """Take the transaction's connection."""
        self._conn = conn
        self._outbox = Outbox(SCHEMA)

    def standing(self, keys: Collection[Key]) -> Mapping[Key, Standing]:
        """Those of these entities that stand."""
        rows = self._conn.execute(statement("standing"), _columns(keys))
        return {(kind, name): Standing(version, value) for kind, name, version, value in rows}

    def known(self, entities: Sequence[Entity]) -> Known:
        """What stands of what these entities name or meet."""
        named: dict[str, set[str]] = {USAGE_POINT.word: set(), BALANCE_GROUP.word: set()}
        gatherers: set[str] = set()
        modules: set[str] = set()
        for entity in entities:
            for word, name in links(entity):
                if word == CONCENTRATOR.word:
                    gatherers.add(name)
                elif word == MODULE.word:
                    modules.add(name)
                else:
                    named[word].add(name)
        return Known(
            resources=self._resources(USAGE_POINT.word, named[USAGE_POINT.word]),
            groups=self._resources(BALANCE_GROUP.word, named[BALANCE_GROUP.word]),
            concentrators=self._existing(CONCENTRATOR.word, gatherers),
            channels=_channels(self._naming(USAGE_POINT.word, MODULE.word, modules)),
            settings={
                name: value["settings"]
                for name, value in self._naming(MODULE.word, CONCENTRATOR.word, gatherers)
            },
        )

    def logged(self, number: int) -> Logged | None:
        """A change by its number in the log."""
        row = self._conn.execute(statement("logged"), {"number": number}).fetchone()
        return Logged(*row) if row else None

    def write(self, changes: Sequence[Change], author: Author) -> Sequence[int]:
        """Let the changes stand, log them, and name them to the publisher; their numbers in the log."""
        if not changes:
            return ()
        keys = [change.entity.key for change in changes]
        given = {
            **_columns(keys),
            "versions": [change.version for change in changes],
            "values": [_json(change.entity.value) for change in changes],
            "words": [json.dumps(words(change.entity), ensure_ascii=False) for change in changes],
            "befores": [_json(change.before.value) if change.before else None for change in changes],
            "restored": [change.restored for change in changes],
            "author": author.name,
            "way": author.way,
            "reason": author.reason,
        }
        self._conn.execute(statement("write_entities"), given)
        self._conn.execute(statement("forget_links"), given)
        named = [(*change.entity.key, *link) for change in changes for link in sorted(links(change.entity))]
        columns = zip(*named, strict=True) if named else ((), (), (), ())
        self._conn.execute(
            statement("write_links"),
            dict(zip(("kinds", "names", "to_kinds", "to_names"), map(list, columns), strict=True)),
        )
        numbers = [number for (number,) in self._conn.execute(statement("log_changes"), given)]
        self._name_to_publisher(keys)
        return numbers

    def _name_to_publisher(self, keys: Sequence[Key]) -> None:
        by_topic: dict[str, list[Key]] = {}
        for key in keys:
            by_topic.setdefault(TOPICS[key[0]], []).append(key)
        for topic, each in by_topic.items():
            for first in range(0, len(each), _KEYS_A_ROW):
                self._outbox.add(self._conn, topic, each[first : first + _KEYS_A_ROW])

    def _resources(self, word: str, names: Collection[str]) -> Mapping[str, str]:
        return dict(self._rows("resources", kind=word, names=names))

    def _existing(self, word: str, names: Collection[str]) -> set[str]:
        return {name for (name,) in self._rows("existing", kind=word, names=names)}

    def _naming(self, word: str, to_word: str, names: Collection[str]) -> Sequence[tuple[str, Value]]:
        return self._rows("naming", kind=word, to_kind=to_word, names=names)

    def _rows(self, query: str, *, names: Collection[str], **values: str) -> Sequence[Any]:
        if not names:
            return ()
        return self._conn.execute(statement(query), {**values, "names": sorted(names)}).fetchall()


def _channels(points: Sequence[tuple[str, Value]]) -> Mapping[tuple[str, int], Sequence[Fitting]]:
    found: dict[tuple[str, int], list[Fitting]] = {}
    for name, value in points:
        for channel in value["channels"]:
            removed = channel["removed_at"]
            until = float("inf") if removed is None else removed
            at = (channel["module_id"], channel["channel"])
            found.setdefault(at, []).append((channel["fitted_at"], until, name))
    return found


def _columns(keys: Collection[Key]) -> dict[str, list[Any]]:
    ordered = list(keys)
    return {"kinds": [word for word, _ in ordered], "names": [name for _, name in ordered]}


def _json(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)

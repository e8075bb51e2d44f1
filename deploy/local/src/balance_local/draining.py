"""Waits until an installation has nothing left to do: nothing to read, nothing marked, nothing to publish."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from balance_schemas import catalogue

from balance_local import lag, supervisor
from balance_local.installation import Installation
from balance_local.supervisor import SERVICES

POLL_S = 0.3
QUIET_S = 2.0
"""So long nothing must be found: what falls due a moment later, as silence does, is seen too."""
_LOOKS = re.compile(r"^balance_ingest_delivery_looks_total (\S+)", re.MULTILINE)
_LOOKS_PATIENCE = 5
"""A look at a large field takes a while, and the worker rests after it."""
_TABLES = {
    "gateway": {"outbox": "to publish"},
    "ingest": {"markers": "to compute", "reading_changes": "to judge", "outbox": "to publish"},
    "imbalance": {"markers": "to compute", "outbox": "to publish"},
}


class StuckError(RuntimeError):
    """Work is left and nothing moves. The message says where, and where to look."""


@dataclass(frozen=True)
class Left:
    """What is left to do, by place: `ingest-packets to read`, `imbalance to compute`, …"""

    places: dict[str, int]
    dead_letters: int

    @property
    def total(self) -> int:
        """Everything together."""
        return sum(self.places.values())

    @property
    def summary(self) -> str:
        """What is left in few words: `48 to read, 50 to compute, 3 to publish`."""
        kinds: dict[str, int] = {}
        for place, count in self.places.items():
            kind = " ".join(place.split()[-2:])
            kinds[kind] = kinds.get(kind, 0) + count
        return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count) or "nothing left"

    def __str__(self) -> str:
        """The places where something is left."""
        return ", ".join(f"{place} {count:,}" for place, count in self.places.items() if count) or "nothing"


def wait(of: Installation, patience_s: float = 60.0, told: Callable[[Left], None] = lambda _: None) -> Left:
    """Return when nothing was left for a while.

    Nothing is left when all is read, computed and published, and delivery was judged since. Raises StuckError
    when what is left did not change for `patience_s`, or delivery is not judged.
    """
    before, moved = left(of), time.monotonic()
    quiet_since, delivery, judged = moved, _Delivery(of), False
    while before.total or time.monotonic() - quiet_since < QUIET_S or not judged:
        time.sleep(POLL_S)
        judged = delivery.is_judged()
        now = left(of)
        told(now)
        if now != before:
            moved = time.monotonic()
        if now.total:
            quiet_since = time.monotonic()
            delivery = _Delivery(of)
            if quiet_since - moved > patience_s:
                raise StuckError(
                    f"nothing moved for {patience_s:.0f} s, and left is: {now}. Look at "
                    f"`balance --installation {of.name} status` and at the logs in {of.folder / 'logs'}"
                )
        elif time.monotonic() - quiet_since > _LOOKS_PATIENCE * patience_s:
            raise StuckError(
                f"delivery was not judged for {_LOOKS_PATIENCE * patience_s:.0f} s. "
                f"Look at the log of the ingest worker in {of.folder / 'logs'}"
            )
        before = now
    return before


def wait_for_register(of: Installation, patience_s: float = 60.0) -> None:
    """Return when the services have read all that was described.

    Raises StuckError when nothing of it was read for `patience_s`.
    """
    before, moved = -1, time.monotonic()
    while unread := sum(
        one.records for one in lag.of_groups(of.settings().kafka) if one.topic == catalogue.ASSETS
    ):
        if unread != before:
            before, moved = unread, time.monotonic()
        if time.monotonic() - moved > patience_s:
            raise StuckError(
                f"expected the services to read the register, found {unread:,} entities unread "
                f"and nothing read for {patience_s:.0f} s. Look at the logs in {of.folder / 'logs'}"
            )
        time.sleep(POLL_S)


def wait_for_delivery(of: Installation, patience_s: float = 60.0) -> None:
    """Return when delivery was judged since this was called. Raises StuckError when it was not."""
    delivery, deadline = _Delivery(of), time.monotonic() + patience_s
    while not delivery.is_judged():
        if time.monotonic() > deadline:
            raise StuckError(
                f"delivery was not judged for {patience_s:.0f} s. "
                f"Look at the log of the ingest worker in {of.folder / 'logs'}"
            )
        time.sleep(POLL_S)


class _Delivery:
    """Whether the ingest worker judged delivery since: of two looks that ended since, one began since."""

    def __init__(self, of: Installation) -> None:
        workers = [one for one in supervisor.recorded(of.folder) if one.title == "ingest worker"]
        self._port = workers[0].port if workers else None
        self._looks = self._ended()

    def is_judged(self) -> bool:
        """True also when no worker runs here, for then nobody will."""
        if self._port is None:
            return True
        ended = self._ended()
        if self._looks is None or (ended is not None and ended < self._looks):
            self._looks = ended  # the process was started again
        return ended is not None and self._looks is not None and ended >= self._looks + 2

    def _ended(self) -> float | None:
        if self._port is None:
            return None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                found = _LOOKS.search(answer.read().decode())
        except OSError:
            return None
        return float(found[1]) if found else None


def left(of: Installation) -> Left:
    """What is left, read in the direction in which work flows, so that nothing slips by behind the reader."""
    groups = lag.of_groups(of.settings().kafka)
    places: dict[str, int] = {}
    with psycopg.connect(of.dsn, autocommit=True) as connection:
        for service in SERVICES:
            for group in groups:
                if group.group.startswith(f"{service}-"):
                    places[f"{group.group} to read"] = group.records
            for table, words in _TABLES[service].items():
                row = connection.execute(f"select count(*) from {service}.{table}").fetchone()
                places[f"{service} {words}"] = int(row[0]) if row else 0
    return Left(places, sum(group.dead_letters for group in groups))

"""Waits until an installation has nothing left to do: nothing to read, nothing marked, nothing to publish."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from balance_local import lag
from balance_local.installation import Installation
from balance_local.supervisor import SERVICES

POLL_S = 0.3
QUIET_S = 2.0
"""So long nothing must be found: what falls due a moment later, as silence does, is seen too."""


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

    Raises StuckError when what is left did not change for `patience_s`.
    """
    before, moved = left(of), time.monotonic()
    quiet_since = moved
    while before.total or time.monotonic() - quiet_since < QUIET_S:
        time.sleep(POLL_S)
        now = left(of)
        told(now)
        if now != before:
            moved = time.monotonic()
        if now.total:
            quiet_since = time.monotonic()
            if quiet_since - moved > patience_s:
                raise StuckError(
                    f"nothing moved for {patience_s:.0f} s, and left is: {now}. Look at "
                    f"`balance --installation {of.name} status` and at the logs in {of.folder / 'logs'}"
                )
        before = now
    return before


def left(of: Installation) -> Left:
    """What is left, read in the direction in which work flows, so that nothing slips by behind the reader."""
    groups = lag.of_groups(of.settings().kafka)
    places: dict[str, int] = {}
    with psycopg.connect(of.dsn, autocommit=True) as connection:
        for service in SERVICES:
            for group in groups:
                if group.group.startswith(f"{service}-"):
                    places[f"{group.group} to read"] = group.records
            for table, words in (("markers", "to compute"), ("outbox", "to publish")):
                row = connection.execute(f"select count(*) from {service}.{table}").fetchone()
                places[f"{service} {words}"] = int(row[0]) if row else 0
    return Left(places, sum(group.dead_letters for group in groups))

"""How far the worker is behind: markers that wait, and the last day that fell due of nightly results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.queries import statement
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST, INADEQUACY

GROUP_DAY = "group_day"
_KINDS = (GROUP_DAY, FORECAST.name, GROUP_FORECAST.name, INADEQUACY.name)
_LANES = {LIVE: "live", BACKLOG: "backlog", RECOMPUTATION: "recomputation"}


@dataclass(frozen=True)
class Waiting:
    """``markers``: (kind, lane) to how many wait (100,000 at most) and the seconds the oldest of them waits;
    ``done_to``: nightly kind to the start of the last day that fell due, seconds since 1970.
    """

    markers: Mapping[tuple[str, str], tuple[int, float]]
    done_to: Mapping[str, float]


def read_waiting(pool: ConnectionPool[Connection[Any]]) -> Waiting:
    """What waits now, of every kind and lane."""
    with pool.connection() as conn:
        found = {(kind, lane): told for kind, lane, *told in conn.execute(statement("markers_waiting"))}
        done_to = dict(conn.execute(statement("nightly_done")).fetchall())
    markers: dict[tuple[str, str], tuple[int, float]] = {}
    for kind in _KINDS:
        for lane, name in _LANES.items():
            number, age_s = found.get((kind, lane), (0, 0.0))
            markers[kind, name] = number, age_s
    return Waiting(markers, done_to)

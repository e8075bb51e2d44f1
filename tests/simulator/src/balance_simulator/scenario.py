"""A scenario: an installation, its fleet, the files that say what was consumed, and how it is delivered.

`scenario_file.load` reads one from YAML; the format is described for people in docs/how-tos/own-data.md. What
a scenario leaves open (meters, modules, concentrators) is filled in by `fleet.resolve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from balance_simulator.localtime import Days, LocalTimes

ALL = "*"
"""In a list of members or homes: every usage point of the sources that is not on the other side."""


@dataclass(frozen=True)
class MeterPlan:
    """A meter as far as the scenario describes it; None is for `fleet.resolve` to fill in."""

    number: str | None = None
    fitted_at: datetime | None = None
    class_ppm: int | None = None
    pulse_weight: int | None = None
    digits: int | None = None
    q_max: int | None = None
    initial_register: int | None = None
    final_register: int | None = None


@dataclass(frozen=True)
class UsagePointPlan:
    """A usage point as far as the scenario describes it. Meters are in the order fitted."""

    id: str
    resource: str
    meters: tuple[MeterPlan, ...] = (MeterPlan(),)
    module: str | None = None
    channel: int | None = None
    concentrator: str | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class MembershipPlan:
    """A usage point (or `*`) in a group."""

    usage_point: str
    coefficient: float = 1.0
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True)
class GroupPlan:
    """A balance group: what feeds it and who consumes."""

    id: str
    name: str
    supply: tuple[MembershipPlan, ...]
    members: tuple[MembershipPlan, ...]


@dataclass(frozen=True)
class Source:
    """One CSV.

    Wide: a column a usage point; `columns` names column → usage point, None is all of them. Long: a `key`
    column names the usage point (`columns` may rename and choose keys) and `value` holds the number.
    """

    path: Path
    time: str | None
    times: LocalTimes
    register: bool
    unit: str
    step_s: int | None = None
    columns: Mapping[str, str] | None = None
    key: str | None = None
    value: str | None = None
    delimiter: str = ","
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Composed:
    """A supply meter nobody has: `factor` × the sum of some usage points.

    `gaps`: `usual` fills a home's gap with its own mean of that hour of the day, `zero` with nothing.
    """

    usage_point: str
    sum_of: tuple[str, ...]
    factor: float
    gaps: str


@dataclass(frozen=True)
class Silence:
    """A concentrator without power: what it holds comes as one backlog when it is back."""

    concentrator: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class CutOut:
    """Days of a usage point that never come."""

    usage_point: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Delivery:
    """How packets travel. Shares are drawn by `seed`; the same seed gives the same packets."""

    seed: int = 1
    shuffle: bool = False
    duplicate: float = 0.0
    delay: float = 0.0
    delay_h: float = 30.0
    lose: float = 0.0
    intraday: tuple[str, ...] = ()
    intraday_h: int = 1
    silences: tuple[Silence, ...] = ()
    cut_outs: tuple[CutOut, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """Everything a replay needs."""

    name: str
    title: str
    days: Days
    resource: str
    usage_points: tuple[UsagePointPlan, ...]
    usual: MeterPlan
    groups: tuple[GroupPlan, ...]
    sources: tuple[Source, ...]
    composed: tuple[Composed, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)
    modules_per_concentrator: int = 240

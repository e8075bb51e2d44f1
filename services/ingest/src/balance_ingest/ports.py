"""What the handlers and the steps of the worker need of the world.

All methods of one `Work` are one transaction, in READ COMMITTED. Errors of the database come through as they
are; the chassis knows which of them pass. Instants and days are seconds since 1970, channels and usage
points their numbers in the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from balance_kernel.quantity import Resource

from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.cutting import ChannelKey
from balance_ingest.domain.days import Ints
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.evidence import Block, Points
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.heard import Heard
from balance_ingest.domain.history import Meter, UsagePoint
from balance_ingest.domain.packets import ModuleEvent
from balance_ingest.domain.plain import PlainDays, Windows
from balance_ingest.domain.plans import DescribedConcentrator, DescribedModule
from balance_ingest.domain.screening import Noted, Refusal
from balance_ingest.domain.sheet import ReadingDay
from balance_ingest.domain.telemetry import News, Telemetry

Pair = tuple[int, int]
"""(channel or usage point, day)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A finding as it stands open: its id, rule and span."""

    finding_id: str
    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clock:
    """How far time has come: `now`, and `due_before`, by whose leave whole days count as missing (§3.8)."""

    now: int
    due_before: int


class Work(Protocol):
    """One transaction that computes readings.

    It holds ASSETS shared, so that no history changes meanwhile, and the rows of its channels and of all
    channels of the same usage points, so that nobody else writes their evidence or computes from it.
    Whatever is read is read after that.
    """

    def clock(self) -> Clock:
        """The clock, this transaction's own packets included."""
        ...

    def hear(self, received: int) -> None:
        """Put the clock forward to a receipt; never back."""
        ...

    def keep_heard(self, heard: Heard) -> None:
        """Keep when modules and concentrators were last heard."""
        ...

    def usage_points(self, channels: Iterable[int]) -> Mapping[int, Sequence[UsagePoint]]:
        """Every usage point that ever had one of the channels fitted, by channel."""
        ...

    def windows(self, channels: Ints) -> Windows:
        """What is known of each channel for days that need no thought."""
        ...

    def keep_telemetry(self, told: Telemetry) -> News:
        """Join events, states and sessions with what is there, and name to the publisher what is new."""
        ...

    def events_of_faults(self, modules: Iterable[str]) -> Mapping[str, Mapping[str, ModuleEvent]]:
        """All events of some modules that may begin or end a fault, by module and id."""
        ...

    def channels_of(self, module: str) -> Mapping[int, int]:
        """All channels of a module, by number."""
        ...

    def bounds(self, channel: int) -> Pair | None:
        """Evidence of a channel that this holds lies in [first, until), if there is any."""
        ...

    def doubts(self, channels: Sequence[int], start: int, end: int) -> Circumstances:
        """Faults of the channels and clocks of the days in [start, end), alone: free where there are none."""
        ...

    def circumstances(self, channels: Sequence[int], start: int, end: int) -> Circumstances:
        """What bears upon readings of these channels beside their evidence and history."""
        ...

    def evidence_of(self, channels: Ints, days: Ints) -> tuple[Sequence[Block], Points]:
        """Evidence of some (channel, day) pairs, by position."""
        ...

    def evidence(self, channels: Sequence[int], days: Sequence[int]) -> tuple[Sequence[Block], Points]:
        """Evidence of all the channels on all the days."""
        ...

    def edges(self, channels: Ints, days: Ints) -> tuple[Ints, Ints]:
        """By (channel, day) pair: END of the day before and START of the day after; −1 for none or in
        conflict.
        """
        ...

    def point_days(self, channel: int, before: int, after: int) -> Sequence[int]:
        """The two newest days with POINT registers before an instant, and the two oldest from another on."""
        ...

    def channels_with_points(self, channels: Sequence[int], days: Sequence[int]) -> frozenset[int]:
        """Which of the channels have POINT registers on any of the days."""
        ...

    def registers_between(self, channels: Sequence[int], days: Sequence[int]) -> Mapping[int, Pair]:
        """The first and last of the days on which each channel has registers; channels that have some."""
        ...

    def estimated_days(self, points: Sequence[int], first: int, last: int) -> Mapping[int, Sequence[int]]:
        """By usage point, its days with hours of closed gaps, from the first to the last."""
        ...

    def keep_estimated(self, point: int, days: Sequence[int], estimated: Collection[int]) -> None:
        """Of successive days, those with hours of closed gaps."""
        ...

    def heard(self, channels: Sequence[int], days: Sequence[int]) -> frozenset[Pair]:
        """Which of (channel, day) have evidence."""
        ...

    def keep_blocks(self, blocks: Iterable[Block]) -> None:
        """Write rows of interval evidence, in place of what is there."""
        ...

    def keep_points(self, points: Points, days: Ints) -> None:
        """Write all POINT registers of some days, in place of what is there; `days` has the day of each."""
        ...

    def reading_days(self, points: Sequence[int], days: Sequence[int]) -> frozenset[Pair]:
        """Which of (usage point, day) have a reading day that is not withdrawn."""
        ...

    def keep_plain(self, plain: PlainDays) -> None:
        """Write reading days that are VALID throughout."""
        ...

    def keep_readings(
        self, point: UsagePoint, readings: Sequence[ReadingDay], withdrawn: Mapping[int, int]
    ) -> None:
        """Write reading days; `withdrawn` maps days that are none any more to their number of hours."""
        ...

    def open_findings(self, points: Sequence[int], start: int, end: int) -> Mapping[int, Sequence[Stored]]:
        """Open findings by usage point whose span touches [start, end]."""
        ...

    def settle_findings(self, point: UsagePoint, found: Sequence[Finding], stored: Iterable[Stored]) -> None:
        """Open what was found and withdraw what was stored and is found no more."""
        ...

    def settle_channel_findings(self, channel: int, found: Sequence[Finding], gone: Iterable[str]) -> None:
        """The same for findings about a channel itself; `gone` are ids."""
        ...

    def parked(self, channels: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        """Channels with an open `vee.unknown_channel`, and its span."""
        ...

    def span_of_evidence(self, channel: int) -> tuple[int, int] | None:
        """From the start of the first day with evidence to the end of the last."""
        ...

    def channel_key(self, channel: int) -> ChannelKey:
        """(module id, channel number)."""
        ...

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep refused elements with their findings; of two alike, that of the greater sequence."""
        ...

    def note(self, noted: Sequence[Noted]) -> None:
        """Keep findings about elements that count; of two alike, that of the greater sequence."""
        ...

    def mark(self, pairs: Iterable[Pair]) -> None:
        """Leave (channel, day) pairs to the worker."""
        ...

    def flush(self) -> None:
        """Write what was kept and name what changed to the publisher; the last thing of a transaction."""
        ...


class Store(Protocol):
    """Where evidence, readings and findings are."""

    def sinking(
        self, channels: Sequence[ChannelKey], days: Iterable[int], told: Telemetry
    ) -> AbstractContextManager[tuple[Work, Ints]]:
        """A transaction for evidence of these channels and days and for this telemetry, and the channels'
        numbers.

        Unknown channels, and partitions for the days, are created before, in a transaction of their own.
        """
        ...

    def working(
        self, limit_days: int, alone: int | None = None
    ) -> AbstractContextManager[tuple[Work, Sequence[Pair]]]:
        """A transaction for marked (channel, day) pairs, of one channel `alone` or of those that are due;
        their markers are gone when it commits.
        """
        ...

    def due(self) -> Sequence[int]:
        """Channels with marked days that are due."""
        ...

    def set_aside(self, channel: int, reason: str) -> int:
        """Keep the marked days of a channel that cannot be computed; gives how many."""
        ...

    def take_back(self) -> None:
        """Mark again what was set aside an hour ago or more."""
        ...


@dataclass(frozen=True, slots=True)
class DescribedChannel:
    """A channel fitted in [fitted, removed)."""

    key: ChannelKey
    fitted: int
    removed: int


@dataclass(frozen=True, slots=True)
class DescribedUsagePoint:
    """A usage point as the register describes it; deleted, it has neither meters nor channels
    (docs/domain.md §3).
    """

    name: str
    version: int
    resource: Resource
    meters: tuple[Meter, ...]
    channels: tuple[DescribedChannel, ...]
    sensor_kind: str | None = None


class Register(Protocol):
    """The described usage points, each with its whole history."""

    def describe(self, points: Sequence[DescribedUsagePoint]) -> int:
        """Keep descriptions of a greater version and mark the days they touch; gives how many days were
        marked.
        """
        ...


class Plans(Protocol):
    """The described modules and concentrators, each with its whole history."""

    def describe(
        self, modules: Sequence[DescribedModule], concentrators: Sequence[DescribedConcentrator]
    ) -> int:
        """Keep descriptions of a greater version and mark the days of which the allowance is another one;
        gives how many days were marked.
        """
        ...


class Delivery(Protocol):
    """Who is silent, whose clock is wrong, whose battery ends (docs/domain.md §3.18–§3.20).

    `is_current`: the last look left nothing to judge.
    """

    is_current: bool

    def judge(self) -> int:
        """Settle all findings of delivery as things stand, if anything was committed or time passed since and
        it is not better to wait for more; gives how many changed.
        """
        ...


class Decisions(Protocol):
    """Operators' decisions about readings (docs/domain.md §3.12)."""

    def decide(self, edits: Sequence[Edit]) -> int:
        """Keep all versions, let the greatest of each count, and mark the days that this changes; gives how
        many were marked.
        """
        ...


class Silence(Protocol):
    """Days that nobody reported."""

    def sweep(self, grace_s: int, most_days: int) -> int:
        """Let about so many days become due as the clock passes; gives how many did, 0 when none is left."""
        ...


class Unusual(Protocol):
    """Reading days that changed and are yet to be judged (docs/domain.md §3.15)."""

    def judge_changes(self) -> int:
        """Judge some of them, when none came for 5 s or one waited for a minute; gives how many."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """A packet as its device counted it. It is the same packet while id and evidence are the same."""

    concentrator_id: str
    packet_id: str
    fingerprint: int
    counter: int = field(compare=False)


class Numbering(Protocol):
    """The sequences of packets that come by an edge."""

    def number(self, packets: Sequence[Counted]) -> tuple[Sequence[int], int]:
        """A sequence for each, for ever the same for the same packet; and how many counters began anew."""
        ...

"""One function per message: (messages, ports) → outcome. Also the steps of the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from balance_chassis.errors import FailureLimit, is_transient

from balance_ingest.computing import Touched, compute_days, settle_parked
from balance_ingest.domain.cutting import Harvest, harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.heard import heard_of
from balance_ingest.domain.packets import Packet
from balance_ingest.domain.plans import DescribedConcentrator, DescribedModule
from balance_ingest.domain.screening import Limits
from balance_ingest.ports import (
    Decisions,
    Delivery,
    DescribedUsagePoint,
    Plans,
    Register,
    Silence,
    Store,
    Unusual,
)
from balance_ingest.storing import join_evidence, join_telemetry

Described = TypeVar("Described", DescribedUsagePoint, DescribedModule, DescribedConcentrator)


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """What the rules take from settings: the calendar, limits of screening, when silence counts."""

    days: Days
    limits: Limits = field(default_factory=Limits)
    grace_s: int = 36 * 3600


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch came to: channel-days touched, of these plain ones, elements refused."""

    touched: int
    plain: int
    refused: int


def handle_packets(packets: Sequence[Packet], store: Store, rules: Rules) -> Outcome:
    """Join the evidence of some packets and compute the readings it touches, in one transaction."""
    found: Harvest = harvest(packets, rules.days, rules.limits)
    with store.sinking(found.channels, found.days(rules.days), found.telemetry) as (work, ids):
        work.hear(found.received)
        work.keep_heard(heard_of(packets))
        join_telemetry(work, found.telemetry, rules.days)
        blocks = [block.keyed(ids).folded() for block in found.blocks]
        touched = join_evidence(work, blocks, found.points.keyed(ids).folded(), rules.days)
        plain = compute_days(work, touched, rules.days)
        settle_parked(work, touched, rules.days)
        work.refuse(found.refusals)
        work.note(found.noted)
        work.flush()
    return Outcome(len(touched.pairs), plain, len(found.refusals))


def handle_usage_points(described: Sequence[DescribedUsagePoint], register: Register) -> int:
    """Keep the greatest version of each usage point; gives how many days were marked to be computed again."""
    return register.describe(_newest(described)) if described else 0


def handle_plans(described: Sequence[DescribedModule | DescribedConcentrator], plans: Plans) -> int:
    """Keep the greatest version of each module and concentrator; gives how many days were marked to be
    computed again.
    """
    modules = _newest([one for one in described if isinstance(one, DescribedModule)])
    concentrators = _newest([one for one in described if isinstance(one, DescribedConcentrator)])
    return plans.describe(modules, concentrators) if described else 0


def handle_reading_edits(edits: Sequence[Edit], decisions: Decisions) -> int:
    """Let decisions count, in any order; gives how many days were marked to be computed again."""
    return decisions.decide(edits) if edits else 0


def _newest(described: Sequence[Described]) -> Sequence[Described]:
    """Of each name the one of the greatest version, the first of equal ones."""
    newest: dict[str, Described] = {}
    for one in described:
        if one.name not in newest or newest[one.name].version < one.version:
            newest[one.name] = one
    return [newest[name] for name in sorted(newest)]


@dataclass(frozen=True)
class Delivering:
    """The worker's step that judges delivery."""

    delivery: Delivery
    judged: Callable[[], None] = lambda: None

    def step(self) -> int:
        """Judge what there is. Gives 0 always: whatever changed, the next look has time."""
        self.delivery.judge()
        if self.delivery.is_current:
            self.judged()
        return 0


@dataclass
class Recomputing:
    """The worker's step that computes marked days, newest first.

    An unforeseen error about the days of one channel is not to stop those of all others:
    days are taken channel by channel then, and those of a channel that fails alone are set aside. They are
    tried again whenever something marks them, and when the program starts an hour later or more. Of too many
    in a minute it is all that is wrong, and Fatal is raised.
    """

    store: Store
    rules: Rules
    days_a_transaction: int = 400
    aside: Callable[[], None] = lambda: None
    begun: bool = False
    failures: FailureLimit = field(default_factory=FailureLimit)

    def step(self) -> int:
        """Compute some marked days; gives how many, 0 when none is due. Transient errors come through."""
        if not self.begun:
            self.store.take_back()
            self.begun = True
        try:
            return self._compute()
        except Exception as error:
            if is_transient(error):
                raise
            _log.exception("days of many channels: an unforeseen error; they are computed channel by channel")
        return sum(self._alone(channel) for channel in self.store.due())

    def _alone(self, channel: int) -> int:
        try:
            return self._compute(channel)
        except Exception as error:
            if is_transient(error):
                raise
            _log.exception("days of channel %d cannot be computed and are set aside", channel)
            self.aside()
            days = self.store.set_aside(channel, f"{type(error).__name__}: {error}"[:1000])
            self.failures.admit()
            return days

    def _compute(self, alone: int | None = None) -> int:
        with self.store.working(self.days_a_transaction, alone) as (work, pairs):
            touched = Touched.by_marks(pairs)
            compute_days(work, touched, self.rules.days)
            settle_parked(work, touched, self.rules.days)
            work.flush()
        return len(pairs)


@dataclass(frozen=True)
class Sweep:
    """The worker's step that lets days fall due as the clock passes their end, grace and allowance
    (docs/domain.md §3.17).
    """

    silence: Silence
    rules: Rules
    days_a_transaction: int = 31

    def step(self) -> int:
        """Let some days fall due; gives how many."""
        return self.silence.sweep(self.rules.grace_s, self.days_a_transaction)


@dataclass(frozen=True)
class Judging:
    """The worker's step for what is unusual about readings (docs/domain.md §3.15)."""

    unusual: Unusual

    def step(self) -> int:
        """Judge some changed days; gives how many."""
        return self.unusual.judge_changes()

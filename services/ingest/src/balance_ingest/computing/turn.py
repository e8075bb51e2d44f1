"""What one transaction is to compute, and what it came to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from balance_ingest.domain.days import Days
from balance_ingest.domain.evidence import Block
from balance_ingest.domain.history import UsagePoint
from balance_ingest.ports import Pair, Work


@dataclass(frozen=True, slots=True)
class Touched:
    """Channel-days whose evidence says something else than before, or that were marked, in order.

    `fresh`: those that had no evidence before. `alone`: of these, those that one row says all about.
    `whole`: rows that may be plain. `marked`: it is the worker's turn, which leaves nothing to others.
    """

    pairs: Sequence[Pair]
    fresh: frozenset[Pair] = frozenset()
    alone: frozenset[Pair] = frozenset()
    whole: Sequence[Block] = ()
    marked: bool = False

    @classmethod
    def by_marks(cls, pairs: Iterable[Pair]) -> Touched:
        """Marked pairs, of whose evidence nothing is known yet."""
        return cls(sorted(set(pairs)), marked=True)

    @classmethod
    def by_rows(cls, rows: Sequence[Pair], fresh: frozenset[Pair], whole: Sequence[Block]) -> Touched:
        """Pairs of changed rows; one with several rows is there several times."""
        count = Counter(rows)
        alone = frozenset(pair for pair in fresh if count[pair] == 1)
        return cls(sorted(count), fresh, alone, whole)

    def channels(self) -> Sequence[int]:
        """Each channel once, in order."""
        return sorted({channel for channel, _ in self.pairs})


@dataclass
class Turn:
    """One transaction's computing, and what it came to by usage point: spans (first day, last day) that
    changed before gaps are closed, and spans that were kept.

    A sink `defers` gaps for which it would have to read months of evidence to the worker.
    """

    work: Work
    days: Days
    defers: bool
    points: dict[int, UsagePoint] = field(default_factory=dict)
    odd: Mapping[int, set[int]] = field(default_factory=dict)
    changed: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def mark(self, point: UsagePoint, days: Iterable[int]) -> None:
        """Leave days of a usage point to the worker."""
        channel = max(point.related)
        self.work.mark((channel, day) for day in days)

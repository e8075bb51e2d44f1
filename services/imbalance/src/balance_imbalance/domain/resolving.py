"""What the entries of a group's register stand for: overlaps settled, nested groups resolved (docs/domain.md
§4.0).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from balance_kernel.quantity import Role

from balance_imbalance.domain.register import MOST_COEFFICIENT_PPM, GroupProblem, Membership, ProblemSpan

DEEPEST = 8
MOST_NAMES = 20_000
"""How many names of what is nested in one group are followed; one counts again for each further span."""
_PPM = 1_000_000

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A membership as a group's register has it: of a usage point (surrogate), or of a group by id."""

    usage_point: int | None
    group: str | None
    role: Role
    coefficient_ppm: int
    valid_from: int
    valid_to: int

    @property
    def span(self) -> Span:
        """When it is valid."""
        return self.valid_from, self.valid_to


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a group's entries come to: memberships of usage points alone, and what is wrong, ascending."""

    memberships: Sequence[Membership]
    problems: Sequence[ProblemSpan]


class Resolving:
    """Resolves groups of one register; ``described`` are the entries of every described group that any of
    them reaches, by id, in the order of the register.
    """

    def __init__(self, described: Mapping[str, Sequence[Entry]]) -> None:
        self._described = described
        self._own: dict[str, _Own] = {}

    def resolve(self, group: str) -> Resolved:
        """What a described group comes to. A pure function of the entries, whatever was resolved before."""
        walk = _Walk(self._entries_of)
        memberships = [
            membership
            for entry, spans in self._entries_of(group).counting
            for span in spans
            for membership in walk.stands(entry, span, (group,))
        ]
        problems = {*self._problems(group), *walk.cut}
        return Resolved(memberships, sorted(problems))

    def _entries_of(self, group: str) -> _Own:
        if group not in self._own:
            self._own[group] = _Own.of(self._described.get(group, ()))
        return self._own[group]

    def _problems(self, group: str) -> Iterator[ProblemSpan]:
        """Of every group reached, by any entries, valid or not."""
        left = MOST_NAMES
        ways: list[tuple[str, ...]] = [(group,)]
        told: set[str] = set()
        while ways:
            way = ways.pop()
            if left < 0:
                yield from _problem(GroupProblem.NESTED_CYCLE, self._entries_of(way[-2]).nested[way[-1]])
                continue
            own = self._entries_of(way[-1])
            if way[-1] not in told:
                yield from own.overlaps
                told.add(way[-1])
            for name, spans in own.nested.items():
                left -= len(way) > 1
                if name in way or len(way) > DEEPEST:
                    yield from _problem(GroupProblem.NESTED_CYCLE, spans)
                elif name not in self._described:
                    yield from _problem(GroupProblem.UNKNOWN_GROUP, spans)
                else:
                    ways.append((*way, name))


class _Walk:
    """The ways from one group down to usage points. ``cut`` tells of entries that were not followed."""

    def __init__(self, entries_of: Callable[[str], _Own]) -> None:
        self._entries_of = entries_of
        self._left = MOST_NAMES
        self._cut_whole: set[tuple[str, Role]] = set()
        self.cut: set[ProblemSpan] = set()

    def stands(self, entry: Entry, span: Span, way: tuple[str, ...]) -> Iterator[Membership]:
        """What an entry of the last group of a way stands for in a span."""
        if entry.usage_point is not None:
            yield Membership(entry.usage_point, entry.role, entry.coefficient_ppm, *span)
        elif entry.group is not None and entry.group not in way and len(way) <= DEEPEST:
            for inner in self._nested((*way, entry.group), span):
                product = _product(entry.coefficient_ppm, inner.coefficient_ppm)
                yield replace(inner, role=entry.role, coefficient_ppm=product)

    def _nested(self, way: tuple[str, ...], span: Span) -> Sequence[Membership]:
        """The supply of the last group of a way, and its members in the gaps of it."""
        supply = list(self._of_role(Role.SUPPLY, way, [span]))
        gaps = _gaps(span, [(m.valid_from, m.valid_to) for m in supply])
        return [*supply, *(self._of_role(Role.MEMBER, way, gaps) if gaps else ())]

    def _of_role(self, role: Role, way: tuple[str, ...], windows: Sequence[Span]) -> Iterator[Membership]:
        if self._left <= 0 and (way[-1], role) in self._cut_whole:
            return
        whole = self._left <= 0
        for entry, spans in self._entries_of(way[-1]).counting:
            if entry.role is role:
                yield from self._counted(entry, spans, way, windows)
        if whole:
            self._cut_whole.add((way[-1], role))

    def _counted(
        self, entry: Entry, spans: Sequence[Span], way: tuple[str, ...], windows: Sequence[Span]
    ) -> Iterator[Membership]:
        """What an entry stands for in these windows, until no more is followed. Each span counts, for a few
        entries can stand in a great many; an entry that stands in none counts once.
        """
        self._left -= 1
        is_cut = self._left < 0
        for place, span in enumerate(() if is_cut else _meeting(spans, windows)):
            self._left -= place > 0
            is_cut = self._left < 0
            if is_cut:
                break
            yield from self.stands(entry, span, way)
        if is_cut:
            self.cut.add(ProblemSpan(GroupProblem.NESTED_CYCLE, *entry.span))


@dataclass(frozen=True, slots=True)
class _Own:
    """The entries of one group: when each counts, which overlap, and when each nested group is named."""

    counting: Sequence[tuple[Entry, Sequence[Span]]]
    overlaps: Sequence[ProblemSpan]
    nested: Mapping[str, Sequence[Span]]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> _Own:
        alike: defaultdict[object, list[int]] = defaultdict(list)
        nested: defaultdict[str, list[Span]] = defaultdict(list)
        for ordinal, entry in enumerate(entries):
            if entry.group is not None:
                nested[entry.group].append(entry.span)
            if entry.valid_from < entry.valid_to:
                alike[entry.usage_point, entry.group, entry.role].append(ordinal)
        counting: dict[int, Sequence[Span]] = {}
        overlaps: list[ProblemSpan] = []
        for ordinals in alike.values():
            if len(ordinals) == 1:
                counting[ordinals[0]] = [entries[ordinals[0]].span]
                continue
            ordered = sorted(ordinals, key=lambda ordinal: (entries[ordinal].valid_from, ordinal))
            spans = [entries[ordinal].span for ordinal in ordered]
            counting.update(zip(ordered, _counting(spans), strict=True))
            overlaps.extend(_problem(GroupProblem.OVERLAPPING_MEMBERSHIP, _overlapping(spans)))
        return cls([(entries[ordinal], counting[ordinal]) for ordinal in sorted(counting)], overlaps, nested)


def _counting(spans: Sequence[Span]) -> Sequence[Sequence[Span]]:
    """Of spans that begin in this order, what of each no later one covers."""
    found: list[Sequence[Span]] = []
    covered: list[Span] = []  # by later ones, disjoint, the earliest last
    for start, end in reversed(spans):
        at, free = start, []
        while covered and covered[-1][0] < end:
            since, until = covered.pop()
            if at < since:
                free.append((at, since))
            at = max(at, until)
        if at < end:
            free.append((at, end))
        covered.append((start, max(at, end)))
        found.append(free)
    return found[::-1]


def _overlapping(spans: Sequence[Span]) -> Iterator[Span]:
    """Of spans that begin in this order, those that share an instant with another."""
    reached = None
    for index, (start, end) in enumerate(spans):
        after = spans[index + 1] if index + 1 < len(spans) else None
        if (reached is not None and start < reached) or (after and after[0] < end):
            yield start, end
        reached = end if reached is None else max(reached, end)


def _gaps(span: Span, taken: Iterable[Span]) -> Sequence[Span]:
    """What of a span nothing takes, in order of time."""
    at, found = span[0], []
    for start, end in sorted(taken):
        if at < start:
            found.append((at, start))
        at = max(at, end)
    if at < span[1]:
        found.append((at, span[1]))
    return found


def _meeting(spans: Sequence[Span], windows: Sequence[Span]) -> Iterator[Span]:
    """Where spans meet windows; the windows are disjoint and in order of time."""
    ends = [end for _, end in windows]
    for start, end in spans:
        for since, until in windows[bisect_right(ends, start) :]:
            if since >= end:
                break
            yield max(start, since), min(end, until)


def _product(outer: int, inner: int) -> int:
    """Product of two coefficients, rounded to millionths and held within what one may be."""
    product = (2 * outer * inner + _PPM) // (2 * _PPM)
    return max(-MOST_COEFFICIENT_PPM, min(MOST_COEFFICIENT_PPM, product))


def _problem(problem: GroupProblem, spans: Iterable[Span]) -> Iterator[ProblemSpan]:
    return (ProblemSpan(problem, start, end) for start, end in spans if start < end)

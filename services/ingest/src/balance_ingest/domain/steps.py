"""Steps between register readings and what is wrong with them (docs/domain.md §3.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from balance_ingest.domain.channel_days import ChannelEvidence
from balance_ingest.domain.days import DAY_S, HOUR_S
from balance_ingest.domain.history import Fitting, Meter, UsagePoint
from balance_ingest.domain.runs import REGISTER_GAP_S, Jump, two_devices

LONGEST_S = 32 * DAY_S
EXCURSION_S = DAY_S


@dataclass(slots=True)
class Step:
    """From one register reading to the next, [start, end). Registers in pulses, consumption in base units.

    `kind` is what the rules call it: "" for an ordinary one, "unused", "declared", "wrap", "reset",
    "unexplained", "high". `exchanged`: a meter was fitted inside. `excursion_end` is where the excursion
    that a fall begins ends.
    """

    start: int
    end: int
    before: int
    after: int
    kind: str = ""
    consumption: int = 0
    meter: Meter | None = None
    quarantined: bool = False
    exchanged: bool = False
    in_excursion: bool = False
    in_run: bool = False
    excursion_end: int = 0

    @property
    def used(self) -> bool:
        """Whether hours are made of it."""
        return self.kind != "unused"

    @property
    def size(self) -> int:
        """Registers' difference in pulses."""
        return self.after - self.before

    @property
    def is_fall(self) -> bool:
        """A fall that neither an exchange nor a wrap explains."""
        return self.kind in ("reset", "unexplained")

    @property
    def is_high(self) -> bool:
        """More than the meter can pass."""
        return self.kind == "high"

    @property
    def confirmable(self) -> bool:
        """Whether a confirmation may release it: high, or ordinary by itself (docs/domain.md §3.12)."""
        return self.quarantined and self.kind in ("", "wrap", "high")

    @property
    def is_jump(self) -> bool:
        """Whether it counts for a run of two devices: a fall or high, and no declared exchange."""
        return self.is_fall or (self.is_high and not self.exchanged)

    @property
    def tells(self) -> bool:
        """Whether it raises a finding of its own: not under that of a run, nor a high one under an
        excursion's.
        """
        told_by_run = self.in_run and self.is_jump
        told_by_fall = self.in_excursion and self.is_high and not self.exchanged
        return self.kind not in ("", "unused") and not (told_by_run or told_by_fall)


@dataclass(frozen=True, slots=True)
class Steps:
    """All steps of one channel fitting in order of time, and the runs among them as (first, last)
    positions.
    """

    steps: Sequence[Step]
    runs: Sequence[tuple[int, int]]


def steps_of(point: UsagePoint, fitting: Fitting, evidence: ChannelEvidence) -> Steps:
    """Steps between the POINT registers inside a fitting that are not in conflict, judged (docs/domain.md
    §3.7).
    """
    readings = [
        (t, r.value) for t, r in evidence.points_in(fitting.fitted, fitting.removed) if r.value is not None
    ]
    steps = [
        _judged(point, Step(start, end, before, after))
        for (start, before), (end, after) in _without_jitter(readings)
    ]
    runs = _quarantine_runs(steps)
    for position, step in enumerate(steps):
        if step.is_fall:
            _quarantine_excursion(steps, position)
    return Steps(steps, runs)


def _without_jitter(
    readings: Sequence[tuple[int, int]],
) -> Sequence[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of successive readings; one that is a pulse below the one before takes its value (§3.7.1)."""
    smooth: list[tuple[int, int]] = []
    for position, (instant, value) in enumerate(readings):
        before = readings[position - 1][1] if position else value
        smooth.append((instant, before if value == before - 1 else value))
    return list(pairwise(smooth))


def _judged(point: UsagePoint, step: Step) -> Step:
    """Its kind, consumption and quarantine by itself (§3.7.2)."""
    meter = step.meter = point.meter_at(step.end)
    if meter is None or step.end - step.start > LONGEST_S:
        step.kind = "unused"
        return step
    exchanges = point.meters_fitted_in(step.start, step.end)
    if len(exchanges) > 1 or (exchanges and exchanges[0] > 0):
        step.exchanged = True
        _declare(point, step, exchanges)
    else:
        _weigh(step, meter)
    if step.kind != "declared" and step.consumption > _passable(step, meter) + meter.weight:
        step.kind = "high"
    step.quarantined = step.kind in ("declared", "reset", "unexplained", "high")
    return step


def _passable(step: Step, meter: Meter) -> int:
    """What Qmax lets through in the time, in base units; a whole number compares alike with or without its
    fraction.
    """
    return meter.q_max * (step.end - step.start) // HOUR_S


def _declare(point: UsagePoint, step: Step, exchanges: range) -> None:
    """A meter exchange inside: both meters' parts by their registers, or quarantined (§3.7.2, Declared)."""
    new, old = point.meters[exchanges[0]], point.meters[exchanges[0] - 1]
    if len(exchanges) > 1 or old.final is None or new.initial is None:
        step.kind = "declared"
        return
    parts = old.final - step.before, step.after - new.initial
    if min(parts) < 0:
        step.kind = "declared"
        return
    step.consumption = parts[0] * old.weight + parts[1] * new.weight


def _weigh(step: Step, meter: Meter) -> None:
    """Consumption of a step with one meter; a fall is a wrap, a reset or unexplained (§3.7.2, Fall)."""
    if step.size >= -1:
        step.consumption = max(step.size, 0) * meter.weight
        return
    wrapped = step.size + meter.modulus
    if wrapped >= 0 and wrapped * meter.weight <= _passable(step, meter) + meter.weight:
        step.kind, step.consumption = "wrap", wrapped * meter.weight
    else:
        step.kind = "reset" if step.after * meter.weight <= _passable(step, meter) else "unexplained"


def _quarantine_runs(steps: Sequence[Step]) -> Sequence[tuple[int, int]]:
    """Quarantine every step from the first to the last jump of each run (§3.6)."""
    positions = [position for position, step in enumerate(steps) if step.is_jump]
    jumps = [Jump(steps[position].start, steps[position].size) for position in positions]
    found = []
    for run in two_devices(jumps, REGISTER_GAP_S):
        first, last = positions[run[0]], positions[run[-1]]
        found.append((first, last))
        for step in steps[first : last + 1]:
            step.in_run = True
            step.quarantined |= step.used
    return found


def _quarantine_excursion(steps: Sequence[Step], fall: int) -> None:
    """Quarantine what follows a fall until the register is back where it fell from, within 24 h (§3.7.2)."""
    begun = steps[fall]
    begun.excursion_end = begun.end
    for last in range(fall + 1, len(steps)):
        if steps[last].end - begun.start > EXCURSION_S:
            return
        if steps[last].after >= begun.before:
            break
    else:
        return
    begun.excursion_end = steps[last].end
    for step in steps[fall + 1 : last + 1]:
        step.in_excursion = True
        step.quarantined |= step.used

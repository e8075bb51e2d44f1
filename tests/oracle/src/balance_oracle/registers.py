"""Hours of a channel that reports registers at irregular instants (domain.md §3.7, §3.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from balance_oracle.evidence import POINT, Evidence, Finding
from balance_oracle.fittings import Fitting, Meter, UsagePoint
from balance_oracle.runs import Jump, alternating
from balance_oracle.settings import DAY, HOUR, half_up

LONGEST_STEP = 32 * DAY
LONGEST_EXACT_STEP = 2 * HOUR
JUMP_GAP = DAY
EXCURSION = DAY

WRAP, RESET, UNEXPLAINED, DECLARED, HIGH = "wrap", "reset", "unexplained", "declared", "high"


@dataclass
class Step:
    """From one register reading to the next; ``amount`` in base units when ``known``, ``size`` in pulses."""

    start: int
    end: int
    before: int
    after: int
    used: bool = True
    quarantined: bool = False
    known: bool = False
    amount: int = 0
    kind: str = ""
    held_until: int = 0
    """Where the excursion ends that its fall begins."""
    findings: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.after - self.before

    @property
    def is_fall(self) -> bool:
        return self.kind in (RESET, UNEXPLAINED)

    def know(self, amount: int) -> None:
        """Its consumption, though it may yet be held back."""
        self.amount, self.known = amount, True

    def until(self, instant: int) -> int:
        """Consumption up to ``instant``, clipped to the step."""
        instant = min(max(instant, self.start), self.end)
        return half_up(self.amount * (instant - self.start), self.end - self.start)


def steps_of(point: UsagePoint, fitting: Fitting, evidence: Evidence, findings: set[Finding]) -> list[Step]:
    """The judged steps between the POINT registers inside one channel fitting, oldest first."""
    readings = sorted(
        (at, said.low)
        for (kind, at), said in evidence.registers[fitting.channel].items()
        if kind == POINT and not said.conflict and fitting.fitted <= at < fitting.removed
    )
    levels = _without_jitter([register for _, register in readings])
    steps = [
        Step(readings[k][0], readings[k + 1][0], levels[k], levels[k + 1]) for k in range(len(readings) - 1)
    ]
    for step in steps:
        _judge(step, point)
    _quarantine_excursions(steps)
    _quarantine_runs(steps, point, findings)
    for step in steps:
        findings.update(
            (rule, point.usage_point_id, step.start, max(step.end, step.held_until)) for rule in step.findings
        )
    return steps


def _without_jitter(reported: list[int]) -> list[int]:
    """§3.7.1: a reading one pulse below the one before it takes that one's value."""
    return [
        reported[k - 1] if k > 0 and reported[k] == reported[k - 1] - 1 else reported[k]
        for k in range(len(reported))
    ]


def _judge(step: Step, point: UsagePoint) -> None:
    meter = point.meter_at(step.end)
    if meter is None or step.end - step.start > LONGEST_STEP:
        step.used = False
        return
    exchanged = [k for k, m in enumerate(point.meters) if k > 0 and step.start < m.fitted <= step.end]
    if exchanged:
        _judge_declared(step, [(point.meters[k - 1], point.meters[k]) for k in exchanged], meter)
    elif step.size < -1:
        _judge_fall(step, meter)
    else:
        step.know(max(step.size, 0) * meter.weight)
        _judge_high(step, meter)


def _judge_declared(step: Step, exchanges: list[tuple[Meter, Meter]], meter: Meter) -> None:
    step.kind = DECLARED
    old, new = exchanges[0]
    if len(exchanges) == 1 and old.final is not None and new.initial is not None:
        first, second = old.final - step.before, step.after - new.initial
        if first >= 0 and second >= 0:
            step.know(first * old.weight + second * new.weight)
            _judge_high(step, meter)
            return
    _quarantine(step, "vee.negative_consumption")


def _judge_fall(step: Step, meter: Meter) -> None:
    wrapped = step.size + 10**meter.digits
    if wrapped >= 0 and _possible(wrapped * meter.weight - meter.weight, step, meter):
        step.kind = WRAP
        step.know(wrapped * meter.weight)
        step.findings.append("vee.negative_consumption")
        return
    step.kind = RESET if _possible(step.after * meter.weight, step, meter) else UNEXPLAINED
    _quarantine(step, "vee.negative_consumption")


def _judge_high(step: Step, meter: Meter) -> None:
    if not _possible(step.amount - meter.weight, step, meter):
        step.kind = step.kind or HIGH
        _quarantine(step, "vee.high")


def _possible(amount: int, step: Step, meter: Meter) -> bool:
    """Whether the meter can pass ``amount`` in the step: amount ≤ Qmax · τ / 3600."""
    return amount * HOUR <= meter.q_max * (step.end - step.start)


def _quarantine(step: Step, rule: str) -> None:
    step.quarantined = True
    step.findings.append(rule)


def _quarantine_excursions(steps: list[Step]) -> None:
    """From each quarantined fall to the first return to its level, if that is within 24 h."""
    for k, fall in enumerate(steps):
        if not fall.is_fall:
            continue
        back = next((j for j in range(k + 1, len(steps)) if steps[j].after >= fall.before), None)
        if back is not None and steps[back].end - fall.start <= EXCURSION:
            fall.held_until = steps[back].end
            for inside in steps[k + 1 : back + 1]:
                inside.quarantined = True
                if inside.kind == HIGH:
                    inside.findings = []


def _quarantine_runs(steps: list[Step], point: UsagePoint, findings: set[Finding]) -> None:
    """§3.6: from the first to the last jump of a run everything is held back under one finding."""
    jumps = [
        Jump(step.start, step.size, k) for k, step in enumerate(steps) if step.is_fall or step.kind == HIGH
    ]
    for run in alternating(jumps, JUMP_GAP):
        held = steps[run[0].step : run[-1].step + 1]
        findings.add(("vee.two_devices", point.usage_point_id, held[0].start, held[-1].end))
        for step in held:
            step.quarantined = True
        for jump in run:
            steps[jump.step].findings = []


def touching(steps: Iterable[Step], start: int, end: int) -> list[Step]:
    """The steps, used or quarantined, that overlap [start, end)."""
    return [s for s in steps if (s.used or s.quarantined) and s.start < end and start < s.end]


def hour_from_steps(steps: Iterable[Step], start: int, end: int) -> tuple[int | None, str]:
    """§3.7.3: (value, quality) of the hour [start, end)."""
    overlapping = touching(steps, start, end)
    if any(step.quarantined for step in overlapping):
        return None, "SUSPECT"
    value = _sum_of_steps(overlapping, start, end)
    if value is None:
        return None, "MISSING"
    long = any(step.end - step.start > LONGEST_EXACT_STEP for step in overlapping)
    return value, "ESTIMATED" if long else "VALID"


def released_from_steps(steps: Iterable[Step], start: int, end: int) -> int | None:
    """§3.12, CONFIRM: what the steps of the hour say when nothing is held back; None when one is a fall."""
    overlapping = touching(steps, start, end)
    return _sum_of_steps(overlapping, start, end) if all(step.known for step in overlapping) else None


def _sum_of_steps(overlapping: list[Step], start: int, end: int) -> int | None:
    if sum(min(s.end, end) - max(s.start, start) for s in overlapping) < end - start:
        return None
    return sum(step.until(end) - step.until(start) for step in overlapping)

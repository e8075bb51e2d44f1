"""Findings of the rules in words: what was expected, what was found, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from balance_kernel.quantity import Resource, Unit

from balance_ingest.domain import findings
from balance_ingest.domain.continuity import EdgeJump, falling_edge
from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.findings import Finding, Severity, instant_text, span_text
from balance_ingest.domain.gaps import Gap
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.runs import FEWEST
from balance_ingest.domain.sheet import Sheet
from balance_ingest.domain.steps import Step
from balance_ingest.domain.sums import SpanFault

_UNIT_TEXT = {
    Unit.MILLILITRE: "mL",
    Unit.WATT_HOUR: "Wh",
    Unit.MILLIDEGREE_CELSIUS: "m°C",
    Unit.THOUSANDTH: "thousandths",
    Unit.UNSPECIFIED: "units",
}
_FALLS = {
    "wrap": "the register passed its last digit and began again, which is in order",
    "reset": "the register began anew: enter the meter exchange or find who reset the module",
    "unexplained": "the register fell and nothing explains it: read the meter on site",
    "declared": "the registers of the meter exchange do not fit: correct its final and initial register",
}


def unit_text(resource: Resource) -> str:
    """Base unit of a resource, short."""
    return _UNIT_TEXT[resource.unit]


def _finding(
    point: UsagePoint,
    fitting: Fitting,
    rule: str,
    about: str,
    severity: Severity,
    span: tuple[int, int],
    expected: str,
    found: str,
    advice: str,
) -> Finding:
    start, end = span
    when = instant_text(start) if start == end else span_text(start, end)
    return Finding(
        rule=rule,
        about=f"{about} of channel {fitting.channel_id}",
        severity=severity,
        start=start,
        end=end,
        expected=expected,
        found=found,
        message=f"Usage point {point.name}, {when}: expected {expected}, found {found}; {advice}.",
        usage_point=point.name,
        module_id=fitting.module_id,
        channel=fitting.number,
    )


def hours_fault(kind: str, sheet: Sheet, fitting: Fitting, hours: slice, values: Ints) -> Finding:
    """Successive hours of a day with counts in conflict, below zero, or above Qmax (docs/domain.md §3.1,
    §3.2, §3.5).
    """
    unit = unit_text(sheet.point.resource)
    span = int(sheet.hour[hours][0]), int(sheet.hour[hours][-1]) + HOUR_S
    if kind == "conflict":
        rule, expected, found = findings.CONFLICTING_DUPLICATE, "one value an interval", "two that differ"
        advice = "see which concentrator reports it wrongly; the hours stay out of the balance until then"
    elif kind == "negative":
        rule, expected = findings.NEGATIVE_CONSUMPTION, "no count below zero"
        found = f"hours down to {int(values.min()):,} {unit}"
        advice = "a meter running backwards or a faulty module: inspect it"
    else:
        rule = findings.HIGH
        expected = f"at most {int(sheet.by_meter(hours, 'q_max').max()):,} {unit} an hour (Qmax)"
        found = f"up to {int(values.max()):,} {unit} an hour"
        advice = "check pulse weight and Qmax of the meter, or the module"
    return _finding(
        sheet.point, fitting, rule, f"{kind} counts", Severity.ERROR, span, expected, found, advice
    )


def register_conflict(module_id: str, number: int, kind: str, instant: int, low: int, high: int) -> Finding:
    """A register reported twice, differently; it counts as none (docs/domain.md §2.3). `kind`: START, END or
    POINT.
    """
    return Finding(
        rule=findings.CONFLICTING_DUPLICATE,
        about=f"{kind} register",
        severity=Severity.WARNING,
        start=instant,
        end=instant,
        expected="one register",
        found=f"{low:,} and {high:,} pulses",
        message=f"Module {module_id} channel {number}, {instant_text(instant)}: expected one register, "
        f"found {low:,} and {high:,} pulses; see which concentrator is wrong, it is not used until then.",
        module_id=module_id,
        channel=number,
    )


def edge_fault(point: UsagePoint, fitting: Fitting, jump: EdgeJump) -> Finding:
    """A register that jumps between two days (docs/domain.md §3.3)."""
    expected = f"a register of {jump.before:,} ± 1 pulses, where the day before ended"
    found = f"{jump.after:,} pulses ({jump.size:+,})"
    if jump.size > 0:
        rule, severity = findings.REGISTER_CONTINUITY, Severity.WARNING
        advice = "pulses were counted that no archive holds: read the archive again"
    else:
        kind = falling_edge(jump)
        rule, advice = findings.NEGATIVE_CONSUMPTION, f"{kind}: {_FALLS[kind]}"
        severity = Severity.INFORMATION if kind == "wrap" else Severity.WARNING
    return _finding(point, fitting, rule, "edge", severity, (jump.day, jump.day), expected, found, advice)


def sum_fault(point: UsagePoint, fitting: Fitting, fault: SpanFault) -> Finding:
    """Counts that do not add up to the registers' difference (docs/domain.md §3.4)."""
    if fault.kind == "sum":
        rule, severity = findings.SUM_CHECK, Severity.ERROR
        advice = "pulses were lost or counted twice: inspect module and cable"
    else:
        rule, advice = findings.NEGATIVE_CONSUMPTION, f"{fault.kind}: {_FALLS[fault.kind]}"
        severity = Severity.ERROR if fault.quarantines else Severity.INFORMATION
    return _finding(
        point,
        fitting,
        rule,
        "sum",
        severity,
        (fault.start, fault.end),
        f"the register to move by {fault.counted:,} ± {fault.tolerance} pulses, the sum of the intervals",
        f"{fault.moved:+,} pulses",
        advice,
    )


def step_fault(point: UsagePoint, fitting: Fitting, step: Step) -> Finding:
    """A step of the register that is no consumption, or a wrap (docs/domain.md §3.7)."""
    unit = unit_text(point.resource)
    found = f"{step.before:,} then {step.after:,} pulses ({step.size:+,})"
    severity = Severity.ERROR
    if step.is_high and step.meter:
        rule = findings.HIGH
        most = step.meter.q_max * (step.end - step.start) // HOUR_S
        expected = f"at most {most:,} {unit} in {step.end - step.start:,} s (Qmax)"
        found += f", {step.consumption:,} {unit}"
        advice = "check pulse weight and Qmax of the meter, or the module"
    else:
        rule, advice = findings.NEGATIVE_CONSUMPTION, f"{step.kind}: {_FALLS[step.kind]}"
        expected = "a register that does not fall"
        severity = Severity.INFORMATION if step.kind == "wrap" else Severity.ERROR
    span = step.start, max(step.end, step.excursion_end)
    return _finding(point, fitting, rule, "step", severity, span, expected, found, advice)


def gap_fault(point: UsagePoint, fitting: Fitting, gap: Gap, span: tuple[int, int]) -> Finding:
    """A gap whose total is no consumption, or a wrap (docs/domain.md §3.11)."""
    unit = unit_text(point.resource)
    before, after = gap.before.after, gap.after.before
    found = f"{before:,} then {after:,} pulses"
    severity = Severity.WARNING
    if gap.kind == "high":
        rule = findings.HIGH
        expected = f"at most {gap.passable:,} {unit} in the {len(gap.missing)} hours missing (Qmax)"
        found += f", {gap.total:,} {unit} that no hour has"
        advice = "check pulse weight and Qmax of the meter, or the module; the hours stay missing"
    else:
        rule, advice = findings.NEGATIVE_CONSUMPTION, f"{gap.kind}: {_FALLS[gap.kind]}"
        expected = "registers about the missing hours that are no less apart than the hours between them"
        found += f", {gap.total:,} {unit} for the hours missing"
        severity = Severity.INFORMATION if gap.kind == "wrap" else severity
    return _finding(point, fitting, rule, "gap", severity, span, expected, found, advice)


def two_devices(
    point: UsagePoint, fitting: Fitting, about: str, start: int, end: int, sizes: Sequence[int]
) -> Finding:
    """A channel fed by two registers that alternate (docs/domain.md §3.6)."""
    return _finding(
        point,
        fitting,
        findings.TWO_DEVICES,
        about,
        Severity.ERROR,
        (start, end),
        f"one register, fewer than {FEWEST} jumps there and back",
        f"{len(sizes)} jumps of about {abs(sizes[0]):,} pulses, up and down in turn",
        f"two devices seem to send under module {fitting.module_id} channel {fitting.number}: find the other",
    )

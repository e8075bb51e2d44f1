"""Findings against labels: which faults were found, which findings have a reason, which are false.

A finding has a reason when it is about the same usage point, module or concentrator as a label (a module's
label covers its channels and usage points, a concentrator's those of its modules), their spans are at most
a day apart, and

- *label*: it is of the rule that should find the fault;
- *consequence*: it is of a rule that honestly follows from it (`CONSEQUENCES`), e.g. lost hours from silence;
- *trap*: nothing is wrong, but what happened looks like it (`TRAPS`): a home where nobody was is at zero. An
  absence is part of what is usual for 28 days more.

Any other finding is *false*.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from balance_bench.vee_holes import Label
from balance_bench.vee_play import Outcome, Seen, milliseconds

DAY_MS = 86_400_000
SILENCE = frozenset({"delivery.silent_concentrator", "delivery.silent_module", "vee.missing"})
REGISTERS = frozenset(
    {"vee.negative_consumption", "vee.register_continuity", "vee.sum_check", "vee.missing", "vee.high"}
)
CONSEQUENCES: Mapping[str, frozenset[str]] = {
    "radio_outage": frozenset({"delivery.silent_module"}),
    "archive_lost": SILENCE,
    "battery_dead": SILENCE,
    "gsm_outage": SILENCE,
    "unpaid_sim": SILENCE,
    "solar_dark": SILENCE,
    "two_devices": REGISTERS,
    "exchange_undeclared": REGISTERS,
    "register_reset": REGISTERS,
    "rollover": REGISTERS,
    "hours_from_one": REGISTERS,
    "clock_set_back": REGISTERS,
    "clock_drift": frozenset({"vee.missing"}),
    "conflicting_duplicate": frozenset({"vee.sum_check"}),
    "spike": frozenset({"vee.above_usual", "vee.spike"}),
    "surge": frozenset({"vee.above_usual", "vee.spike"}),
    "stuck": frozenset({"vee.above_usual"}),
}
TRAPS: Mapping[str, frozenset[str]] = {"vacant": frozenset({"vee.zero", "vee.above_usual"})}
"""After an absence the home is heated up again, and what is usual was learnt while nobody was there."""
LEARNING_MS = 28 * DAY_MS
"""So long an absence is part of what is usual."""
TIMELESS = frozenset({"delivery.battery", "vee.future_time"})
"""About when the battery was fitted, or about days to come: their span says nothing of when it happened."""
UNTIL_TOLD_MS = {"WEEKLY": 8 * DAY_MS}
"""A week without its register is lost from the register before."""
LABEL, CONSEQUENCE, TRAP, FALSE = "label", "consequence", "trap", "false"


@dataclass
class Judged:
    """Counts by rule, and false and missed ones by why."""

    labels: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    false_kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed_kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    without_rule: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, other: Judged) -> None:
        """Take in another field's counts."""
        for mine, theirs in (
            (self.labels, other.labels),
            (self.found, other.found),
            (self.without_rule, other.without_rule),
        ):
            mine.update(theirs)
        self.false_kinds.update(other.false_kinds)
        self.missed_kinds.update(other.missed_kinds)
        for rule, counts in other.findings.items():
            self.findings[rule].update(counts)
        self.examples = {**other.examples, **self.examples}


def judge(played: Outcome) -> Judged:
    """Every finding and every label of a field."""
    result = Judged()
    about = _About(played)
    # Of one that was seen while something was silent and stands in the end, the words may differ.
    every = list({one[:6]: one for one in [*played.passed, *played.findings]}.values())
    for finding in every:
        why = about.reason(finding)
        result.findings[finding.rule][why] += 1
        if why == FALSE:
            key = finding.rule, about.circumstances(finding)
            result.false_kinds[key] += 1
            result.examples.setdefault(key, f"seed {played.plan.seed}: {finding}")
    for label in played.labels:
        if label["rule"] is None:
            result.without_rule[label["kind"]] += 1
            continue
        result.labels[label["rule"]] += 1
        seen = every if label["passing"] else played.findings
        if any(one.rule == label["rule"] and about.is_about(one, label) for one in seen):
            result.found[label["rule"]] += 1
        else:
            key = label["rule"], label["kind"]
            result.missed_kinds[key] += 1
            result.examples.setdefault(key, f"seed {played.plan.seed}: {label}")
    return result


class _About:
    """Which labels a finding can be about."""

    def __init__(self, played: Outcome) -> None:
        """Look up labels by everything they name."""
        self._played = played
        self._by_name: dict[str, list[Label]] = defaultdict(list)
        for label in played.labels:
            self._by_name[_scope(label)].append(label)

    def reason(self, finding: Seen) -> str:
        """Label, consequence, trap or false."""
        labels = [label for label in self._near(finding) if self.is_about(finding, label)]
        if any(label["rule"] == finding.rule for label in labels):
            return LABEL
        if any(finding.rule in CONSEQUENCES.get(label["kind"], ()) for label in labels):
            return CONSEQUENCE
        return TRAP if any(finding.rule in TRAPS.get(label["kind"], ()) for label in labels) else FALSE

    def is_about(self, finding: Seen, label: Label) -> bool:
        """The same thing, at most a day apart."""
        if _scope(label) not in self._names(finding):
            return False
        learnt = finding.rule == "vee.above_usual" and label["kind"] in TRAPS
        since = UNTIL_TOLD_MS.get(self._played.modes.get(self._module(finding) or "", ""), DAY_MS)
        start = milliseconds(label["start"]) - since
        end = milliseconds(label["end"]) + (LEARNING_MS if learnt else DAY_MS)
        return finding.rule in TIMELESS or (finding.start <= end and start <= finding.end)

    def circumstances(self, finding: Seen) -> str:
        """Packet mode of its module, and labels of the same thing at any time."""
        module = self._module(finding)
        mode = self._played.modes.get(module, "") if module else ""
        kinds = sorted({label["kind"] for label in self._near(finding)})
        return " ".join(filter(None, (mode, f"near {', '.join(kinds)}" if kinds else "no fault")))

    def _near(self, finding: Seen) -> Iterator[Label]:
        for name in self._names(finding):
            yield from self._by_name.get(name, ())

    def _module(self, finding: Seen) -> str | None:
        return finding.module or self._played.modules_of.get(finding.usage_point or "")

    def _names(self, finding: Seen) -> Sequence[str]:
        module = self._module(finding)
        gatherers = self._played.concentrators_of.get(module, ()) if module else ()
        names = (finding.usage_point, module, finding.concentrator, *gatherers)
        return [name for name in names if name]


def _scope(label: Label) -> str:
    """The narrowest thing that a label names; nobody at home is nobody at any meter of the home."""
    name: str = label["usage_point"] or label["module"] or label["concentrator"] or label["group"]
    return label["module"] if label["kind"] == "vacant" else name

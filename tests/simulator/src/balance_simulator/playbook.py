"""A scenario turned into what is sent: asset records and packets. Same scenario, same playbook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from balance_simulator import composing, counting, delivery, packets, reports, sources
from balance_simulator.checking import Problems
from balance_simulator.delivery import Packet, Sending
from balance_simulator.fleet import Fleet, resolve
from balance_simulator.localtime import Days
from balance_simulator.reports import Report
from balance_simulator.scenario import Delivery, Scenario
from balance_simulator.series import Increments, Series


@dataclass(frozen=True)
class Playbook:
    """The fleet, and its packets in the order they arrive. `notes` are said on the screen before playing."""

    fleet: Fleet
    packets: Sequence[Packet]
    notes: Sequence[str] = ()

    @property
    def usage_points(self) -> list[dict[str, Any]]:
        """UsagePointDescribed records, instants in integer milliseconds."""
        return self.fleet.described_usage_points()

    @property
    def groups(self) -> list[dict[str, Any]]:
        """BalanceGroupDescribed records, instants in integer milliseconds."""
        return self.fleet.described_groups()


def prepare(scenario: Scenario) -> Playbook:
    """Read the sources and play the scenario through. Raises ScenarioError with every mistake found."""
    problems = Problems()
    series = _series(scenario, problems)
    problems.stop(scenario.title)
    start = _first_day(series.values(), scenario.days)
    fleet = resolve(scenario, series, start, problems)
    problems.stop(scenario.title)
    notes = [
        composing.said(c, [n for n in series if n not in _composed(scenario)]) for c in scenario.composed
    ]
    made, fleet = report_all(series, fleet, scenario.days, scenario.delivery)
    sendings = delivery.schedule(made, scenario.delivery)
    return Playbook(fleet, deliver(sendings, scenario.delivery), notes)


def report_all(
    series: Mapping[str, Series], fleet: Fleet, days: Days, plan: Delivery
) -> tuple[list[Report], Fleet]:
    """Everything the modules report, and the fleet with the registers of its meters filled in."""
    made: list[Report] = []
    known: dict[str, list[tuple[int | None, int | None]]] = {}
    for name, one in series.items():
        point = fleet.usage_points[name]
        if isinstance(one, Increments):
            counts, known[name] = counting.count(one, point)
            made += reports.archives(counts, point, days)
            if name in plan.intraday:
                made += reports.intraday(counts, point, days, plan.intraday_h)
        else:
            made += reports.registers(one.at_s, counting.register_pulses(one, point), point, days)
    return made, fleet.with_registers(known)


def deliver(sendings: Sequence[Sending], plan: Delivery) -> list[Packet]:
    """Packets of the sendings in the order they arrive."""
    return delivery.disturb(packets.pack(sendings), plan)


def save(playbook: Playbook, folder: Path) -> None:
    """Write `packets.jsonl` (a packet a line, with its lane) and `fleet.json` to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "packets.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(packet, separators=(",", ":")) + "\n" for packet in playbook.packets)
    described = {"usage_points": playbook.usage_points, "groups": playbook.groups}
    (folder / "fleet.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")


def _series(scenario: Scenario, problems: Problems) -> dict[str, Series]:
    resources = {plan.id: plan.resource for plan in scenario.usage_points}
    result: dict[str, Series] = {}
    for source in scenario.sources:
        read = sources.read(
            source, lambda name: resources.get(name, scenario.resource), scenario.days.zone, problems
        )
        for one in read:
            if one.usage_point in result:
                problems.note(source.path.name, "usage points no other source has", one.usage_point)
            result[one.usage_point] = one
    if not result and not problems:
        problems.note("sources", "numbers", "none", "look at `from` and `to`, and at the columns")
    increments = {name: one for name, one in result.items() if isinstance(one, Increments)}
    for plan in scenario.composed:
        made = composing.compose(plan, increments, scenario.days.zone, problems) if not problems else None
        if made is not None:
            result[plan.usage_point] = made
    return result


def _composed(scenario: Scenario) -> set[str]:
    return {plan.usage_point for plan in scenario.composed}


def _first_day(series: Any, days: Days) -> datetime:
    first = min(one.start_s for one in series)
    return days.start(days.day_of(datetime.fromtimestamp(first, UTC)))

"""How reports travel: which session brings them, what never comes, what comes twice or in disorder."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from balance_simulator.reports import Report
from balance_simulator.scenario import Delivery

Packet = dict[str, Any]

SESSION_S = (300, 10_800)
"""A concentrator's daily session begins this long after the end of the metering day."""
INTRADAY_S = (30, 240)


@dataclass(frozen=True)
class Sending:
    """A report and the second at which its concentrator sends it."""

    report: Report
    sent_s: int


def schedule(reports: Sequence[Report], plan: Delivery) -> list[Sending]:
    """Sendings of all reports that are not lost: in the next daily session, late, or when a silence ends."""
    rng = np.random.default_rng([plan.seed, 1])
    lost = rng.random(len(reports)) < plan.lose
    result = []
    for report, gone in zip(reports, lost, strict=True):
        if gone or _cut_out(report, plan):
            continue
        sent = _session(report, plan)
        if _chance(plan.seed, "delay", report.concentrator, str(report.ready_s)) < plan.delay:
            sent += round(plan.delay_h * 3600)
        result.append(Sending(report, _after_silence(report, sent, plan)))
    return result


def disturb(packets: Sequence[Packet], plan: Delivery) -> list[Packet]:
    """The packets with some sent twice (the second time anywhere later), and in any order when shuffled."""
    rng = np.random.default_rng([plan.seed, 2])
    order = np.arange(len(packets), dtype=np.float64)
    twice = np.flatnonzero(rng.random(len(packets)) < plan.duplicate)
    later = rng.uniform(twice, len(packets)) if twice.size else np.empty(0)
    which = np.concatenate([np.arange(len(packets)), twice])
    if plan.shuffle:
        return [packets[i] for i in which[rng.permutation(len(which))]]
    return [packets[i] for i in which[np.argsort(np.concatenate([order, later]), kind="stable")]]


def _session(report: Report, plan: Delivery) -> int:
    low, high = INTRADAY_S if report.intraday else SESSION_S
    share = _chance(plan.seed, "session", report.concentrator, str(report.ready_s))
    return report.ready_s + low + int(share * (high - low))


def _cut_out(report: Report, plan: Delivery) -> bool:
    return any(
        report.usage_point == cut.usage_point
        and cut.since.timestamp() < report.end_s <= cut.until.timestamp()
        for cut in plan.cut_outs
    )


def _after_silence(report: Report, sent_s: int, plan: Delivery) -> int:
    for silence in plan.silences:
        if report.concentrator == silence.concentrator:
            since, until = int(silence.since.timestamp()), int(silence.until.timestamp())
            sent_s = until if since <= sent_s < until else sent_s
    return sent_s


def _chance(seed: int, *names: str) -> float:
    """A number in [0, 1) that seed and names alone decide, whatever else is drawn."""
    return zlib.crc32("/".join((str(seed), *names)).encode()) / 2**32

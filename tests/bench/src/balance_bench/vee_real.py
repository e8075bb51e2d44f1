"""The real dirty file: raw registers of homes, with what is known to be wrong in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import psycopg
from balance_local import replay, screen
from balance_local.replay import Options

from balance_bench.vee_play import settle

NAME = "daiad-raw"
KNOWN: Counter[tuple[str, str]] = Counter(
    {
        ("vee.two_devices", "u50_9348c9bb"): 1,
        ("vee.negative_consumption", "u08_12913a45"): 1,
        ("vee.negative_consumption", "u14_1de2cf65"): 3,
    }
)
"""Two devices under one key, and registers that fall: looked at one by one."""
UNLABELLED = frozenset({"vee.missing"})
"""Nobody wrote down which hours the file lacks."""

_FINDINGS = """SELECT rule, usage_point_id, count(*) FROM ingest.v_findings
    WHERE state = 'OPEN' GROUP BY 1, 2"""


@dataclass(frozen=True)
class Real:
    """Findings by rule: those that are known, those of them that were found, and others."""

    homes: int
    readings: int
    known: Counter[str]
    found: Counter[str]
    others: Counter[str]
    missing_days: int


def play() -> Real:
    """Through the real services; its installation is dropped afterwards."""
    done = replay.run(replay.load(NAME), screen.here(), Options(name="bench_vee_real", wait=False))
    try:
        settle(done.place)
        with psycopg.connect(done.place.dsn) as connection:
            rows = connection.execute(_FINDINGS).fetchall()
            (homes, readings) = connection.execute(
                "SELECT count(DISTINCT usage_point_id), count(value) FROM ingest.v_readings"
            ).fetchone() or (0, 0)
    finally:
        done.place.drop()
    result = Real(homes, readings, Counter(), Counter(), Counter(), 0)
    missing = sum(count for rule, _, count in rows if rule in UNLABELLED)
    seen = Counter({(rule, name): count for rule, name, count in rows if rule not in UNLABELLED})
    for (rule, name), count in (KNOWN | seen).items():
        result.known[rule] += KNOWN[rule, name]
        result.found[rule] += min(count, KNOWN[rule, name], seen[rule, name])
        result.others[rule] += max(0, seen[rule, name] - KNOWN[rule, name])
    return Real(homes, readings, result.known, result.found, result.others, missing)

"""How often what silent homes really used lies in the interval that imbalance states.

Groups of real homes, their supply the sum of what they used; every home falls silent now and then for a day
to ten. All goes through Kafka, ingest, imbalance and PostgreSQL.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation, settings_of
from balance_chaos.traffic import GROUP, PACKET, USAGE_POINT, Outgoing, send
from balance_local.installation import Installation
from balance_local.replay import real_data
from balance_schemas import catalogue
from balance_schemas.codec import Codec

SEED = 20261005
HOMES = 5
"""Of each group, drawn from the 25."""
_ZONE = ZoneInfo("Europe/Madrid")
_SILENT_FROM_DAY = 0.03
_LONGEST_DAYS = 10
_PATIENCE_S = 900.0
_FIRST_JUDGED = 14
"""Days of past before the first that is judged."""
_LITRE = 1000
_METER = {
    "meter_number": "M",
    "accuracy_class_ppm": 20_000,
    "pulse_weight": _LITRE,
    "register_digits": 8,
    "q_max": 3_125_000,
    "removed_at": None,
    "initial_register": None,
    "final_register": None,
}

Home = Mapping[date, Sequence[int]]
"""Litres by hour of the days that the file has whole."""


@dataclass(frozen=True)
class Held:
    """Group-days with silent homes: how many, in how many the truth lay in the interval, verdicts."""

    days: int
    inside: int
    too_low: int
    hours: int
    hours_inside: int
    verdicts: Mapping[str, int]
    plain_losses: int
    """Hours or days with a missing home that were said to be COMPLETE; must be none."""

    def described(self) -> dict[str, float]:
        """Flat, with units in the keys."""
        return {
            "interval_coverage_percent": round(100 * self.inside / self.days, 2),
            "interval_days": self.days,
            "interval_days_used_more_percent": round(100 * self.too_low / self.days, 2),
            "interval_hours": self.hours,
            "interval_hours_coverage_percent": round(100 * self.hours_inside / self.hours, 2),
            "interval_seed": SEED,
            "silent_days_said_complete": self.plain_losses,
            **{f"silent_days_{verdict.lower()}": count for verdict, count in self.verdicts.items()},
        }


def measure(groups: int) -> Held:
    """Play so many groups, and compare with what the file says of the silent homes."""
    homes = _homes(real_data() / "water_daiad_district25_hourly_2016Q4.csv")
    random = Random(SEED)
    drawn = [random.sample(sorted(homes), HOMES) for _ in range(groups)]
    days = sorted({day for home in homes.values() for day in home})
    silences = [_silences(random, chosen, days) for chosen in drawn]
    with fresh_installation("bench_coverage", "Europe/Madrid", BALANCE_LOG_LEVEL="WARNING") as made:
        codec, kafka = codec_of(made), settings_of(made).kafka
        send(kafka, list(_assets(drawn, days[0], codec)))
        wait_until_idle(made, _PATIENCE_S)
        send(kafka, list(_packets(homes, drawn, silences, days, codec)))
        wait_until_idle(made, _PATIENCE_S)
        return _judged(made, homes, drawn, silences, days)


def _homes(file: Path) -> Mapping[str, Home]:
    rows = list(csv.reader(file.open()))
    hours: dict[tuple[str, date], list[str]] = {}
    for row in rows[1:]:
        for name, value in zip(rows[0][1:], row[1:], strict=True):
            hours.setdefault((name, date.fromisoformat(row[0][:10])), []).append(value)
    found: dict[str, dict[date, Sequence[int]]] = {name: {} for name in rows[0][1:]}
    for (name, day), values in hours.items():
        if len(values) == 24 == _length(day) and all(values):
            found[name][day] = [round(float(value)) for value in values]
    return found


def _length(day: date) -> int:
    return (_start(day + timedelta(days=1)) - _start(day)) // 3600


def _start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=_ZONE).timestamp())


def _silences(random: Random, chosen: Sequence[str], days: Sequence[date]) -> set[tuple[str, date]]:
    found: set[tuple[str, date]] = set()
    for name in chosen:
        for day in days:
            if random.random() < _SILENT_FROM_DAY:
                length = random.randint(1, _LONGEST_DAYS)
                found |= {(name, day + timedelta(days=after)) for after in range(length)}
    return found


def _name(group: int, home: str) -> str:
    return f"{group:03}-{home}"


def _assets(drawn: Sequence[Sequence[str]], first: date, codec: Codec) -> Iterator[Outgoing]:
    since = (_start(first) - 86_400) * 1000
    for group, chosen in enumerate(drawn):
        names = [_name(group, home) for home in ("supply", *chosen)]
        for name in names:
            point = {
                "usage_point_id": name,
                "version": 1,
                "state": "ACTIVE",
                "resource": "WATER",
                "meters": [{**_METER, "fitted_at": since}],
                "channels": [{"module_id": name, "channel": 1, "fitted_at": since, "removed_at": None}],
            }
            yield Outgoing(catalogue.ASSETS, name.encode(), codec.encode(USAGE_POINT, point))
        members = [
            {"usage_point_id": name, "role": "SUPPLY" if name == names[0] else "MEMBER", "valid_from": since}
            for name in names
        ]
        described = {
            "group_id": f"{group:03}",
            "version": 1,
            "state": "ACTIVE",
            "resource": "WATER",
            "name": f"{group:03}",
            "members": members,
        }
        yield Outgoing(catalogue.ASSETS, f"{group:03}".encode(), codec.encode(GROUP, described))


def _packets(
    homes: Mapping[str, Home],
    drawn: Sequence[Sequence[str]],
    silences: Sequence[set[tuple[str, date]]],
    days: Sequence[date],
    codec: Codec,
) -> Iterator[Outgoing]:
    for number, day in enumerate(days):
        received = (_start(day + timedelta(days=1)) + 600) * 1000
        for group, chosen in enumerate(drawn):
            heard = {h: homes[h][day] for h in chosen if day in homes[h] and (h, day) not in silences[group]}
            if all(day in homes[home] for home in chosen):
                heard["supply"] = [sum(hour) for hour in zip(*(homes[h][day] for h in chosen), strict=True)]
            packet = {
                "packet_id": f"{group:03}-{number}",
                "concentrator_id": f"{group:03}",
                "sequence": number,
                "sent_at": received,
                "received_at": received,
                "archives": [_archive(_name(group, home), day, values) for home, values in heard.items()],
                "registers": [],
            }
            yield Outgoing(catalogue.PACKETS, f"{group:03}".encode(), codec.encode(PACKET, packet))


def _archive(name: str, day: date, values: Sequence[int]) -> dict[str, Any]:
    return {
        "module_id": name,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": _start(day) * 1000,
        "step_s": 3600,
        "values": values,
        "missing": [],
        "register_start": None,
        "register_end": None,
    }


def _judged(
    made: Installation,
    homes: Mapping[str, Home],
    drawn: Sequence[Sequence[str]],
    silences: Sequence[set[tuple[str, date]]],
    days: Sequence[date],
) -> Held:
    with psycopg.connect(made.dsn) as connection:
        found = {
            (int(group), int(start.timestamp())): rest
            for group, start, *rest in connection.execute(
                "SELECT group_id, day_start, members, u_estimate, verdict, coverage"
                " FROM imbalance.v_group_days"
                " WHERE day_start >= to_timestamp(%s)",
                [_start(days[0])],
            )
        }
        hours = connection.execute(
            "SELECT group_id, day_start, (extract(epoch FROM start_at - day_start) / 3600)::int, members,"
            " tolerance, coverage, verdict FROM imbalance.v_group_hours WHERE day_start >= to_timestamp(%s)",
            [_start(days[0])],
        ).fetchall()
    judged = {
        (group, _start(day)): [sum(homes[h][day][hour] for h in chosen) * _LITRE for hour in range(24)]
        for group, chosen in enumerate(drawn)
        for day in days[_FIRST_JUDGED:]
        if all(day in homes[home] for home in chosen) and any((h, day) in silences[group] for h in chosen)
    }
    verdicts: dict[str, int] = {}
    inside = too_low = plain = 0
    for key, truth in judged.items():
        members, uncertainty, verdict, coverage = found[key]
        error = sum(truth) - members
        inside += abs(error) <= 2 * uncertainty
        too_low += error > 2 * uncertainty
        plain += coverage == "COMPLETE"
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    of_hours = [
        abs(judged[key][hour] - members) <= tolerance
        for group, start, hour, members, tolerance, coverage, _ in hours
        if (key := (int(group), int(start.timestamp()))) in judged and coverage != "NOT_COMPUTABLE"
    ]
    plain += sum(
        coverage == "COMPLETE" for group, start, _, _, _, coverage, _ in hours
        if (int(group), int(start.timestamp())) in judged
    )  # fmt: skip
    return Held(
        len(judged), inside, too_low, len(of_hours), sum(of_hours), dict(sorted(verdicts.items())), plain
    )

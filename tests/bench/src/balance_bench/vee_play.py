"""A field through the real services, and what they show of it in the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from balance_chaos.field_play import sent
from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation, settings_of
from balance_chaos.traffic import Outgoing, send
from balance_local import assets, draining
from balance_local.installation import Installation
from balance_simulator.field import truth_folder
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import Field
from numpy.typing import NDArray

from balance_bench import machine, vee_holes
from balance_bench.vee_holes import Label

ONLY = ("gateway", "ingest")
PATIENCE_S = 900.0
SILENT_MS = 3 * 86_400_000
AT_ONCE = 500


class Seen(NamedTuple):
    """A finding as `ingest.v_findings` shows it, instants in ms."""

    rule: str
    usage_point: str | None
    module: str | None
    channel: int | None
    concentrator: str | None
    start: int
    end: int
    message: str


@dataclass(frozen=True)
class Truth:
    """Base units by day (start in ms): what flowed and what pulses stand for, meters by hours."""

    names: Sequence[str]
    consumed: Mapping[int, NDArray[Any]]
    registered: Mapping[int, NDArray[Any]]


@dataclass(frozen=True)
class Outcome:
    """What was played and what came of it. `passed` were open when something was silent, and later not."""

    plan: FieldPlan
    labels: Sequence[Label]
    truth: Truth
    modules_of: Mapping[str, str]
    """Of usage points."""
    concentrators_of: Mapping[str, Sequence[str]]
    """Of modules."""
    modes: Mapping[str, str]
    resources: Mapping[str, str]
    findings: Sequence[Seen]
    passed: Sequence[Seen]
    readings: Mapping[str, Mapping[int, tuple[list[int | None], list[str]]]]
    """Of usage points with estimated hours, or a clock that is wrong, by day (start in ms)."""
    forecasts: Mapping[str, float]
    """Epoch second at which the battery of a module ends, where a table tells."""
    packets: int
    seconds: float
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Pauses:
    """Before a concentrator is heard again after days: what is open then is read."""

    heard: dict[str, int] = field(default_factory=dict)

    def is_due(self, packet: Mapping[str, Any]) -> bool:
        name, at = str(packet["concentrator_id"]), int(packet["received_at"])
        before = self.heard.get(name, at)
        self.heard[name] = max(before, at)
        return at - before > SILENT_MS


def play(plan: FieldPlan, name: str = "bench_vee") -> Outcome:
    """Play a field as fast as it goes, but look at who is silent while somebody is."""
    made_of = Field(plan)
    holes = vee_holes.draw(made_of)
    by_module = {hole.module: hole for hole in holes}
    register = made_of.register.everything()
    weekly = {one["concentrator_id"] for one in register["concentrators"] if _is_weekly(one)}
    consumed: dict[int, NDArray[Any]] = {}
    registered: dict[int, NDArray[Any]] = {}
    passed: list[Seen] = []
    with fresh_installation(name, plan.zone, services=ONLY, BALANCE_LOG_LEVEL="WARNING") as made:
        codec, kafka = codec_of(made), settings_of(made).kafka
        assets.publish(
            made,
            register["usage_points"],
            register["balance_groups"],
            register["modules"],
            register["concentrators"],
        )
        started, count, pauses, waiting = time.monotonic(), 0, _Pauses(), list[Outgoing]()
        for day in made_of.days():
            consumed[day.truth.start_s * 1000] = day.truth.consumed
            registered[day.truth.start_s * 1000] = day.truth.registered
            if day.changed:
                assets.publish(made, day.changed, [])
            for packet in day.packets:
                if pauses.is_due(packet) and packet["concentrator_id"] not in weekly:
                    send(kafka, waiting)
                    waiting = []
                    passed += _silent(made)
                waiting.append(sent(vee_holes.cut(packet, by_module), codec))
                count += 1
                if len(waiting) >= AT_ONCE:
                    send(kafka, waiting)
                    waiting = []
        send(kafka, waiting)
        settle(made)
        seconds = time.monotonic() - started
        labels = [*truth_folder.labels(made_of), *(hole.label() for hole in holes)]
        points = {one["usage_point_id"]: one for one in register["usage_points"]}
        modules_of = {point: one["channels"][0]["module_id"] for point, one in points.items()}
        drifting = {label["module"] for label in labels if label["kind"] == "clock_drift"}
        return Outcome(
            plan,
            labels,
            Truth(made_of.layout.meters.ids, consumed, registered),
            modules_of,
            {
                one["module_id"]: [setting["concentrator_id"] for setting in one["settings"]]
                for one in register["modules"]
            },
            {one["module_id"]: one["settings"][0]["packet_mode"] for one in register["modules"]},
            {point: one["resource"] for point, one in points.items()},
            _findings(made),
            passed,
            _readings(made, [point for point, module in modules_of.items() if module in drifting]),
            _forecasts(made),
            count,
            seconds,
            machine.described(made.dsn),
        )


def milliseconds(text: str) -> int:
    """Of an instant of a label."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _is_weekly(concentrator: Mapping[str, Any]) -> bool:
    plan: str = concentrator["settings"][0]["session_plan"]
    return plan == "WEEKLY"


def settle(made: Installation) -> None:
    """Return when ingest has computed and judged all, and has looked at delivery since.

    Raises AssertionError when it has not after a while.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        wait_until_idle(made, PATIENCE_S, ONLY)
        with psycopg.connect(made.dsn) as connection:
            (left,) = connection.execute("SELECT count(*) FROM ingest.reading_changes").fetchone() or (0,)
        if not left:
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"not judged after {PATIENCE_S:.0f} s: {left} changes of readings")
        time.sleep(1)
    draining.wait_for_delivery(made, PATIENCE_S)
    wait_until_idle(made, PATIENCE_S, ONLY)


def _silent(made: Installation) -> list[Seen]:
    """Findings of silence while it lasts."""
    wait_until_idle(made, PATIENCE_S, ONLY)
    draining.wait_for_delivery(made, PATIENCE_S)
    return [one for one in _findings(made) if one.rule.startswith("delivery.")]


_FINDINGS = """SELECT rule, usage_point_id, module_id, channel, concentrator_id,
        (extract(epoch FROM interval_start_at) * 1000)::bigint,
        (extract(epoch FROM interval_end_at) * 1000)::bigint, message
    FROM ingest.v_findings WHERE state = 'OPEN' ORDER BY 1, 6, 2, 3, 5"""
_READINGS = """SELECT usage_point_id, (extract(epoch FROM day_start) * 1000)::bigint,
    array_agg(value ORDER BY start_at), array_agg(quality ORDER BY start_at) FROM ingest.v_readings
    WHERE usage_point_id = ANY (%(names)s) OR usage_point_id IN (
        SELECT usage_point_id FROM ingest.v_readings WHERE quality = 'ESTIMATED')
    GROUP BY 1, 2 ORDER BY 1, 2"""
_FORECASTS = """SELECT module_id, extract(epoch FROM battery_forecast_end)::float FROM ingest.v_modules
    WHERE battery_forecast_end IS NOT NULL"""


def _findings(made: Installation) -> list[Seen]:
    with psycopg.connect(made.dsn) as connection:
        return [Seen(*row) for row in connection.execute(_FINDINGS)]


def _readings(
    made: Installation, names: Sequence[str]
) -> dict[str, dict[int, tuple[list[int | None], list[str]]]]:
    found: dict[str, dict[int, tuple[list[int | None], list[str]]]] = defaultdict(dict)
    with psycopg.connect(made.dsn) as connection:
        for point, day, values, qualities in connection.execute(_READINGS, {"names": list(names)}):
            found[point][day] = values, qualities
    return found


def _forecasts(made: Installation) -> dict[str, float]:
    with psycopg.connect(made.dsn) as connection:
        return dict(connection.execute(_FORECASTS).fetchall())

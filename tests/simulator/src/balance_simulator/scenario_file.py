"""Reads a scenario from YAML and refuses it with every mistake at once (format: docs/how-tos/own-data.md)."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from balance_simulator import checking, quantities
from balance_simulator.checking import Expected, Problems, ScenarioError, Section
from balance_simulator.localtime import Days, LocalTimes, clock_name, zone_name
from balance_simulator.scenario import (
    ALL,
    Composed,
    CutOut,
    Delivery,
    GroupPlan,
    MembershipPlan,
    MeterPlan,
    Scenario,
    Silence,
    Source,
    UsagePointPlan,
)

Moment = Callable[[Any], datetime]


def load(path: Path, variables: Mapping[str, str] | None = None) -> Scenario:
    """Read a scenario file. `variables` fill `${NAME}` in file names, before the environment does.

    Raises ScenarioError naming every mistake.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        advice = "`balance replay --example` prints one to start from"
        problem = checking.Problem("the scenario", "a YAML file", error.strerror or str(error), advice)
        raise ScenarioError(str(path), [problem]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = checking.Problem(path.name, "YAML", str(error), "compare with `balance replay --example`")
        raise ScenarioError(str(path), [problem]) from error
    problems = Problems()
    scenario = _scenario(Section(data, "", problems), path, {**os.environ, **(variables or {})})
    problems.stop(str(path))
    return scenario


def _scenario(top: Section, path: Path, variables: Mapping[str, str]) -> Scenario:
    place = top.section("installation")
    days = Days(
        place.take("zone", zone_name, "Europe/Chisinau") or "Europe/Chisinau",
        place.take("day_start_hour", checking.whole(0, 23), 0),
    )
    name = place.take(
        "name", _installation_name, _installation_name(re.sub("[^a-z0-9]+", "_", path.stem.lower()))
    )
    place.take("clock", checking.one_of("packets"), "packets")
    place.end("name, zone, day_start_hour, clock")
    moment = _moment(days)
    fleet = top.section("fleet")
    resource = fleet.take("resource", checking.one_of(*quantities.UNITS), "WATER")
    scenario = Scenario(
        name=name,
        title=top.take("title", checking.text, name),
        days=days,
        resource=resource,
        usual=_meter(fleet.section("usual_meter"), resource, moment),
        usage_points=tuple(_usage_point(s, resource, moment) for s in fleet.sections("usage_points")),
        groups=tuple(_group(s, moment) for s in fleet.sections("groups")),
        modules_per_concentrator=fleet.take("modules_per_concentrator", checking.whole(1, 240), 240),
        sources=tuple(_source(s, path.parent, variables, moment, resource) for s in top.sections("sources")),
        composed=tuple(_composed(s) for s in top.sections("composed")),
        delivery=_delivery(top.section("delivery"), moment),
    )
    fleet.end("resource, usual_meter, usage_points, groups, modules_per_concentrator")
    top.end("installation, title, fleet, sources, composed, delivery")
    if not scenario.sources:
        top.problems.note("sources", "one CSV or more", "none", "write sources: [{file: my.csv, unit: m3}]")
    if not scenario.groups:
        top.problems.note(
            "fleet.groups", "one group or more", "none", "write groups: [{id: HOUSE, supply: column}]"
        )
    return scenario


def _installation_name(value: Any) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", str(value)):
        return str(value)
    raise Expected("a name of lower-case letters, digits and _ that begins with a letter")


def _moment(days: Days) -> Moment:
    """Parser of a day or a local time of the metering zone into an instant."""

    def parse(value: Any) -> datetime:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise Expected("a day such as 2025-11-04, or a time such as 2025-11-04 10:00") from None
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=ZoneInfo(days.zone))).astimezone(UTC)
        if isinstance(value, date):
            return days.start(value)
        raise Expected("a day such as 2025-11-04, or a time such as 2025-11-04 10:00")

    return parse


def _meter(s: Section, resource: str, moment: Moment) -> MeterPlan:
    def base(value: Any) -> int:
        return quantities.quantity(value, resource)

    register = checking.whole(0, 10**15)
    percent = s.take("class", checking.number(0, 100), None)
    meter = MeterPlan(
        number=s.take("number", checking.identifier, None),
        fitted_at=s.take("from", moment, None),
        class_ppm=None if percent is None else round(percent * 10_000),
        pulse_weight=s.take("pulse", base, None),
        digits=s.take("digits", checking.whole(1, 15), None),
        q_max=s.take("q_max", base, None),
        initial_register=s.take("initial", register, None),
        final_register=s.take("final", register, None),
    )
    s.end("number, from, class (percent), pulse, digits, q_max, initial, final")
    return meter


def _usage_point(s: Section, resource: str, moment: Moment) -> UsagePointPlan:
    own = s.take("resource", checking.one_of(*quantities.UNITS), resource)
    meters = [_meter(m, own, moment) for m in s.sections("meters")] or [
        _meter(s.section("meter"), own, moment)
    ]
    point = UsagePointPlan(
        id=s.take("id", checking.identifier),
        resource=own,
        meters=tuple(meters),
        module=s.take("module", checking.identifier, None),
        channel=s.take("channel", checking.whole(0, 15), None),
        concentrator=s.take("concentrator", checking.identifier, None),
        path=s.take("path", checking.words, ()),
    )
    s.end("id, resource, meter, meters, module, channel, concentrator, path")
    for before, after in itertools.pairwise(meters):
        if after.fitted_at is None or (before.fitted_at and after.fitted_at <= before.fitted_at):
            s.problems.note(f"{s.where}.meters", "each later meter with a later `from`", after.fitted_at)
    return point


def _group(s: Section, moment: Moment) -> GroupPlan:
    name = s.take("id", checking.identifier)
    group = GroupPlan(
        id=name,
        name=s.take("name", checking.text, name),
        supply=_memberships(s, "supply", moment),
        members=_memberships(s, "members", moment) or (MembershipPlan(ALL),),
    )
    s.end("id, name, supply, members")
    return group


def _memberships(s: Section, key: str, moment: Moment) -> tuple[MembershipPlan, ...]:
    def parse(value: Any) -> tuple[MembershipPlan, ...]:
        items = value if isinstance(value, list) else [value]
        return tuple(one(item, f"{s.where}.{key}[{i}]") for i, item in enumerate(items))

    def one(item: Any, where: str) -> MembershipPlan:
        if not isinstance(item, dict):
            return MembershipPlan(checking.identifier(item))
        m = Section(item, where, s.problems)
        plan = MembershipPlan(
            m.take("id", checking.identifier),
            m.take("coefficient", checking.number(-1000, 1000), 1.0),
            m.take("from", moment, None),
            m.take("to", moment, None),
        )
        m.end("id, coefficient, from, to")
        return plan

    return s.take(key, parse, ())


def _source(s: Section, folder: Path, variables: Mapping[str, str], moment: Moment, resource: str) -> Source:
    def file(value: Any) -> Path:
        return _path(checking.text(value), folder, variables)

    times, column = _times(s)
    key = s.take("key", checking.text, None)
    source = Source(
        path=s.take("file", file),
        time=column,
        times=times,
        register=s.take("values", checking.one_of("increments", "register"), "increments") == "register",
        unit=s.take("unit", lambda value: quantities.unit(value, resource)),
        step_s=s.take("step", _step, None),
        columns=s.take("columns", _columns, None),
        key=key,
        value=s.take("value", checking.text, None),
        delimiter=s.take("delimiter", checking.one_of(",", ";", "\t", "|"), ","),
        since=s.take("from", moment, None),
        until=s.take("to", moment, None),
    )
    s.end("file, time, values, unit, step, columns, key, value, delimiter, from, to")
    if source.path and not source.path.is_file():
        s.problems.note(f"{s.where}.file", "a file", source.path, "paths count from the scenario's folder")
    if key and not source.value:
        s.problems.note(
            f"{s.where}.value", "the column that holds the numbers (a long file, for it has `key`)", "none"
        )
    return source


def _times(s: Section) -> tuple[LocalTimes, str | None]:
    """`time: column`, or `time: {column, zone, format, ambiguous, nonexistent}`."""
    data = s.take("time", lambda value: value, {})
    t = Section(data if isinstance(data, dict) else {"column": data}, f"{s.where}.time", s.problems)
    times = LocalTimes(
        zone=t.take("zone", clock_name, ""),
        form=t.take("format", checking.text, ""),
        ambiguous=t.take("ambiguous", checking.one_of("earlier", "later", "refuse"), "earlier"),
        nonexistent=t.take("nonexistent", checking.one_of("refuse", "drop", "shift"), "refuse"),
    )
    column = t.take("column", checking.text, None)
    t.end("column, zone, format, ambiguous, nonexistent")
    return times, column


def _path(written: str, folder: Path, variables: Mapping[str, str]) -> Path:
    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise Expected(f"a file; ${{{match[1]}}} is not set", f"set {match[1]} in the environment")
        return variables[match[1]]

    return folder / Path(re.sub(r"\$\{(\w+)\}", value, written)).expanduser()


def _step(value: Any) -> int:
    steps = {"15min": 900, "30min": 1800, "1h": 3600}
    if str(value).replace(" ", "") in steps:
        return steps[str(value).replace(" ", "")]
    raise Expected(
        "1h, 30min or 15min", "sum finer values to one of these; coarser ones are given as a register"
    )


def _columns(value: Any) -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {checking.text(column): checking.identifier(point) for column, point in value.items()}
    if isinstance(value, list) and value:
        return {checking.text(column): checking.identifier(column) for column in value}
    raise Expected("a list of columns, or a mapping of column to usage point")


def _composed(s: Section) -> Composed:
    composed = Composed(
        usage_point=s.take("usage_point", checking.identifier),
        sum_of=s.take("sum_of", checking.words, (ALL,)),
        factor=s.take("factor", checking.number(0.001, 1000), 1.0),
        gaps=s.take("gaps", checking.one_of("usual", "zero"), "usual"),
    )
    s.end("usage_point, sum_of, factor, gaps")
    return composed


def _delivery(s: Section, moment: Moment) -> Delivery:
    share = checking.number(0, 1)
    delivery = Delivery(
        seed=s.take("seed", checking.whole(0, 2**31), 1),
        shuffle=s.take("shuffle", checking.yes_or_no, False),
        duplicate=s.take("duplicate", share, 0.0),
        delay=s.take("delay", share, 0.0),
        delay_h=s.take("delay_h", checking.number(0.1, 20_000), 30.0),
        lose=s.take("lose", share, 0.0),
        intraday=s.take("intraday", checking.words, ()),
        intraday_h=s.take("intraday_h", checking.whole(1, 12), 1),
        silences=tuple(_silence(x, moment) for x in s.sections("silent")),
        cut_outs=tuple(_cut_out(x, moment) for x in s.sections("cut_out")),
    )
    s.end("seed, shuffle, duplicate, delay, delay_h, lose, intraday, intraday_h, silent, cut_out")
    return delivery


def _silence(s: Section, moment: Moment) -> Silence:
    silence = Silence(s.take("concentrator", checking.identifier), *_span(s, moment))
    s.end("concentrator, from, to")
    return silence


def _cut_out(s: Section, moment: Moment) -> CutOut:
    cut_out = CutOut(s.take("usage_point", checking.identifier), *_span(s, moment))
    s.end("usage_point, from, to")
    return cut_out


def _span(s: Section, moment: Moment) -> tuple[datetime, datetime]:
    since, until = s.take("from", moment), s.take("to", moment)
    if since and until and until <= since:
        s.problems.note(s.where, "`to` after `from`", f"{since} … {until}")
    return since, until

"""`balance demo`: a street composed from a real home, with everything that goes wrong in one, told apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from balance_simulator import playbook, profiles, street, truth
from balance_simulator.playbook import Playbook
from balance_simulator.street import Street

from balance_local import demo_check, group_spans, paths, playing, replay
from balance_local.demo_check import Check
from balance_local.group_spans import GroupSpan
from balance_local.installation import Installation
from balance_local.screen import Screen

TRUTH = "truth.json"


def run(on: Screen, seed: int = 7, name: str = street.NAME) -> bool:
    """Play the demo; whether all that the tables show equals the truth. In a terminal it stays until Ctrl-C.

    `name` is the installation it is played into, which starts anew.

    Raises NoProfilesError, InstallationError, StuckError.
    """
    started = time.monotonic()
    made = street.compose(profiles.read_home(), seed)
    folder = paths.local_root() / name
    _introduce(on, made, seed, folder)
    with ProcessPoolExecutor(1) as beside:
        awaited = beside.submit(demo_check.oracle, *_sent(made), street.DAYS.zone)
        place = replay.prepare(name, street.DAYS, on, keep=False)
        replay.publish(place, made.before, on)
        before = _first_half(on, place, made)
        after = _second_half(on, place, made, before)
        checks = _compare(on, place, made, before, after, awaited)
    wrong = [check for check in checks if not check.holds]
    seconds = time.monotonic() - started
    if wrong:
        on.say(f"{len(wrong)} of {len(checks)} comparisons failed, after {seconds:.0f} s", "bold red")
    else:
        on.say(f"every figure equals the batch oracle and the truth · {seconds:.0f} s", "bold green")
    replay.where(on, place)
    on.say(f"truth     {_short(folder / TRUTH)}")
    _stay(on, place)
    replay.rest(on, place)
    return not wrong


def _stay(on: Screen, place: Installation) -> None:
    """Hold until Ctrl-C when somebody watches."""
    if on.rich:
        on.say(f"services  run; see {replay.COMMAND} -i {place.name} status · stop with Ctrl-C", "bold")
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


def _introduce(on: Screen, made: Street, seed: int, folder: Path) -> None:
    flats = sum(street.FLATS.values())
    on.say(
        f"Street DEMO, {street.SPAN_DAYS} days of hourly gas, {len(street.FLATS)} groups, {flats} flats",
        "bold",
    )
    on.say(
        "One real UK home (hourly gas and outdoor temperature 2020–2022, samples of the package eemeter,\n"
        "Apache-2.0). Each flat is a resample of its days: same season, same kind of day, a size of its own; "
        f"seed {seed}."
    )
    on.say(
        "Put in: a leak before the meters of DEMO_1, a slow meter in DEMO_2, a dead concentrator in DEMO_3,\n"
        "a meter exchange in DEMO_4, two devices under one key in DEMO_5, a silent module in DEMO_6."
    )
    truth.save(made.truth, folder / TRUTH)
    playbook.save(Playbook(made.fleet, [*made.before.packets, *made.after.packets]), folder)
    on.say(f"truth: {_short(folder / TRUTH)}, packets: {_short(folder / 'packets.jsonl')}", "dim")


def _first_half(on: Screen, place: Installation, made: Street) -> Sequence[GroupSpan]:
    took = playing.play(place, made.before.packets, on, "packets until 15 Nov")
    on.say(f"{len(made.before.packets)} packets until the evening of 15 Nov sent in {took:.1f} s", "dim")
    replay.drain(place, on)
    spans = _spans(place, _back_day(made))
    silent = len(street.DEAD_FLATS)
    replay.show(
        on,
        f"Before the backlog, {silent} modules silent behind {street.DEAD}",
        spans,
        replay.known(place, made.before),
    )
    return spans


def _second_half(
    on: Screen, place: Installation, made: Street, before: Sequence[GroupSpan]
) -> Sequence[GroupSpan]:
    took = playing.play(place, made.after.packets, on, "backlog, and 16 to 18 Nov")
    replay.drain(place, on)
    known = replay.known(place, made.after)
    same_days = {span.group_id: span for span in _spans(place, _back_day(made))}
    changed = [same_days[span.group_id] for span in before if span.days != same_days[span.group_id].days]
    backlog = f"{_backlog_days(made)} days of data of {street.DEAD}, sent among the rest in {took:.1f} s"
    replay.show(on, f"After the backlog ({backlog}), what changed", changed, known)
    spans = _spans(place, street.FIRST_DAY + timedelta(days=street.SPAN_DAYS))
    replay.show(on, "All days", spans, known)
    return spans


def _compare(
    on: Screen,
    place: Installation,
    made: Street,
    before: Sequence[GroupSpan],
    after: Sequence[GroupSpan],
    awaited: Future[Any],
) -> list[Check]:
    with on.console.status("the batch oracle computes the same tables from what was sent"):
        tables = awaited.result()
    checks = demo_check.against_truth(place, made.truth, before, after)
    checks += demo_check.against_oracle(place, tables)
    for check in checks:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        on.say(f"{mark} {check.words}", style)
    return checks


def _backlog_days(made: Street) -> int:
    """Days of channels that the dead concentrator brings when it is back, each once."""
    silent_until = round(datetime.fromisoformat(made.truth.backlog_at).timestamp() * 1000)
    return len(
        {
            (archive["module_id"], archive["channel"], archive["start_at"])
            for packet in made.after.packets
            for archive in packet["archives"]
            if packet["concentrator_id"] == street.DEAD and packet["sent_at"] < silent_until + 60_000
        }
    )


def _sent(made: Street) -> tuple[list[Any], list[Any], list[Any]]:
    return [*made.before.packets, *made.after.packets], made.before.usage_points, made.before.groups


def _spans(place: Installation, end: date) -> list[GroupSpan]:
    start = street.DAYS.start(street.FIRST_DAY)
    return group_spans.read(place.dsn, street.DAYS.zone, start, street.DAYS.start(end))


def _back_day(made: Street) -> date:
    return datetime.fromisoformat(made.truth.backlog_at).astimezone(UTC).date()


def _short(path: Path) -> str:
    return str(path.relative_to(paths.CHECKOUT)) if path.is_relative_to(paths.CHECKOUT) else str(path)

"""`balance replay`: a described fleet and somebody's CSV to the table a manager understands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from balance_chassis.kafka import topic_name
from balance_schemas import catalogue
from balance_simulator import playbook, scenario_file
from balance_simulator.localtime import Days
from balance_simulator.playbook import Playbook
from balance_simulator.scenario import Scenario
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from balance_local import (
    assets,
    draining,
    group_spans,
    group_table,
    installation,
    paths,
    playing,
    ports,
    screen,
    supervisor,
)
from balance_local.group_spans import GroupSpan
from balance_local.group_table import Known
from balance_local.installation import Installation, InstallationError
from balance_local.screen import Screen

SCENARIOS = paths.CHECKOUT / "deploy" / "local" / "scenarios"
REAL_DATA = "BALANCE_REAL_DATA"
COMMAND = ".venv/bin/balance"
"""As it is typed in the checkout."""


@dataclass(frozen=True)
class Options:
    """How to play: under another name, into what is there, waiting for the end, packet seconds a second."""

    name: str | None = None
    keep: bool = False
    wait: bool = True
    speed: float = 0.0


@dataclass(frozen=True)
class Replayed:
    """What was played, where, and what came of it (nothing when it was not waited for)."""

    place: Installation
    book: Playbook
    spans: Sequence[GroupSpan]


def run(scenario: Scenario, on: Screen, options: Options) -> Replayed:
    """Play a scenario and show what came of it. The installation starts anew unless it is to be kept.

    Raises ScenarioError, InstallationError, StuckError, OSError.
    """
    scenario = replace(scenario, name=options.name) if options.name else scenario
    book = playbook.prepare(scenario)
    _introduce(on, scenario, book)
    place = prepare(scenario.name, scenario.days, on, keep=options.keep)
    publish(place, book, on)
    took = playing.play(place, book.packets, on, "packets", options.speed)
    on.say(f"{len(book.packets):,} packets sent in {took:.1f} s", "dim")
    if not options.wait:
        on.say(f"not waited for; how far it is: {COMMAND} -i {place.name} status")
        return Replayed(place, book, [])
    drain(place, on)
    spans = group_spans.read(place.dsn, scenario.days.zone, *instants(book))
    show(on, scenario.title, spans, known(place, book))
    group_table.show_months(on, spans)
    where(on, place)
    rest(on, place)
    return Replayed(place, book, spans)


def load(scenario: str) -> Scenario:
    """A scenario file, or one of the ready ones by its name."""
    ready = SCENARIOS / f"{scenario}.yaml"
    path = ready if not Path(scenario).suffix and ready.is_file() else Path(scenario)
    return scenario_file.load(path, {REAL_DATA: str(real_data())})


def real_data() -> Path:
    """Folder of the real data: BALANCE_REAL_DATA, or `../shared/data` beside the checkout."""
    return Path(os.environ.get(REAL_DATA) or paths.CHECKOUT.parent / "shared" / "data").resolve()


def prepare(name: str, days: Days, on: Screen, *, keep: bool) -> Installation:
    """The installation of a replay with its services running, empty unless it is to be kept."""
    there = installation.described(name)
    if name == installation.MAIN or (there is not None and there.clock != "packets"):
        raise InstallationError(
            f"expected an installation for replays, found {name}, which is for what happens now; "
            "give the scenario another installation: name"
        )

    def say(words: str) -> None:
        on.say(words, "dim")

    with on.console.status("stack, database, topics, services") if on.rich else nullcontext():
        if there is not None and not keep:
            say(f"installation {name} starts anew")
            installation.opened(name, say).drop()
        place = installation.create(name, days.zone, days.start_hour, "packets", say)
        place.topics_apply()
        place.migrate()
        place.services_up(say)
    say(f"installation {name}: services are ready")
    return place


def publish(to: Installation, book: Playbook, on: Screen) -> None:
    """Put the fleet on the register and wait until both services know it."""
    published = assets.publish(to, book.usage_points, book.groups)
    draining.wait_for_register(to)
    on.say(f"register: {len(published.sent)} entities published, {published.unchanged} unchanged", "dim")


def drain(place: Installation, on: Screen) -> None:
    """Wait until nothing is left to do, showing what is. Raises StuckError."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = Progress(*columns, console=on.console, transient=True)
    task = bar.add_task("computing", total=None)
    with bar if on.rich else nullcontext():
        left = draining.wait(place, told=lambda now: bar.update(task, description=now.summary))
    if left.dead_letters:
        on.say(f"{left.dead_letters} dead letters; see: {COMMAND} -i {place.name} dlq list", "yellow")


def instants(book: Playbook) -> tuple[datetime, datetime]:
    """First and last instant that the packets are about, as bounds of day starts."""
    starts = [a["start_at"] for packet in book.packets for a in (*packet["archives"], *packet["registers"])]
    day_ms = 86_400_000
    return tuple(  # type: ignore[return-value]  # two of them
        datetime.fromtimestamp(ms / 1000, UTC) for ms in (min(starts) - day_ms, max(starts) + 1)
    )


def known(place: Installation, book: Playbook) -> Known:
    """What can be said of what is missing."""
    concentrators = {name: point.concentrator for name, point in book.fleet.usage_points.items()}
    supplies = {one.usage_point for group in book.fleet.groups for one in group.supply}
    return Known(concentrators, group_table.reasons(place.dsn), supplies)


def show(on: Screen, title: str, spans: Sequence[GroupSpan], what: Known) -> None:
    """The table of some spans with its title, and what validation found."""
    if not spans:
        on.say("no group has a day yet: look at the fleet's groups and at the sources", "yellow")
        return
    first, last = spans[0].local(spans[0].days[0]), spans[0].local(spans[0].days[-1])
    group_table.show(on, f"{title}, {screen.span(first, last)}", spans, what)


def where(on: Screen, place: Installation) -> None:
    """Addresses to look at."""
    port = ports.recorded_port(place.folder, supervisor.PAGES)
    let_in = f"{COMMAND} -i {place.name} person add me --role operator"
    on.say(f"pages     http://127.0.0.1:{port}; let yourself in: {let_in}")
    settings = place.settings().kafka
    topic = topic_name(settings, catalogue.IMBALANCE)
    on.say(f"tables    {COMMAND} -i {place.name} psql, and there: select * from imbalance.v_group_states;")
    on.say(f"topics    {settings.bootstrap_servers}: {topic} and others; registry {place.stack.registry_url}")


def rest(on: Screen, place: Installation) -> None:
    """Stop the services: tables and topics can be looked at without them."""
    with on.console.status("stopping the services") if on.rich else nullcontext():
        place.services_down()
    on.say(f"services  stopped; start them again: {COMMAND} -i {place.name} up")


def _introduce(on: Screen, scenario: Scenario, book: Playbook) -> None:
    on.say(scenario.title, "bold")
    points, groups = len(book.fleet.usage_points), len(book.fleet.groups)
    on.say(f"usage points {points}, balance groups {groups}, packets {len(book.packets):,}")
    for note in book.notes:
        on.say(note)

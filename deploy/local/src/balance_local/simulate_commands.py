"""`balance simulate` on the command line."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from balance_simulator.field.plan import FieldPlan, faults_of, usual_groups
from balance_simulator.field.stream import Field

from balance_local import paths, screen, simulating

NAME = "field"
FIRST_DAY = datetime(2025, 11, 1)


def simulate_command(
    modules: Annotated[int, typer.Option(help="Modules, 1 to 67,000.")] = 240,
    groups: Annotated[int | None, typer.Option(help="Balance groups, 0 to 1,200; usual: by modules.")] = None,
    days: Annotated[int, typer.Option(help="Days, 1 to 366.")] = 30,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First day.", show_default="2025-11-01, live: today"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another field.")] = 7,
    faults: Annotated[str, typer.Option(help="all, none, or kinds separated by commas.")] = "all",
    live: Annotated[
        bool, typer.Option("--live/--fast", help="By the clock, or as fast as the broker takes it.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option(help="Live: seconds of the field a second.", min=0.001, show_default="1")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder for the truth.")] = None,
    name: Annotated[str, typer.Option(help="Installation.")] = NAME,
    zone: Annotated[str, typer.Option(help="Zone of the metering calendar.")] = "Europe/Chisinau",
    day_start_hour: Annotated[int, typer.Option(help="Hour at which metering days start.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Add to what the installation holds.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Send, and do not wait for tables.")] = False,
    out: Annotated[Path | None, typer.Option(help="Only write packets and fleet to this folder.")] = None,
) -> None:
    """Simulate a field with labelled faults: its packets into an installation, the truth into a folder."""
    plan = FieldPlan(
        modules=modules,
        groups=usual_groups(modules) if groups is None else groups,
        days=days,
        first_day=_first_day(since, live),
        seed=seed,
        faults=faults_of(faults),
        zone=zone,
        day_start_hour=day_start_hour,
    )
    if speed is not None and not live:
        raise typer.BadParameter("--speed is for --live; without it all goes as fast as the broker takes it")
    told = truth or (out / "truth" if out else paths.local_root() / "simulated" / name)
    for folder in (told, *([out] if out else [])):
        _make(folder)
    field, on = Field(plan), screen.here()
    if out:
        simulating.introduce(on, field)
        count = simulating.write(field, out, told, on)
        on.say(f"{count:,} packets in {out / 'packets.jsonl'}, fleet.json beside, truth in {told}")
        return
    options = simulating.Options(name, told, keep, not no_wait, (speed or 1.0) if live else 0.0, live)
    simulating.run(field, on, options)


def _make(folder: Path) -> None:
    """Make a folder before anything is started for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"expected a folder that can be written, found {folder}: {error.strerror}"
        ) from None


def _first_day(since: datetime | None, live: bool) -> date:
    if since is not None:
        return since.date()
    return date.today() if live else FIRST_DAY.date()

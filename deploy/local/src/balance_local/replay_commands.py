"""`balance replay` and `balance demo` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from balance_simulator import example, playbook
from balance_simulator.checking import ScenarioError
from balance_simulator.profiles import NoProfilesError

from balance_local import demo, replay, screen
from balance_local.draining import StuckError

FORESEEN = (ScenarioError, NoProfilesError, StuckError, OSError)
"""Errors that are shown in their own words."""


def replay_command(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="A YAML file, or a ready scenario by its name.")] = "",
    show_example: Annotated[bool, typer.Option("--example", help="Print a scenario to start from.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Add to what the installation holds.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Send, and do not wait for tables.")] = False,
    speed: Annotated[float, typer.Option(help="Seconds of packet time a second; 0: at once.", min=0)] = 0.0,
    save: Annotated[Path | None, typer.Option(help="Only write the packets to this folder.")] = None,
) -> None:
    """Play a CSV as packets of a described fleet into the installation chosen, or made for the scenario."""
    if show_example:
        typer.echo(example.text(), nl=False)
        return
    if not scenario:
        ready = ", ".join(sorted(file.stem for file in replay.SCENARIOS.glob("*.yaml")))
        raise typer.BadParameter(f"expected a YAML file, --example, or one of {ready}")
    chosen = replay.load(scenario)
    if save:
        book = playbook.prepare(chosen)
        playbook.save(book, save)
        typer.echo(
            f"{len(book.packets)} packets in {save / 'packets.jsonl'}, their fleet in {save / 'fleet.json'}"
        )
        return
    replay.run(chosen, screen.here(), replay.Options(context.obj, keep, not no_wait, speed))


def demo_command(seed: Annotated[int, typer.Option(help="Another street.")] = 7) -> None:
    """A street with everything that goes wrong in one; exit code 0 if the tables show the truth."""
    if not demo.run(screen.here(), seed):
        raise typer.Exit(1)

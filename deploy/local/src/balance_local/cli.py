"""The `balance` command."""

import logging
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from aiokafka.errors import KafkaError
from balance_chassis.settings import SettingsError
from balance_gateway.adapters import files
from balance_gateway.domain.kinds import KINDS
from balance_gateway.domain.radio import RADIO_BUDGET
from balance_kernel.calendar import Calendar
from balance_schemas.registry import RegistryError
from rich.markup import escape

from balance_local import (
    assets,
    dead_letters,
    installation,
    overview,
    replay_commands,
    screen,
    services,
    simulate_commands,
    stack,
    weather,
    weather_file,
)
from balance_local.daemon import NotStartedError
from balance_local.installation import MAIN, Installation, InstallationError
from balance_local.topics import TopicsError

app = typer.Typer(help="BALANCE on this machine.", no_args_is_help=True, pretty_exceptions_enable=False)
topics_app = typer.Typer(help="Topics and schemas.", no_args_is_help=True)
assets_app = typer.Typer(help="The asset register.", no_args_is_help=True)
edits_app = typer.Typer(help="Operators' decisions about readings.", no_args_is_help=True)
weather_app = typer.Typer(help="Outdoor temperatures.", no_args_is_help=True)
dlq_app = typer.Typer(help="Dead letters.", no_args_is_help=True)
services_app = typer.Typer(help="The processes of an installation.", no_args_is_help=True)
stack_app = typer.Typer(help="Broker, registry and database alone.", no_args_is_help=True)
mqtt_app = typer.Typer(help="Concentrators at the MQTT broker.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(assets_app, name="assets")
app.add_typer(edits_app, name="edits")
app.add_typer(weather_app, name="weather")
app.add_typer(dlq_app, name="dlq")
app.add_typer(services_app, name="services")
app.add_typer(stack_app, name="stack")
app.add_typer(mqtt_app, name="mqtt")

console = screen.here().console
_MOST_CHANGES = 50

_FORESEEN = (
    NotStartedError,
    InstallationError,
    TopicsError,
    RegistryError,
    SettingsError,
    stack.AddressesError,
    assets.FileError,
    weather_file.WeatherFileError,
    dead_letters.GroupError,
    psycopg.OperationalError,
    KafkaError,
    *replay_commands.FORESEEN,
)


class _State:
    name = MAIN


@app.callback()
def choose(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            "--installation", "-i", help=f"Which installation; {MAIN}, of a replay the scenario's own."
        ),
    ] = None,
) -> None:
    """Database, topic prefix, metering calendar and clock are those of the chosen installation."""
    _State.name, context.obj = MAIN if name is None else name, name
    with _errors_in_words():
        installation.check_name(_State.name)
    # What these libraries warn about while something starts is no news to whoever waits for it.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def up(
    zone: Annotated[
        str | None, typer.Option(help="Time zone of the metering calendar; Europe/Chisinau when made.")
    ] = None,
    day_start_hour: Annotated[
        int | None, typer.Option(help="Hour at which the metering day starts; 0 when made.")
    ] = None,
    clock: Annotated[
        str | None, typer.Option(help="wall, or packets for a replay of the past; wall when made.")
    ] = None,
) -> None:
    """Start stack and services; made on the first run, and calendar and clock stay as they were then."""
    with _errors_in_words():
        there = installation.described(_State.name) or installation.Description(_State.name)
        chosen = installation.create(
            _State.name,
            there.zone if zone is None else zone,
            there.day_start_hour if day_start_hour is None else day_start_hour,
            there.clock if clock is None else clock,
            say,
        )
        _start(chosen)
        overview.show(console, chosen.description, chosen.stack)


@app.command()
def down(
    everything: Annotated[
        bool, typer.Option("--all", help="The services of every installation too.")
    ] = False,
) -> None:
    """Stop the services, and the stack unless another installation's services use it."""
    with _errors_in_words():
        if _State.name != MAIN and installation.described(_State.name) is None:
            raise installation.missing(_State.name)
        running = [one for one in installation.everyone() if services.daemon(one.folder).process()]
        for one in running:
            if everything or one.name == _State.name:
                services.down(one.folder)
                say(f"services of {one.name} stopped")
        others = [one.name for one in running if one.name != _State.name and not everything]
        if others:
            say(f"the stack stays, for services of {', '.join(others)} run; stop all: balance down --all")
        else:
            stack.down(say)


@app.command()
def status() -> None:
    """Processes, addresses, what is still to be read, what is parked."""
    with _errors_in_words():
        description = installation.described(_State.name)
        if description is None:
            raise installation.missing(_State.name)
        running = stack.running()
        if running is None:
            say(f"the stack does not run; start it: balance --installation {_State.name} up")
            raise typer.Exit(1)
        overview.show(console, description, running)


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    with _errors_in_words():
        _made().migrate()
        say("the database is up to date")


@app.command()
def drop(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove an installation: its services, database, topics and folder."""
    with _errors_in_words():
        chosen = _opened()
        if not yes:
            typer.confirm(f"Remove installation {chosen.name} with all its data?", abort=True)
        chosen.drop()
        say(f"installation {chosen.name} removed")


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def person(
    words: Annotated[list[str], typer.Argument(help="add LOGIN --role administrator; --help says more.")],
) -> None:
    """Accounts of people: the gateway's own command, on the installation chosen."""
    with _errors_in_words():
        chosen = _opened()
        command = [sys.executable, "-m", "balance_gateway", "person", *words]
        raise typer.Exit(subprocess.run(command, env={**os.environ, **chosen.environment()}).returncode)


@app.command()
def psql() -> None:
    """A SQL shell on the installation's database, in its zone: a date is the start of its civil day."""
    with _errors_in_words():
        chosen = _opened()
        os.execvpe("psql", ["psql", chosen.dsn], {"PGTZ": chosen.description.zone, **os.environ})


@topics_app.command("apply")
def topics_apply() -> None:
    """Create topics, register schemas."""
    with _errors_in_words():
        _made().topics_apply()
        say("topics and schemas are those of the catalogue")


@assets_app.command("load")
def assets_load(
    file: Annotated[
        Path,
        typer.Argument(
            help="YAML of usage_points, balance_groups, modules, …; CSV or XLSX of one kind a table."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and what is wrong; write nothing.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the log of changes.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help=f"A rule that may be broken: {RADIO_BUDGET}.")
    ] = None,
) -> None:
    """Import into the asset register; only what differs is changed, and nothing if anything is wrong."""
    _import(file, dry_run, reason, accept or [])


@assets_app.command("columns")
def assets_columns(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(kind.plural for kind in KINDS)}.")],
) -> None:
    """The first line of a table of that kind, to start a CSV from."""
    found = [each for each in KINDS if each.plural == kind]
    if not found:
        raise typer.BadParameter(f"expected one of {', '.join(each.plural for each in KINDS)}, found {kind}")
    typer.echo(",".join(files.template(found[0])))


@edits_app.command("apply")
def edits_apply(file: Annotated[Path, typer.Argument(help="YAML: edits.")]) -> None:
    """Import operators' decisions about readings; only what differs is changed."""
    _import(file, False, None, ())


@weather_app.command("load")
def weather_load(
    file: Annotated[Path, typer.Argument(help="CSV: object, time, temperature in °C.")],
    object_path: Annotated[
        str | None,
        typer.Option("--object", help="Where all of it holds: 'Region > Town', '' for everywhere."),
    ] = None,
    zone: Annotated[
        str,
        typer.Option(help="Clock of times without an offset: a zone, +02:00 or plain; as the metering days."),
    ] = "",
    name: Annotated[
        str | None, typer.Option(help="Tells it from other files of an object; as the file is called.")
    ] = None,
) -> None:
    """Publish outdoor temperatures of a file; only days that changed get a new version."""
    with _errors_in_words():
        told = installation.described(_State.name) or installation.Description(_State.name)
        calendar = Calendar(told.zone, told.day_start_hour)
        read = weather_file.read_file(file, name, object_path, zone, calendar, say)
        chosen = _opened()
        loaded = weather.load(chosen, read, say)
        say(f"{loaded.sent:,} days published, {loaded.unchanged:,} unchanged")
        _say_who_waits(chosen)


@dlq_app.command("list")
def dlq_list(
    group: Annotated[str | None, typer.Option(help="Of one consumer group.")] = None,
) -> None:
    """Dead letters, with where they come from and why."""
    with _errors_in_words():
        overview.show_letters(console, dead_letters.listed(_opened().settings().kafka, group))


@dlq_app.command("replay")
def dlq_replay(
    group: Annotated[str | None, typer.Option(help="To one consumer group.")] = None,
) -> None:
    """Return dead letters to the group that gave them up, and to no other."""
    with _errors_in_words():
        returned = dead_letters.replay(_opened().settings().kafka, group)
        for name, count in returned.items():
            if count:
                say(f"{count} returned to {name}; one that fails again is a new dead letter")
        if not any(returned.values()):
            say("nothing to return")


@services_app.command("up")
def services_up() -> None:
    """Start the services."""
    with _errors_in_words():
        _start(_made())


@services_app.command("down")
def services_down() -> None:
    """Stop the services, the stack stays."""
    with _errors_in_words():
        description = installation.described(_State.name)
        stopped = description is not None and services.down(description.folder)
        say(f"services of {_State.name} stopped" if stopped else f"no services of {_State.name} ran")


@stack_app.command("up")
def stack_up(
    mqtt: Annotated[bool, typer.Option("--mqtt", help="The MQTT broker for an edge too.")] = False,
) -> None:
    """Start the stack, no services."""
    with _errors_in_words():
        running = stack.ensure(say)
        say(f"the stack runs: Kafka {running.bootstrap_servers}, registry {running.registry_url}")
        if mqtt:
            say("with these set, `balance services up` starts an edge too:")
            for name, value in stack.ensure_mosquitto(say).environment().items():
                say(f"    export {name}={value}")


@mqtt_app.command("admit")
def mqtt_admit(concentrator_id: Annotated[str, typer.Argument(help="E.g. J-0413.")]) -> None:
    """Give a concentrator a password for the MQTT broker; it is shown once."""
    with _errors_in_words():
        say(stack.ensure_mosquitto(say).admit(concentrator_id))


@stack_app.command("down")
def stack_down() -> None:
    """Stop the stack, whoever uses it."""
    with _errors_in_words():
        stack.down(say)


def say(text: str) -> None:
    """A line of progress."""
    console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def _opened() -> Installation:
    return installation.opened(_State.name, say)


def _made() -> Installation:
    """The installation; the main one is made when it is not there."""
    if _State.name == MAIN and not installation.described(MAIN):
        return installation.create(MAIN, say=say)
    return _opened()


def _import(file: Path, dry_run: bool, reason: str | None, accepted: Collection[str]) -> None:
    with _errors_in_words():
        chosen = _opened()
        found = assets.load(chosen, file, dry=dry_run, reason=reason, accepted=accepted)
        made = "would be changed" if dry_run else "changed"
        say(f"{len(found.changes):,} entities {made}, {found.unchanged:,} unchanged")
        for change in found.changes[:_MOST_CHANGES] if dry_run else ():
            overview.show_change(console, change)
        if dry_run and len(found.changes) > _MOST_CHANGES:
            say(f"and {len(found.changes) - _MOST_CHANGES:,} more")
        if found.changes and not dry_run:
            _say_who_waits(chosen)


def _say_who_waits(chosen: Installation) -> None:
    if services.daemon(chosen.folder).process() is None:
        say(f"its services are stopped and take it when they run: balance --installation {chosen.name} up")


def _start(chosen: Installation) -> None:
    with console.status("topics and schemas"):
        chosen.topics_apply()
    with console.status("database"):
        chosen.migrate()
    with console.status("services"):
        chosen.services_up(say)


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except _FORESEEN as error:
        console.print(f"[red]{escape(str(error))}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        say("interrupted; what was started runs on: give the command again, or stop all: balance down --all")
        raise typer.Exit(130) from None


app.command("replay")(_errors_in_words()(replay_commands.replay_command))
app.command("simulate")(_errors_in_words()(simulate_commands.simulate_command))
app.command("demo")(_errors_in_words()(replay_commands.demo_command))


if __name__ == "__main__":
    app()

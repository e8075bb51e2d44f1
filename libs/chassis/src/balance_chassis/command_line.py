"""What the command line of every service can do: run a role, migrate, check the settings."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from balance_chassis.lifecycle import EXIT_SETTINGS, LEFT_OVER_S, Build, end_within, run_process
from balance_chassis.settings import Settings, SettingsError


class ServiceSettings(Protocol):
    """A service's own settings, beside those of the installation."""

    @property
    def installation(self) -> Settings:
        """What every process of the installation is given."""


S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True)
class Command(Generic[S]):
    """A command that one service alone has: `describe` adds its arguments, `run` gives the exit code."""

    name: str
    help: str
    describe: Callable[[ArgumentParser], object]
    run: Callable[[S, Namespace], int]


def main(
    service: str,
    description: str,
    *,
    load: Callable[[], S],
    roles: Iterable[str],
    build: Callable[[S, str], Build],
    migrate: Callable[[S], Sequence[str]],
    further: Sequence[Command[S]] = (),
) -> int:
    """Do what the arguments of this process say: `run --role <role>`, `migrate`, `check-config` or one of
    `further`; the exit code. Wrong settings are said in words on standard error (78).
    """
    parser = ArgumentParser(prog=f"balance_{service}", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one process until SIGTERM")
    run.add_argument("--role", required=True, choices=sorted(roles))
    commands.add_parser("migrate", help="bring the database schema up to date")
    commands.add_parser("check-config", help="read the settings and say what is wrong with them")
    for command in further:
        command.describe(commands.add_parser(command.name, help=command.help))
    arguments = parser.parse_args()
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    if arguments.command == "run":
        code = run_process(service, arguments.role, build(settings, arguments.role), settings.installation)
        end_within(LEFT_OVER_S, code)  # a thread that is not done would be waited for
        return code
    for command in further:
        if command.name == arguments.command:
            return command.run(settings, arguments)
    for name in migrate(settings) if arguments.command == "migrate" else ():
        print(f"applied {name}")
    return 0

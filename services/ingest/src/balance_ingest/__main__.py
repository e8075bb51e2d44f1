"""`python -m balance_ingest run --role live|backlog|worker`, `migrate`, `check-config`."""

from __future__ import annotations

import argparse
import sys

from balance_chassis.lifecycle import EXIT_SETTINGS, run_process
from balance_chassis.settings import SettingsError

from balance_ingest import bootstrap
from balance_ingest.settings import load


def main() -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="balance_ingest", description="Packets to validated readings")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run one process until SIGTERM")
    run.add_argument("--role", required=True, choices=sorted(bootstrap.ROLES))
    commands.add_parser("migrate", help="bring the database schema up to date")
    commands.add_parser("check-config", help="read the settings and say what is wrong with them")
    arguments = parser.parse_args()
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    if arguments.command == "run":
        build = bootstrap.build(settings, arguments.role)
        return run_process(bootstrap.SERVICE, arguments.role, build, settings.installation)
    for name in bootstrap.migrate(settings) if arguments.command == "migrate" else ():
        print(f"applied {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

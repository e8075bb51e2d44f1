"""`python -m balance_gateway run --role web`, `migrate`, `check-config`, `person reset anna`."""

from __future__ import annotations

import sys

from balance_chassis import command_line
from balance_chassis.command_line import Command

from balance_gateway import bootstrap
from balance_gateway.entrypoints import console
from balance_gateway.settings import load


def main() -> int:
    """Do what the command line says; the exit code."""
    return command_line.main(
        bootstrap.SERVICE,
        "The asset register and the one door for people",
        load=load,
        roles=bootstrap.ROLES,
        build=bootstrap.build,
        migrate=bootstrap.migrate,
        further=[Command("person", "let somebody sign in", console.describe_person, bootstrap.person)],
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m balance_gateway run --role worker`, `migrate`, `check-config`."""

from __future__ import annotations

import sys

from balance_chassis import command_line

from balance_gateway import bootstrap
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
    )


if __name__ == "__main__":
    sys.exit(main())

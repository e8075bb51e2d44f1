"""`python -m balance_imbalance run --role live|backlog|worker|agents|weather`, `migrate`, `check-config`."""

from __future__ import annotations

import sys

from balance_chassis import command_line

from balance_imbalance import bootstrap
from balance_imbalance.settings import load


def main() -> int:
    """Do what the command line says; the exit code."""
    return command_line.main(
        bootstrap.SERVICE,
        "Readings to imbalance per group",
        load=load,
        roles=bootstrap.ROLES,
        build=bootstrap.build,
        migrate=bootstrap.migrate,
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m balance_ingest run --role live|backlog|worker|edge`, `migrate`, `check-config`."""

from __future__ import annotations

import sys

from balance_chassis import command_line

from balance_ingest import bootstrap
from balance_ingest.settings import load


def main() -> int:
    """Do what the command line says; the exit code."""
    return command_line.main(
        bootstrap.SERVICE,
        "Packets to validated readings",
        load=load,
        roles=bootstrap.ROLES,
        build=bootstrap.build,
        migrate=bootstrap.migrate,
    )


if __name__ == "__main__":
    sys.exit(main())

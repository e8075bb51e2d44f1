"""Keeps a worker off results that a newer one computes.

It would take a marker, compute by its older algorithm, and not overwrite the newer result: the change would
be forgotten.
"""

from __future__ import annotations

from typing import Any

from balance_chassis.errors import Fatal
from balance_chassis.lifecycle import EXIT_SETTINGS
from psycopg import Connection

from balance_imbalance.adapters.queries import statement


def be_newest(conn: Connection[Any], results: str, version: int) -> None:
    """Write down that results of this name are computed by this version of the algorithm.

    To be called after markers were taken, in each transaction that computes: what a newer worker marked is
    seen only with its version. Raises Fatal (78, nothing taken) when a higher version was at work.
    """
    row = conn.execute(statement("newest_algorithm"), {"results": results}).fetchone()
    if row is None or row[0] < version:
        row = conn.execute(statement("put_algorithm"), {"results": results, "version": version}).fetchone()
    newest = row[0] if row else version
    if newest > version:
        raise Fatal(
            f"results of {results}: expected version {newest} of the algorithm, the newest that was at work, "
            f"found version {version} in this worker, which would forget changes. Start the worker of the "
            "newer release; to go back for good, restore the database as it was before it",
            EXIT_SETTINGS,
        )

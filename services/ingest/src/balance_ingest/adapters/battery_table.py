"""The table of battery lives that comes with the service, and the page made of it (docs/domain.md §3.19)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from balance_ingest.domain.batteries import LifeTable

_HEAD = """# Batteries

How long a battery lasts, by device, type and packet mode or session plan ([domain.md §3.19](domain.md)).
A *life* is that of a cell which is thrown away: the forecast counts by it. An *autonomy* is that of a cell
which is recharged, from full and without outside power: it has no forecast. The rows are in
`services/ingest/src/balance_ingest/tables/batteries.csv`; this page is generated from them by
`python -m balance_ingest.adapters.battery_table > docs/batteries.md`.

| device | battery type | in | mode or plan | days | kind | source |
|---|---|---|---|---|---|---|
"""


@cache
def rows() -> Sequence[Mapping[str, str]]:
    """The rows of the table, by column."""
    text = (files("balance_ingest") / "tables" / "batteries.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def life_table() -> LifeTable:
    """Lives in days by device, battery type and plan; autonomies are none."""
    return {
        (row["device"], row["battery_type"], row["plan"]): int(row["days"])
        for row in rows()
        if row["kind"] == "life"
    }


def page() -> str:
    """docs/batteries.md."""
    lines = (
        f"| {row['device'].lower()} | {row['battery_type']} | {row['use']} | {row['plan']} "
        f"| {int(row['days']):,} | {row['kind']} | {row['source']} |\n"
        for row in rows()
    )
    return _HEAD + "".join(lines)


if __name__ == "__main__":
    print(page(), end="")

"""The table of sensor kinds that comes with the service, and the page made of it (docs/domain.md §3.14)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from importlib.resources import files

from balance_ingest.domain.sensor_kinds import SensorKind

_HEAD = """# Kinds of sensor

The rows are in `services/ingest/src/balance_ingest/tables/sensor_kinds.csv`; this page is generated from
them by `python -m balance_ingest.adapters.sensor_table > docs/sensor-kinds.md`. Values on the wire and in
tables are thousandths of the unit. A mean outside the range is quarantined (`vee.out_of_range`, [domain.md
§3.14](domain.md)); the limits are defaults of alarms. Kinds in development (†) are experimental: nothing
should depend on one alone.

| code | sensor | quantity | unit | range | accuracy | alarm below | alarm above | source |
|---|---|---|---|---|---|---|---|---|
"""


def kind_table() -> Sequence[SensorKind]:
    """The kinds of the package's file, in its order. Raises ValueError with the row that cannot be."""
    text = (files("balance_ingest") / "tables" / "sensor_kinds.csv").read_text("utf-8")
    return list(parse(text.splitlines()))


def parse(lines: Iterable[str]) -> Iterator[SensorKind]:
    """Kinds of the lines of such a file. Raises ValueError."""
    seen: set[str] = set()
    for row in csv.DictReader(lines, strict=True):
        try:
            kind = _kind(row)
        except (KeyError, ArithmeticError, TypeError) as error:
            raise ValueError(f"sensor kind {row}: expected numbers and yes or no, found {error!r}") from error
        if kind.least >= kind.greatest or kind.code in seen:
            raise ValueError(f"sensor kind {kind.code}: expected once, with a range; found {row}")
        seen.add(kind.code)
        yield kind


def _kind(row: dict[str, str]) -> SensorKind:
    return SensorKind(
        code=row["code"],
        name=row["name"],
        quantity=row["quantity"],
        unit=row["unit"],
        least=_thousandths(row["least"]),
        greatest=_thousandths(row["greatest"]),
        accuracy=row["accuracy"],
        lower_limit=_thousandths(row["lower_limit"]) if row["lower_limit"] else None,
        upper_limit=_thousandths(row["upper_limit"]) if row["upper_limit"] else None,
        experimental={"yes": True, "no": False}[row["experimental"]],
        source=row["source"],
    )


def _thousandths(text: str) -> int:
    return int(Decimal(text) * 1000)


def page(kinds: Iterable[SensorKind]) -> str:
    """The page docs/sensor-kinds.md."""
    return _HEAD + "".join(f"| {' | '.join(_cells(kind))} |\n" for kind in kinds)


def _cells(kind: SensorKind) -> Iterator[str]:
    yield from (f"`{kind.code}`", kind.name + (" †" if kind.experimental else ""), kind.quantity, kind.unit)
    yield f"{_number(kind.least)} … {_number(kind.greatest)}"
    yield kind.accuracy
    yield from ("" if limit is None else _number(limit) for limit in (kind.lower_limit, kind.upper_limit))
    yield kind.source


def _number(thousandths: int) -> str:
    return f"{Decimal(thousandths) / 1000:,f}".replace("-", "−")


if __name__ == "__main__":
    print(page(kind_table()), end="")

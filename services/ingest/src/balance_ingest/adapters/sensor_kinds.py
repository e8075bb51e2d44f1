"""`ingest.sensor_kinds`, and usage points whose kind it does not have (docs/domain.md §3.14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_ingest.adapters.outcomes import Findings, name_findings
from balance_ingest.adapters.queries import statement
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.sensor_kinds import SensorKind, kind_of
from balance_ingest.domain.sensors import unknown_sensor_kind

Kinds = Mapping[str, SensorKind]


def kinds(conn: Connection[Any]) -> Kinds:
    """The table by code."""
    rows = conn.execute(statement("sensor_kinds")).fetchall()
    return {row["code"]: SensorKind(**row) for (row,) in rows}


def replace_kinds(conn: Connection[Any], wanted: Sequence[SensorKind]) -> frozenset[str]:
    """Make the table what is wanted; codes that judge readings otherwise than before."""
    before, after = kinds(conn), {kind.code: kind for kind in wanted}
    if before == after:
        return frozenset()
    conn.execute(statement("forget_sensor_kinds"))
    conn.execute(statement("keep_sensor_kinds"), {"kinds": Jsonb([asdict(kind) for kind in wanted])})
    codes = before.keys() | after.keys()
    return frozenset(code for code in codes if _range(before, code) != _range(after, code))


def _range(table: Kinds, code: str) -> tuple[int, int] | None:
    kind = table.get(code)
    return (kind.least, kind.greatest) if kind else None


def settle_kinds(conn: Connection[Any], points: Iterable[UsagePoint]) -> None:
    """Raise or withdraw `vee.unknown_sensor_kind` of usage points as they now are."""
    by_name = {point.name: point for point in points}
    table = kinds(conn)
    known = (
        replace(point, kind=table.get(kind_of(point.resource, point.sensor_kind) or ""))
        for point in by_name.values()
    )
    found = [finding for point in known if (finding := unknown_sensor_kind(point))]
    stored = conn.execute(statement("findings_of_kinds"), {"names": list(by_name)}).fetchall()
    findings = Findings()
    findings.settle(found, [finding_id for (finding_id,) in stored])
    name_findings(conn, findings.write(conn))

"""The pass that says who is silent, whose clock is wrong and whose battery ends: it reads what is stored at
one moment and settles all findings of delivery (docs/domain.md §3.18–§3.20).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from balance_ingest.adapters.outcomes import Findings, name_findings
from balance_ingest.adapters.plans import PostgresPlans
from balance_ingest.adapters.queries import rows_of, statement
from balance_ingest.adapters.work import Now, Pool
from balance_ingest.domain.days import DAY_S, Days
from balance_ingest.domain.delivery import (
    Battery,
    Concentrator,
    DeliveryLimits,
    Module,
    Said,
    find_batteries,
    find_silence,
    find_wrong_clocks,
    silent_concentrators,
)
from balance_ingest.domain.findings import Finding

_EVERY_S = 300
"""A wall clock alone gives reason to look again this often."""


class PostgresDelivery:
    """Implements `ports.Delivery`; for one thread."""

    def __init__(
        self,
        pool: Pool,
        days: Days,
        now: Now,
        plans: PostgresPlans,
        limits: DeliveryLimits,
        rest_s: float = 0.0,
    ) -> None:
        """Take the pool, the metering days, the clock, the plans and the limits.

        While more is committed from look to look, it judges once in `rest_s`: half a backlog says much that
        the other half withdraws.
        """
        self.is_current = False
        self._pool = pool
        self._days = days
        self._now = now
        self._plans = plans
        self._limits = limits
        self._rest_s = rest_s
        self._rested_at = 0.0
        self._seen: tuple[str, int] | None = None
        self._looked: tuple[str, int] | None = None
        self._forecast = False

    def judge(self) -> int:
        """See the port."""
        if not self._forecast:
            self._plans.forecast_again()
            self._forecast = True
        with self._pool.connection() as conn:
            conn.execute(statement("see_one_moment"))
            committed, received = conn.execute(statement("what_is_committed")).fetchone() or ("", 0)
            clock = self._now() if self._now else received
            seen = committed, clock // _EVERY_S
            looked, self._looked = self._looked, seen
            self.is_current = seen == self._seen or not clock
            if self.is_current or (looked != seen and time.monotonic() < self._rested_at):
                return 0
            self._keep_metering_days(conn, clock)
            changed = self._settle(conn, list(self._found(conn, clock)))
        self._seen, self.is_current = seen, True
        self._rested_at = time.monotonic() + self._rest_s
        return changed

    def _found(self, conn: Connection[Any], clock: int) -> Iterator[Finding]:
        limits = self._limits
        rows = rows_of(conn, "delivery_concentrators", now=clock)
        silent = silent_concentrators((Concentrator(*row) for row in rows), clock, limits)
        told = rows_of(conn, "last_said", concentrators=list(silent)) if silent else []
        said = {name: Said(power, signal) for name, power, signal in told}
        quiet = rows_of(conn, "quiet_modules", now=clock, before=clock - DAY_S - limits.silence_s)
        yield from find_silence(silent, said, (Module(*row) for row in quiet), clock, limits)
        soon = {"now": clock, "soon": clock + limits.battery_soon_s, "least_mv": limits.least_battery_mv}
        batteries = (Battery(*row) for row in rows_of(conn, "batteries_in_question", **soon))
        yield from find_batteries(batteries, clock, limits)
        clocks = rows_of(conn, "wrong_clocks")
        if clocks:
            names, received, offsets = zip(*clocks, strict=True)
            yield from find_wrong_clocks(names, received, offsets, self._days)

    def _settle(self, conn: Connection[Any], found: list[Finding]) -> int:
        """Open what is new or says something else now, withdraw what is found no more."""
        stands = {id_: tuple(told) for id_, *told in rows_of(conn, "open_delivery_findings")}
        ids = [finding.finding_id for finding in found]
        changed = [
            finding
            for id_, finding in zip(ids, found, strict=True)
            if stands.get(id_) != (finding.expected, finding.found, finding.message)
        ]
        findings = Findings()
        findings.settle(changed, stands.keys() - set(ids))
        written = findings.write(conn)
        name_findings(conn, written)
        return len(written)

    def _keep_metering_days(self, conn: Connection[Any], clock: int) -> None:
        """The days from the first evidence to the clock, of which the delivery log speaks."""
        (first,) = conn.execute(statement("first_evidence")).fetchone() or (None,)
        if first is None:
            return
        known = conn.execute(statement("span_of_metering_days")).fetchone() or (clock + 1, 0)
        days = self._days.between(first, clock + 1)
        days = [day for day in days if not known[0] <= day <= known[1]]
        if days:
            ends = [self._days.end_of(day) for day in days]
            conn.execute(statement("keep_metering_days"), {"starts": days, "ends": ends})

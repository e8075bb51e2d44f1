"""A field day by day: what flowed, what was counted, what was sent."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from balance_simulator.delivery import Packet
from balance_simulator.field import flow_faults
from balance_simulator.field.conditions import Conditions
from balance_simulator.field.counting import Counted, Floats, Ints, Registers
from balance_simulator.field.day_record import DayRecord
from balance_simulator.field.demand import Homes, Used
from balance_simulator.field.described import Record, Register
from balance_simulator.field.dispatch import FIRST_STEP_S, Dispatch
from balance_simulator.field.events import Events
from balance_simulator.field.faults import HOUR_S, Fault, draw
from balance_simulator.field.layout import lay_out
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.sensors import Sensors
from balance_simulator.field.weather import Weather

TWISTS = {"hours_from_one", "clock_set_back", "two_devices", "unknown_channel", "future_packet"}


@dataclass(frozen=True)
class DayTruth:
    """What really happened on a day: base units by meter and hour, lost before the members by group and hour.

    `consumed` flowed through the meter, `registered` is what its pulses stand for (by its module's clock).
    """

    day: date
    start_s: int
    consumed: Ints
    registered: Ints
    lost: Ints
    outdoor_milli_c: Ints


@dataclass(frozen=True)
class FieldDay:
    """A day: its truth, usage points described anew, and the packets received until a little after its end.

    `packets` makes them while it is read, and is to be read before the next day. `values` counts the hourly
    values that modules recorded.
    """

    truth: DayTruth
    changed: list[Record]
    packets: Iterator[Packet]
    values: int


class Field:
    """A field of a plan; the same plan makes the same packets."""

    def __init__(self, plan: FieldPlan) -> None:
        """Lay it out and draw its faults."""
        self.plan = plan
        self.layout = lay_out(plan)
        self.faults = draw(plan, self.layout)
        modules = self.layout.modules
        self.homes = Homes(plan, self.layout)
        skew, drift = flow_faults.clocks(modules.skew_s, modules.drift_ppm, self.faults.every)
        self.conditions = Conditions(plan, self.layout, self.faults, skew, drift)
        self.register = Register(plan, self.layout, self.conditions, self.faults)
        self.rollovers: list[tuple[int, int]] = []

    def days(self) -> Iterator[FieldDay]:
        """The days in order, the last with everything that is still on its way. To be gone through once."""
        plan, layout = self.plan, self.layout
        events = Events(layout, self.faults, self.conditions)
        dispatch = Dispatch(plan, layout, self.faults, self.conditions, events)
        self._registers = Registers(layout)
        first = min((f.first_day for f in self.faults.of("rollover")), default=0)
        flow_faults.wrap_soon(self._registers, self.faults.every, layout, first)
        self._by_day = self.faults.by_day(plan.days)
        sensors = Sensors(plan, layout)
        before: Floats | None = None
        flows = self._flows()
        coming = deque([next(flows)])
        for index in range(plan.days):
            coming.append(next(flows))
            (used, today), (_, after) = coming.popleft(), coming[0]
            start_s = plan.day_start(index)
            changed, counted = self._count(index, before, today, after)
            before = today[:, -1].copy()
            record = self._record(index, used, counted, sensors)
            dispatch.day(record)
            until = None if index == plan.days - 1 else record.end_s + FIRST_STEP_S
            yield FieldDay(
                DayTruth(
                    plan.day(index),
                    start_s,
                    np.rint(used.flow).astype(np.int64),
                    counted.amounts,
                    np.rint(used.lost).astype(np.int64),
                    np.rint(used.outdoor * 1000).astype(np.int64),
                ),
                changed,
                dispatch.take(until),
                counted.pulses.size + record.milli_c.size,
            )

    def _flows(self) -> Iterator[tuple[Used, Floats]]:
        """What flows and what meters register of it, a day more than the field has: clocks look ahead."""
        plan = self.plan
        weather = Weather(plan)
        zone = ZoneInfo(plan.zone)
        for index in range(plan.days + 1):
            start, end = plan.day_start(index), plan.day_start(index + 1)
            instants = range(start, end, HOUR_S)
            hours = np.array([datetime.fromtimestamp(s, UTC).astimezone(zone).hour for s in instants])
            day = plan.day(index)
            outdoor, felt = weather.next_day(day.timetuple().tm_yday, hours)
            used = self.homes.day(index, day.weekday(), hours, outdoor, felt)
            faults = self._by_day.get(index, [])
            flow_faults.leaking(used.flow, used.lost, faults, start, self.layout)
            registered = self._registers.registered(used.flow, used.trickle)
            flow_faults.registering(registered, faults, start, hours)
            yield used, registered

    def _count(
        self, index: int, before: Floats | None, today: Floats, after: Floats
    ) -> tuple[list[Record], Counted]:
        start_s = self.plan.day_start(index)
        faults = self._by_day.get(index, [])
        changes = flow_faults.register_changes(faults, start_s, today.shape[1], self._registers)
        counted = self._registers.day(
            today[:, 0] if before is None else before,
            today,
            after[:, 0],
            self.conditions.clock_offsets(start_s),
            changes,
        )
        declared = {f.meter for f in faults if f.kind == "exchange_declared"}
        records = [
            self.register.exchanged(c.meter, start_s + c.hour * HOUR_S, final, c.register, c.weight)
            for c, final in zip(changes, counted.final, strict=True)
            if c.meter in declared
        ]
        for fault in self.faults.of("rollover"):
            if counted.end[fault.meter] < counted.start[fault.meter]:
                self.rollovers.append((fault.meter, index))
        return records, counted

    def _record(self, index: int, used: Used, counted: Counted, sensors: Sensors) -> DayRecord:
        start_s = self.plan.day_start(index)
        faults = self._by_day.get(index, [])
        twists: dict[int, list[Fault]] = defaultdict(list)
        for fault in faults:
            if fault.kind in TWISTS:
                twists[fault.module].append(fault)
        milli = (np.rint(used.indoor * 10) * 100).astype(np.int32)
        return DayRecord(
            self.layout,
            index,
            start_s,
            used.flow.shape[1],
            counted.pulses,
            counted.start,
            counted.end,
            milli,
            sensors.day(index, start_s, used.outdoor, faults),
            twists,
        )

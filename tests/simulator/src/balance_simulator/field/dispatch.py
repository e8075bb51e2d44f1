"""How days travel: modules heard or not, concentrators that keep what they cannot send, and packets."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from balance_simulator.delivery import Packet
from balance_simulator.field.conditions import Conditions, silent_from
from balance_simulator.field.day_record import DayRecord
from balance_simulator.field.events import Events
from balance_simulator.field.faults import DAY_S, HOUR_S, Fault, Faults
from balance_simulator.field.layout import INTRADAY_15, INTRADAY_30, INTRADAY_60, MONTHLY, WEEKLY, Layout
from balance_simulator.field.plan import FieldPlan, stream_of
from balance_simulator.packets import BACKLOG, BACKLOG_S, LIVE, PAUSE_MS

ARCHIVE_DAYS = 4
"""A module keeps so many days."""
HELD_DAYS = 35
"""A concentrator keeps so many; older ones are lost for ever."""
JITTER_S = 240
COLLECTED_S = 60
"""A concentrator hears its modules from so long after the day's end on."""
STEPS = {INTRADAY_60: 3600, INTRADAY_30: 1800, INTRADAY_15: 900}
FIRST_STEP_S = 900
"""Nothing of a day is sent before so much of it is over."""

Contents = dict[str, Any]


@dataclass
class Batch:
    """A day of some modules at a concentrator. What comes with it besides is of the night it was gathered."""

    record: DayRecord
    modules: list[int]
    states_of: list[int] = field(default_factory=list)
    collected_s: int = 0
    registers: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def kept(self) -> Batch:
        """The same without the rest of the fleet's day."""
        return replace(self, record=self.record.part(self.modules)) if self.modules else self


@dataclass(order=True)
class Parcel:
    """A packet to be made when its time comes."""

    received_ms: int
    number: int
    concentrator: int = field(compare=False)
    newest_s: int = field(compare=False)
    make: Callable[[], Contents] = field(compare=False)
    again_ms: int = field(default=0, compare=False)
    pair: int = field(default=-1, compare=False)
    made: Packet | None = field(default=None, compare=False)


class Dispatch:
    """Everything that is on its way."""

    def __init__(
        self, plan: FieldPlan, layout: Layout, faults: Faults, conditions: Conditions, events: Events
    ) -> None:
        """Nothing is on its way yet."""
        self._plan, self._layout, self._conditions, self._events = plan, layout, conditions, events
        self._recent: deque[DayRecord] = deque(maxlen=ARCHIVE_DAYS)
        self._heard = np.full(len(layout.modules.ids), -1)
        self._held: dict[int, deque[Batch]] = defaultdict(lambda: deque(maxlen=HELD_DAYS))
        self._due: dict[int, list[dict[str, Any]]] = {}
        self._parcels: list[Parcel] = []
        self._number = 0
        self._sequences = [0] * len(layout.concentrators.ids)
        self._pairs: dict[int, int] = {}
        self._moved = faults.of("moved")
        self._conflicts = faults.of("conflicting_duplicate")
        self._repeated = faults.of("duplicate_delivery")
        self._unheard = faults.of("radio_outage", "archive_lost", "battery_dead")
        self._silent = faults.of("gsm_outage", "unpaid_sim", "solar_dark")
        self.clocks = layout.concentrators.skew_s.copy()
        for fault in faults.of("concentrator_clock"):
            self.clocks[fault.concentrator] = fault.magnitude
        modes = layout.modules.mode
        self._intraday = [(m, STEPS[modes[m]]) for m in np.flatnonzero(np.isin(modes, list(STEPS))).tolist()]
        self._registers_only = set(np.flatnonzero((modes == WEEKLY) | (modes == MONTHLY)).tolist())

    def day(self, record: DayRecord) -> None:
        """Take in a day that is over: what was sent of it meanwhile, and what is gathered in its night."""
        self._recent.append(record)
        self._during(record)
        rng = np.random.default_rng(stream_of(self._plan.seed, 8, record.index))
        jitter = rng.integers(0, JITTER_S, len(self._sequences)).tolist()
        deaf = {f.module for f in self._unheard if f.on(record.index)}
        self._make_registers(record)
        for concentrator, base in enumerate(self._layout.concentrators.session_s.tolist()):
            batches = self._gathered(concentrator, record, deaf)
            session_s = record.end_s + base + jitter[concentrator]
            if self._calls(concentrator, session_s, record):
                held = self._held.pop(concentrator, ())
                self._send(concentrator, session_s, [*batches, *reversed(held)], record.index)
            else:
                self._held[concentrator].extend(batch.kept() for batch in reversed(batches))

    def take(self, until_s: int | None) -> Iterator[Packet]:
        """The packets received before an instant, in order; all that are left without one."""
        while self._parcels and (until_s is None or self._parcels[0].received_ms < until_s * 1000):
            parcel = heapq.heappop(self._parcels)
            packet = parcel.made or self._made(parcel)
            if parcel.again_ms and parcel.made is None:
                again = replace(parcel, received_ms=parcel.again_ms, made=packet, number=self._next())
                heapq.heappush(self._parcels, again)
            yield packet if parcel.made is None else {**packet, "received_at": parcel.received_ms}

    def _gathered(self, concentrator: int, record: DayRecord, deaf: set[int]) -> list[Batch]:
        """What a concentrator hears in the night after a day: that day first, then older ones it missed."""
        own = self._members(concentrator, record.index)
        heard = [m for m in own if m not in deaf]
        if not heard:
            return []
        last = self._heard[heard]
        self._heard[heard] = record.index
        regular = [m for m in heard if m not in self._registers_only]
        tonight = Batch(record, regular, heard, record.end_s + COLLECTED_S)
        for m in heard:
            tonight.registers += self._due.pop(m, ())
        tonight.events = self._events.of(heard, record.end_s)
        batches = [tonight]
        if (last < record.index - 1).any():
            for old in list(self._recent)[-2::-1]:
                late = [
                    m for m, before in zip(heard, last.tolist(), strict=True)
                    if before < old.index and m not in self._registers_only
                ]  # fmt: skip
                if late:
                    batches.append(Batch(old, late))
        return batches

    def _members(self, concentrator: int, day: int) -> list[int]:
        low, high = self._layout.concentrators.modules[concentrator : concentrator + 2].tolist()
        own = list(range(low, high))
        for fault in self._moved:
            if day >= fault.first_day and fault.concentrator == concentrator:
                own.remove(fault.module)
            elif day >= fault.first_day and fault.other == concentrator:
                own.append(fault.module)
        return own

    def _calls(self, concentrator: int, session_s: int, record: DayRecord) -> bool:
        if self._layout.concentrators.plan[concentrator] == "WEEKLY" and self._weekday(record) != 6:
            return False
        return not self._is_silent(concentrator, session_s)

    def _is_silent(self, concentrator: int, at_s: int) -> bool:
        return any(
            f.concentrator == concentrator
            and silent_from(f) <= at_s < f.end_s + (f.kind == "unpaid_sim") * DAY_S
            for f in self._silent
        )

    def _weekday(self, record: DayRecord) -> int:
        return self._plan.day(record.index).weekday()

    def _make_registers(self, record: DayRecord) -> None:
        """Weekly and monthly modules set their register aside on the last day of the week or month."""
        week = self._weekday(record) == 6
        month = self._plan.day(record.index + 1).day == 1
        modules, meters = self._layout.modules, self._layout.meters
        for m in self._registers_only:
            if (modules.mode[m] == WEEKLY and week) or (modules.mode[m] == MONTHLY and month):
                first = int(modules.first[m])
                self._due[m] = [
                    {
                        "module_id": modules.ids[m],
                        "channel": int(meters.channel[p]),
                        "start_at": record.end_s * 1000,
                        "offsets_s": [0],
                        "values": [int(record.end[p])],
                    }
                    for p in range(first, first + int(modules.meters[m]))
                ]

    def _send(self, concentrator: int, session_s: int, batches: Sequence[Batch], day: int) -> None:
        """A session: the newest day first, a packet a day."""
        repeated = any(f.concentrator == concentrator and f.on(day) for f in self._repeated)
        for position, batch in enumerate(batches):
            left = batches[position + 1 :]
            oldest = min((one.record.start_s for one in left), default=None)
            at_ms = self._received(concentrator, session_s) + position * PAUSE_MS
            self._push(
                at_ms,
                concentrator,
                batch.record.end_s,
                self._maker(concentrator, batch, session_s, len(left), oldest),
                again_ms=at_ms + HOUR_S * 1000 if repeated else 0,
            )
        for fault in self._conflicts:
            if fault.concentrator == concentrator and fault.first_day == day:
                self._contradict(fault, batches[0], session_s)

    def _contradict(self, fault: Fault, batch: Batch, session_s: int) -> None:
        """Another concentrator heard the same module and delivers one value otherwise, of equal revision."""
        newest = self._parcels_of(fault.concentrator, self._received(fault.concentrator, session_s))
        pair = newest.number
        newest.pair = pair
        record, channel = batch.record, int(self._layout.meters.channel[fault.meter])

        def make() -> Contents:
            archives = record.archives([fault.module])
            other = [one for one in archives if one["channel"] == channel]
            for one in other:
                one["values"][12] += round(fault.magnitude)
            return {"archives": other}

        self._push(
            self._received(fault.other, session_s) + 90_000, fault.other, record.end_s, make, pair=pair
        )

    def _parcels_of(self, concentrator: int, received_ms: int) -> Parcel:
        return next(
            p for p in self._parcels if (p.concentrator, p.received_ms) == (concentrator, received_ms)
        )

    def _maker(
        self, concentrator: int, batch: Batch, session_s: int, left: int, oldest: int | None
    ) -> Callable[[], Contents]:
        def make() -> Contents:
            ahead = float(self.clocks[concentrator])
            return {
                "archives": batch.record.archives(batch.modules),
                "registers": batch.registers,
                "measurements": batch.record.measurements(batch.modules),
                "module_events": batch.events,
                "module_states": self._conditions.states(batch.states_of, ahead, batch.collected_s),
                "session": self._conditions.session(concentrator, session_s, left, oldest),
            }

        return make

    def _during(self, record: DayRecord) -> None:
        """What is sent while the day goes on: intraday modules, answers to requests, a module that moves."""
        for module, step in self._intraday:
            for end in range(step, record.hours * HOUR_S + 1, step):
                self._current(record, module, end - step, end, step)
        for module in self._asked(record.index):
            hours = 6 + (module + record.index) % 14
            self._current(record, module, 0, hours * HOUR_S, HOUR_S)
        for fault in self._moved:
            if fault.first_day == record.index:
                self._current(record, fault.module, 0, record.hours // 2 * HOUR_S, HOUR_S)

    def _asked(self, day: int) -> list[int]:
        """Modules whose current data somebody requests on a day."""
        rng = np.random.default_rng(stream_of(self._plan.seed, 9, day))
        homes = np.flatnonzero(self._layout.homes() & (self._layout.modules.mode == 0))
        odd = {f.module for f in (*self._moved, *self._conflicts)}
        count = min(len(homes), max(int(day % 3 == 0), len(homes) // 2_000))
        return [m for m in rng.choice(homes, count, replace=False).tolist() if m not in odd]

    def _current(self, record: DayRecord, module: int, low_s: int, high_s: int, step_s: int) -> None:
        concentrator = int(self._layout.modules.concentrator[module])
        at_s = record.start_s + high_s + 20 + module % 60
        deaf = any(f.module == module and f.on(record.index) for f in self._unheard)
        if deaf or record.twists.get(module) or self._is_silent(concentrator, at_s):
            return  # current data is not kept for later

        def make() -> Contents:
            return {"archives": record.current(module, low_s, high_s, step_s)}

        self._push(self._received(concentrator, at_s), concentrator, record.start_s + high_s, make)

    def _received(self, concentrator: int, sent_s: int) -> int:
        return sent_s * 1000 + _delay_ms(concentrator)

    def _push(
        self,
        received_ms: int,
        concentrator: int,
        newest_s: int,
        make: Callable[[], Contents],
        again_ms: int = 0,
        pair: int = -1,
    ) -> None:
        parcel = Parcel(received_ms, self._next(), concentrator, newest_s, make, again_ms, pair)
        heapq.heappush(self._parcels, parcel)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _made(self, parcel: Parcel) -> Packet:
        concentrator = parcel.concentrator
        if parcel.pair in self._pairs:
            sequence = self._pairs.pop(parcel.pair)
        elif parcel.pair >= 0:
            sequence = max(self._sequences) + 1_000  # so great that the other has not come so far
            self._pairs[parcel.pair] = sequence
        else:
            sequence = self._sequences[concentrator] + 1
        self._sequences[concentrator] = sequence
        name = self._layout.concentrators.ids[concentrator]
        return {
            "packet_id": f"{name}-{sequence}",
            "concentrator_id": name,
            "sequence": sequence,
            "sent_at": parcel.received_ms
            - _delay_ms(concentrator)
            + round(float(self.clocks[concentrator]) * 1000),
            "received_at": parcel.received_ms,
            "archives": [],
            "registers": [],
            "measurements": [],
            "module_events": [],
            "module_states": [],
            "session": None,
            **parcel.make(),
            "lane": BACKLOG if parcel.received_ms // 1000 - parcel.newest_s > BACKLOG_S else LIVE,
        }


def _delay_ms(concentrator: int) -> int:
    """The way of its packets through the network."""
    return 400 + concentrator * 37 % 2_600

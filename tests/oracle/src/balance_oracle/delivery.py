"""Who is silent, whose battery ends, whose clock is wrong (domain.md §3.18 to §3.20)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import Finding
from balance_oracle.fittings import UsagePoint
from balance_oracle.plans import Battery, Device, Plans
from balance_oracle.settings import DAY, Settings
from balance_oracle.telemetry import Session, Telemetry

MODULE_LIVES = {
    "ER26500": {
        "DAILY": 2190,
        "INTRADAY_60": 187,
        "INTRADAY_30": 95,
        "INTRADAY_15": 48,
        "WEEKLY": 3652,
        "MONTHLY": 3652,
    }
}
CONCENTRATOR_LIVES = {"ER26500": {"DAILY": 640, "WEEKLY": 1826, "MONTHLY": 1826}}
"""Days a battery lasts by type and mode or plan, of docs/batteries.md; no autonomies."""

Lives = dict[str, dict[str, int]]


class Delivery:
    """All findings about modules and concentrators at one clock."""

    def __init__(
        self,
        telemetry: Telemetry,
        plans: Plans,
        points: Iterable[UsagePoint],
        days: MeteringDays,
        settings: Settings,
        clock: int,
    ) -> None:
        self._telemetry = telemetry
        self._plans = plans
        self._points = list(points)
        self._days = days
        self._settings = settings
        self._clock = clock

    def findings(self) -> set[Finding]:
        """Those of §3.18 to §3.20."""
        found = {*self._silent_concentrators(), *self._silent_modules(), *self._batteries()}
        at = {(rule, subject, instant, instant) for rule, subject, instant in found}
        return at | set(self._clocks())

    def backlog_expected(self) -> set[str]:
        """Concentrators that are silent, or that said last that packets are left."""
        told = set[str]()
        for name, sessions in self._telemetry.sessions.items():
            said = [one for one in sessions if one.backlog_packets is not None]
            if said and max(said, key=_recency).backlog_packets:
                told.add(name)
        return told | {name for name in self._concentrators() if self._is_silent(name)}

    def _concentrators(self) -> set[str]:
        known = self._plans.concentrators
        gone = {name for name, device in known.items() if device.deleted}
        return {*self._telemetry.sessions, *known} - gone

    def _heard(self, concentrator: str) -> int | None:
        sessions = self._telemetry.sessions.get(concentrator)
        if sessions:
            return max(session.received for session in sessions)
        device = self._plans.concentrators.get(concentrator)
        return device.settings[0].since if device is not None and device.settings else None

    def _is_over(self, heard: int, allowance: int, patience: int) -> bool:
        return heard + max(1, allowance) * DAY + patience <= self._clock

    def _is_silent(self, concentrator: str, patience: int | None = None) -> bool:
        heard = self._heard(concentrator)
        allowance = self._plans.concentrator_allowance(concentrator, self._clock)
        return heard is not None and self._is_over(heard, allowance, patience or self._settings.silence)

    def _silent_concentrators(self) -> Iterator[tuple[str, str, int]]:
        for name in self._concentrators():
            heard = self._heard(name)
            if heard is None or not self._is_silent(name):
                continue
            yield "delivery.silent_concentrator", name, heard
            if self._is_silent(name, self._settings.unpaid_silence) and self._had_power_and_signal(name):
                yield "delivery.unpaid_sim", name, heard

    def _had_power_and_signal(self, concentrator: str) -> bool:
        device = self._plans.concentrators.get(concentrator)
        sessions = sorted(self._telemetry.sessions.get(concentrator, ()), key=_recency)
        powers = [one.power for one in sessions if one.power != "UNSPECIFIED"]
        signals = [one.signal_dbm for one in sessions if one.signal_dbm is not None]
        return (
            (device is None or device.variant != "SOLAR")
            and powers[-1:] == ["MAINS"]
            and bool(signals)
            and signals[-1] >= self._settings.weak_signal_dbm
        )

    def _silent_modules(self) -> Iterator[tuple[str, str, int]]:
        fitted = {
            fitting.channel[0]
            for point in self._points
            for fitting in point.fittings
            if fitting.fitted <= self._clock < fitting.removed
        }
        for module in fitted & self._telemetry.heard_modules.keys():
            heard, concentrator = self._telemetry.heard_modules[module]
            device = self._plans.modules.get(module)
            allowance = self._plans.module_allowance(module, self._clock)
            if (
                self._is_over(heard, allowance, self._settings.silence)
                and not (device is not None and device.deleted)
                and not (concentrator in self._concentrators() and self._is_silent(concentrator))
            ):
                yield "delivery.silent_module", module, heard

    def _batteries(self) -> Iterator[tuple[str, str, int]]:
        for module, device in self._plans.modules.items():
            battery = self._in_use(device)
            if battery and (
                self._ends_soon(device, battery, MODULE_LIVES) or self._tells_low(module, battery.fitted)
            ):
                yield "delivery.battery", module, battery.fitted
        for concentrator, device in self._plans.concentrators.items():
            battery = self._in_use(device)
            if battery and self._ends_soon(device, battery, CONCENTRATOR_LIVES):
                yield "delivery.battery", concentrator, battery.fitted

    def _in_use(self, device: Device) -> Battery | None:
        fitted = [one for one in device.batteries if one.fitted <= self._clock]
        return fitted[-1] if fitted and not device.deleted else None

    def _ends_soon(self, device: Device, battery: Battery, lives: Lives) -> bool:
        end = forecast_end(device, battery, lives)
        return end is not None and end <= self._clock + self._settings.battery_notice

    def _tells_low(self, module: str, since: int) -> bool:
        states = [one for one in self._telemetry.states.get(module, ()) if one.at >= since]
        events = [
            one
            for one in self._telemetry.events.get(module, ())
            if one.kind == "BATTERY_LOW" and one.at >= since
        ]
        voltage = max(states, key=lambda one: one.at).battery_mv if states else None
        low = voltage is not None and voltage < self._settings.low_battery_mv
        return low or (bool(events) and max(events, key=lambda one: one.order).phase != "ENDED")

    def _clocks(self) -> Iterator[Finding]:
        for concentrator, sessions in self._telemetry.sessions.items():
            for day in {self._days.containing(one.received) for one in sessions if one.ahead != 0}:
                yield "delivery.clock", concentrator, day, self._days.end(day)


def _recency(session: Session) -> tuple[int, str]:
    return session.received, session.packet_id


def forecast_end(device: Device, battery: Battery, lives: Lives) -> int | None:
    """§3.19: when the used share reaches 1; null when the table lacks a mode on the way."""
    modes = lives.get(battery.battery_type, {})
    changes = [one for one in device.settings if one.since > battery.fitted]
    first = device.setting_at(battery.fitted)
    spans = [(battery.fitted, first.mode if first else "DAILY"), *((one.since, one.mode) for one in changes)]
    used = Fraction(0)
    for (start, mode), (end, _) in zip(spans, [*spans[1:], (None, "")], strict=True):
        life = modes.get("DAILY" if mode == "UNSPECIFIED" else mode)
        if life is None:
            return None
        ends = start + (1 - used) * life * DAY
        if end is None or ends <= end:
            return int(ends)
        used += Fraction(end - start, life * DAY)
    return None

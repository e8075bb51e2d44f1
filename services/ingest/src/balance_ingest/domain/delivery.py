"""Who is silent, whose clock is wrong, whose battery ends: a function of what is stored and of the clock
(docs/domain.md §3.18–§3.20).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from balance_ingest.domain import findings
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.findings import Finding, Severity, instant_text, span_text

SOLAR = "SOLAR"
MAINS = "MAINS"


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Defaults of §3.18 and §3.19: silence beyond the period, signal in dBm, voltage in mV."""

    silence_s: int = 48 * HOUR_S
    unpaid_s: int = 5 * DAY_S
    least_signal_dbm: int = -105
    battery_soon_s: int = 90 * DAY_S
    least_battery_mv: int = 3300


class Concentrator(NamedTuple):
    """A concentrator that was heard or is described; the allowance is that of its session plan now."""

    name: str
    heard: int | None
    first_setting: int | None
    deleted: bool
    variant: str
    allowance_days: int

    @property
    def since(self) -> int | None:
        """When it was last heard, or else should have begun to be."""
        return self.first_setting if self.heard is None else self.heard


class Said(NamedTuple):
    """The last power and the last signal that a concentrator told, of whichever sessions."""

    power: str | None
    signal_dbm: int | None


class Module(NamedTuple):
    """A module that was heard, has a channel fitted now and is not deleted; `concentrator` heard it last."""

    name: str
    heard: int
    concentrator: str
    allowance_days: int


class Battery(NamedTuple):
    """A battery in use: what its module told of it since it was fitted, and when it will be empty."""

    device: str
    device_id: str
    battery_type: str
    fitted: int
    forecast_end: int | None
    battery_mv: int | None
    low: bool


def is_silent(heard: int, allowance_days: int, beyond_s: int, clock: int) -> bool:
    """Whether more than its period has passed since something was heard."""
    return heard + max(1, allowance_days) * DAY_S + beyond_s <= clock


def silent_concentrators(
    concentrators: Iterable[Concentrator], clock: int, limits: DeliveryLimits
) -> Mapping[str, Concentrator]:
    """Those that are silent, by name."""
    return {
        one.name: one
        for one in concentrators
        if not one.deleted
        and one.since is not None
        and is_silent(one.since, one.allowance_days, limits.silence_s, clock)
    }


def find_silence(
    silent: Mapping[str, Concentrator],
    said: Mapping[str, Said],
    modules: Iterable[Module],
    clock: int,
    limits: DeliveryLimits,
) -> Iterator[Finding]:
    """`delivery.silent_concentrator`, `delivery.unpaid_sim` and `delivery.silent_module`: one cause, one
    finding.
    """
    for one in silent.values():
        yield _silent_concentrator(one, limits)
        told = said.get(one.name)
        if told and _seems_unpaid(one, told, clock, limits):
            yield _unpaid_sim(one, told, limits)
    for module in modules:
        if module.concentrator not in silent and is_silent(
            module.heard, module.allowance_days, limits.silence_s, clock
        ):
            yield _silent_module(module, limits)


def _seems_unpaid(one: Concentrator, told: Said, clock: int, limits: DeliveryLimits) -> bool:
    return (
        one.heard is not None
        and one.variant != SOLAR
        and is_silent(one.heard, one.allowance_days, limits.unpaid_s, clock)
        and told.power == MAINS
        and told.signal_dbm is not None
        and told.signal_dbm >= limits.least_signal_dbm
    )


def find_batteries(batteries: Iterable[Battery], clock: int, limits: DeliveryLimits) -> Iterator[Finding]:
    """`delivery.battery`: at its end by forecast, by voltage or by its own alarm."""
    for one in batteries:
        reasons = []
        if one.forecast_end is not None and one.forecast_end <= clock + limits.battery_soon_s:
            reasons.append(f"forecast end {instant_text(one.forecast_end)}")
        if one.battery_mv is not None and one.battery_mv < limits.least_battery_mv:
            reasons.append(f"{one.battery_mv:,} mV")
        if one.low:
            reasons.append("its alarm of a low battery")
        if reasons:
            yield _battery(one, " and ".join(reasons), limits)


def find_wrong_clocks(
    concentrators: Sequence[str], received: Sequence[int], offsets: Sequence[int], days: Days
) -> Iterator[Finding]:
    """`delivery.clock` by concentrator and metering day of receipt, of sessions whose κ is not 0."""
    greatest: dict[tuple[str, int], int] = {}
    for name, at, offset in zip(concentrators, received, offsets, strict=True):
        key = name, days.day_of(at)
        greatest[key] = max(greatest.get(key, 0), offset, key=lambda value: (abs(value), value))
    for (name, day), offset in greatest.items():
        yield _wrong_clock(name, day, days.end_of(day), offset)


def _period_text(allowance_days: int, beyond_s: int) -> str:
    return f"{max(1, allowance_days) * 24 + beyond_s // HOUR_S} h"


def _silent_concentrator(one: Concentrator, limits: DeliveryLimits) -> Finding:
    since = one.since or 0
    period = _period_text(one.allowance_days, limits.silence_s)
    found = f"nothing since {instant_text(since)}" if one.heard is not None else "nothing ever"
    return Finding(
        rule=findings.SILENT_CONCENTRATOR,
        about="concentrator",
        severity=Severity.ERROR,
        start=since,
        end=since,
        expected=f"a packet within {period}",
        found=found,
        message=f"Concentrator {one.name} was expected to deliver a packet within {period} and delivered "
        f"{found}: see to its power and its mobile subscription; its modules are silent with it.",
        concentrator_id=one.name,
    )


def _unpaid_sim(one: Concentrator, told: Said, limits: DeliveryLimits) -> Finding:
    heard = one.heard or 0
    period = _period_text(one.allowance_days, limits.unpaid_s)
    return Finding(
        rule=findings.UNPAID_SIM,
        about="concentrator",
        severity=Severity.WARNING,
        start=heard,
        end=heard,
        expected=f"a packet within {period}, of one on the mains with a signal",
        found=f"nothing since {instant_text(heard)}, then on the mains at {told.signal_dbm} dBm",
        message=f"Concentrator {one.name} was on the mains with a signal of {told.signal_dbm} dBm and has "
        f"been silent since {instant_text(heard)}, longer than {period}: probably its mobile subscription "
        "is not paid; ask who pays it.",
        concentrator_id=one.name,
    )


def _silent_module(module: Module, limits: DeliveryLimits) -> Finding:
    period = _period_text(module.allowance_days, limits.silence_s)
    return Finding(
        rule=findings.SILENT_MODULE,
        about="module",
        severity=Severity.WARNING,
        start=module.heard,
        end=module.heard,
        expected=f"something within {period}",
        found=f"nothing since {instant_text(module.heard)}",
        message=f"Module {module.name}, last heard by concentrator {module.concentrator}, was expected to "
        f"send something within {period} and has sent nothing since {instant_text(module.heard)}: see to "
        "its battery and its radio path.",
        module_id=module.name,
    )


def _battery(one: Battery, found: str, limits: DeliveryLimits) -> Finding:
    expected = f"more than {limits.battery_soon_s // DAY_S} days left and {limits.least_battery_mv:,} mV"
    device = one.device.lower()
    return Finding(
        rule=findings.BATTERY,
        about=device,
        severity=Severity.WARNING,
        start=one.fitted,
        end=one.fitted,
        expected=expected,
        found=found,
        message=f"The battery {one.battery_type} of {device} {one.device_id}, "
        f"fitted {instant_text(one.fitted)}: expected {expected}, found {found}; "
        "change it on the next visit.",
        module_id=one.device_id if device == "module" else None,
        concentrator_id=one.device_id if device == "concentrator" else None,
    )


def _wrong_clock(name: str, day: int, end: int, offset_s: int) -> Finding:
    return Finding(
        rule=findings.DELIVERY_CLOCK,
        about="concentrator",
        severity=Severity.WARNING,
        start=day,
        end=end,
        expected="its clock within 60 s of the edge's",
        found=f"{offset_s:+,} s",
        message=f"The clock of concentrator {name} was {abs(offset_s):,} s "
        f"{'ahead' if offset_s > 0 else 'behind'} on {span_text(day, end)}: set it.",
        concentrator_id=name,
    )

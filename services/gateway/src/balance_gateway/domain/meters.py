"""Meters as people see them: registers as the dial shows them, classes in per cent, pulses in litres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from balance_gateway.domain.kinds import Value
from balance_gateway.domain.problems import Problem, RefusedError, expected

_SPACES = str.maketrans("", "", " \u00a0\u2009\u202f")
_PPM_A_PER_CENT = 10_000
_MOST_DIGITS = 18

_FORM_FIELDS = {"accuracy_class_ppm": "accuracy_class", "removed_at": "fitted_at"}


@dataclass(frozen=True, slots=True)
class Units:
    """What people say quantities of a resource in, each with its base units (mL, Wh)."""

    dial: str
    a_dial: int
    pulse: str
    a_pulse: int
    flow: str
    a_flow: int


_VOLUME = Units("m³", 1_000_000, "L", 1_000, "m³/h", 1_000_000)
_ENERGY = Units("kWh", 1_000, "Wh", 1, "kW", 1_000)
UNITS: Mapping[str, Units] = {
    "GAS": _VOLUME,
    "WATER": _VOLUME,
    "HOT_WATER": _VOLUME,
    "HEAT": _ENERGY,
    "ELECTRICITY": _ENERGY,
}
"""By resource; sensors have none, for they have no dial."""


def dial(pulses: int, meter: Value, resource: str) -> str:
    """A register of so many pulses as the dial shows it, with the zeros before it: 04812.37.

    Raises KeyError for a resource without a dial.
    """
    a_dial, weight = UNITS[resource].a_dial, int(meter["pulse_weight"])
    whole, rest = divmod(pulses * weight, a_dial)
    digits = len(str((10 ** min(int(meter["register_digits"]), _MOST_DIGITS) - 1) * weight // a_dial))
    places = _places(weight, a_dial)
    fraction = str(rest * 10**places // a_dial).rjust(places, "0")
    return str(whole).rjust(digits, "0") + (f".{fraction}" if places else "")


def _places(weight: int, a_dial: int) -> int:
    """Decimals that tell one pulse from the next."""
    places = 0
    while a_dial > 1 and weight % a_dial and places < _MOST_DIGITS:
        places, a_dial = places + 1, a_dial // 10
    return places


def in_units(base: int, a_unit: int) -> str:
    """Base units in units of so many each, exactly, without needless zeros."""
    return f"{(Decimal(base) / a_unit).normalize():f}"


def class_said(ppm: int) -> str:
    """An accuracy class as the meter's face has it: 15000 is 1.5."""
    return in_units(ppm, _PPM_A_PER_CENT)


class Form:
    """Fields of a form as people wrote them, read one by one; all that is wrong is noted."""

    def __init__(self, fields: Mapping[str, str], subject: str) -> None:
        """Nothing is wrong yet."""
        self._fields = fields
        self._subject = subject
        self.problems: list[Problem] = []

    def text(self, name: str) -> str | None:
        """What stands in a field, None for nothing."""
        return self._fields.get(name, "").strip() or None

    def needed(self, name: str, what: str) -> str | None:
        """What stands in a field that must not be empty."""
        found = self.text(name)
        if found is None:
            self._wrong(name, what, None)
        return found

    def base(self, name: str, a_unit: int, what: str, *, is_needed: bool = True) -> int | None:
        """A quantity in units of so many base units each, in base units, rounded down."""
        found = self.needed(name, what) if is_needed else self.text(name)
        if found is None:
            return None
        try:
            number = Decimal(found.translate(_SPACES).replace(",", "."))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not 0 <= number < Decimal(10) ** _MOST_DIGITS:
            self._wrong(name, what, found)
            return None
        return int(number * a_unit)

    def register(self, name: str, weight: int, units: Units, *, is_needed: bool) -> int | None:
        """A register as the dial shows it, in pulses."""
        what = f"a register in {units.dial} such as 4812.37"
        found = self.base(name, units.a_dial, what, is_needed=is_needed)
        return None if found is None else found // max(weight, 1)

    def check(self) -> None:
        """Raises RefusedError with all that was wrong."""
        if self.problems:
            raise RefusedError(self.problems)

    def _wrong(self, name: str, what: str, found: str | None) -> None:
        self.problems.append(Problem(self._subject, (name,), expected(what, found)))


def meter_of(form: Form, resource: str, fitted_at: str | None) -> dict[str, Any]:
    """A meter as a form tells it; what is wrong is noted in the form."""
    units = UNITS[resource]
    weight = form.base("pulse_weight", units.a_pulse, f"the {units.pulse} a pulse stands for, such as 10")
    return {
        "meter_number": form.needed("meter_number", "the number on the meter"),
        "fitted_at": fitted_at,
        "accuracy_class_ppm": form.base("accuracy_class", _PPM_A_PER_CENT, "a class such as 1.5"),
        "pulse_weight": weight,
        "register_digits": form.base("register_digits", 1, "how many digits the register has"),
        "q_max": form.base("q_max", units.a_flow, f"the greatest flow in {units.flow}, such as 6"),
        "initial_register": form.register("initial_register", weight or 1, units, is_needed=False),
    }


def exchanged(point: Value, fields: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """Meters of a usage point once another was put in place of the one that is fitted.

    Fields: fitted_at, final_register (as the dial shows it), and those of `meter_of`. Raises RefusedError.
    """
    form = Form(fields, f"usage-point/{point['usage_point_id']}")
    at = form.needed("fitted_at", "when it was exchanged, such as 2026-03-12T09:30")
    meters = list(point["meters"])
    if meters and meters[-1]["removed_at"] is None:
        old = meters[-1]
        final = form.register(
            "final_register", int(old["pulse_weight"]), UNITS[point["resource"]], is_needed=True
        )
        meters[-1] = {**old, "removed_at": at, "final_register": final}
    meters.append(meter_of(form, point["resource"], at))
    form.check()
    return meters


def like(meter: Value, resource: str) -> dict[str, str]:
    """The fields of `meter_of` for another meter of the same make: all but its number and register."""
    units = UNITS[resource]
    return {
        "accuracy_class": class_said(meter["accuracy_class_ppm"]),
        "register_digits": str(meter["register_digits"]),
        "pulse_weight": in_units(meter["pulse_weight"], units.a_pulse),
        "q_max": in_units(meter["q_max"], units.a_flow),
    }


def form_field(problem: Problem) -> str:
    """The field of a form in which a problem of the register can be mended: the innermost of its path."""
    name = next((part for part in reversed(problem.path) if isinstance(part, str)), "")
    return _FORM_FIELDS.get(name, name)

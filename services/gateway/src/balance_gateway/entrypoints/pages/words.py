"""Quantities, instants and shares as people of a language write them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import get_decimal_symbol
from balance_kernel.quantity import Unit

NOTHING = "—"
THIN = "\u202f"
"""A narrow space that no line breaks at, between thousands and before a unit."""
MINUS = "−"
_SHOWN_AS = {
    Unit.MILLILITRE: ("m³", 6),
    Unit.WATT_HOUR: ("kWh", 3),
    Unit.MILLIDEGREE_CELSIUS: ("°C", 3),
    Unit.THOUSANDTH: ("", 3),
}
"""What a base unit is shown as, and how many decimal digits smaller it is."""
_THREE_DIGITS = Context(prec=3)
Figure = int | float | Decimal


def number(value: Figure | None, locale: str, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number with so many decimals, or 3 significant digits at least: −1 234,5; nothing is a dash."""
    if value is None:
        return NOTHING
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    if not exact.is_finite():
        return NOTHING
    if decimals is None:
        decimals = 0 if isinstance(value, int) else _decimals(exact)
    rounded = _rounded(exact, decimals)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    text = f"{abs(rounded):,f}".replace(",", THIN)
    return sign + text.replace(".", get_decimal_symbol(locale))


def quantity(
    value: Figure | None,
    unit: str,
    locale: str,
    decimals: int | None = None,
    *,
    signed: bool = False,
    symbol: str | None = None,
) -> str:
    """Base units as people read them: mL as m³, Wh as kWh, m°C as °C, thousandths as `symbol` says."""
    if value is None:
        return NOTHING
    shown, power = _SHOWN_AS[Unit(unit)]
    figure = number(Decimal(str(value)).scaleb(-power), locale, decimals, signed=signed)
    name = shown if symbol is None else symbol
    return f"{figure}{THIN}{name}" if name and figure != NOTHING else figure


def share(value: Figure | None, locale: str, decimals: int = 1, *, signed: bool = False) -> str:
    """A share of one in per cent: 0.017 is 1.7 %."""
    if value is None:
        return NOTHING
    figure = number(Decimal(str(value)) * 100, locale, decimals, signed=signed)
    return figure if figure == NOTHING else f"{figure}{THIN}%"


def instant(value: datetime | None, zone: str, locale: str) -> str:
    """An aware instant by the clocks of a zone, to the minute: 9 nov. 2025, 14:05."""
    if value is None:
        return NOTHING
    return format_datetime(value, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=Locale.parse(locale))


def day(value: date | datetime | None, zone: str, locale: str) -> str:
    """A day of the calendar, or that on which an instant falls in a zone: 9 nov. 2025."""
    if value is None:
        return NOTHING
    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(zone)).date()
    return format_date(value, "d MMM y", locale=Locale.parse(locale))


def _decimals(value: Decimal) -> int:
    """That leave 3 significant digits, none after the point of a number from 100 on."""
    return max(0, 2 - value.normalize(_THREE_DIGITS).adjusted()) if value else 0


def _rounded(value: Decimal, decimals: int) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return abs(rounded) if rounded == 0 else rounded

"""Words and numbers on a terminal, and the same in plain ASCII where there is none."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import Console

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {"MILLILITRE": ("m³", 1_000_000), "WATT_HOUR": ("kWh", 1_000), "MILLIDEGREE_CELSIUS": ("°C", 1_000)}
_ASCII = {
    "\N{NARROW NO-BREAK SPACE}": " ",
    "±": "+/-",
    "—": "-",
    "–": "-",
    "−": "-",
    "→": "->",
    "·": "|",
    "³": "3",
    "×": "x",
    "✓": "ok",
    "✗": "WRONG",
    "°": "",
    "…": "...",
    "ρ": "rho",
}
_PLAIN_WIDTH = 150


@dataclass(frozen=True)
class Screen:
    """A console, and whether it shows more than ASCII."""

    console: Console
    rich: bool

    @property
    def box(self) -> box.Box:
        """Lines of tables."""
        return box.SIMPLE_HEAD if self.rich else box.ASCII2

    def text(self, words: str) -> str:
        """The words as this screen can show them."""
        if self.rich:
            return words
        for letter, plain in _ASCII.items():
            words = words.replace(letter, plain)
        return words

    def say(self, words: str, style: str = "") -> None:
        """A line."""
        self.console.print(self.text(words), style=style, markup=False, highlight=False, soft_wrap=True)


def here() -> Screen:
    """The screen of this process: full in a terminal, ASCII without colours otherwise."""
    if sys.stdout.isatty():
        return Screen(Console(), rich=True)
    return Screen(Console(width=_PLAIN_WIDTH, no_color=True, force_terminal=False), rich=False)


def unit_of(unit: str) -> str:
    """The unit in which quantities of a base unit are shown."""
    return _UNITS[unit][0]


def amount(base: float | None, unit: str, *, signed: bool = False) -> str:
    """A quantity in the shown unit with one decimal and thin spaces; a dash for none."""
    if base is None:
        return "—"
    value = base / _UNITS[unit][1]
    text = f"{abs(value):,.1f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    sign = "−" if value < 0 and text != "0.0" else "+" if signed else ""
    return sign + text


def percent(share: float | None, *, signed: bool = False) -> str:
    """A share as percent with one decimal; a dash for none."""
    if share is None:
        return "—"
    text = f"{abs(share) * 100:.1f} %"
    return ("−" if share < 0 and text != "0.0 %" else "+" if signed else "") + text


def day(instant: datetime) -> str:
    """A local day in words, such as 4 Nov."""
    return f"{instant.day} {_MONTHS[instant.month - 1]}"


def span(first: datetime, last: datetime) -> str:
    """First and last day in words."""
    if first.date() == last.date():
        return f"{day(first)} {first.year}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)} {last.year}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{day(first)}{year} – {day(last)} {last.year}"

"""Small charts of the relative imbalance: numbers for the attributes of an SVG.

The box is WIDTH by HEIGHT; zero lies in the middle, the scale is the largest of what is shown, at least 1 %
of the supply, and what exceeds 10 times the tolerance is cut: one absurd day must not flatten the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 120, 28
_LEAST_SCALE = 0.01
_CUT = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """A day: `tone` is act, fine, unsure or none."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Spark:
    """Bars from the oldest day to the newest, and the band of tolerance by its upper edge and height."""

    bars: Sequence[Bar]
    band_y: float
    band_height: float


_TONES = {"LOSS": "act", "SURPLUS": "act", "WITHIN_TOLERANCE": "fine"}


def spark(days: Sequence[Mapping[str, Any]], slots: int) -> Spark:
    """Of rows of `group_trends` with their `place`: days before the newest, which is the last of `slots`.

    A day that is not computable is a mark on the line of zero, one that is not there a gap.
    """
    tolerances = [day["tolerance_share"] for day in days if day["tolerance_share"] is not None]
    band = sorted(tolerances)[len(tolerances) // 2] if tolerances else 0.0
    limit = _CUT * max(band, _LEAST_SCALE)
    shares = [abs(day["share"]) for day in days if day["share"] is not None]
    scale = min(limit, max([_LEAST_SCALE, band * 1.25, *shares]))
    middle, step = HEIGHT / 2, WIDTH / slots
    bars = [
        _bar(day, (slots - 1 - day["place"]) * step, step, middle, scale)
        for day in days
        if day["place"] < slots
    ]
    half = min(1.0, band / scale) * middle
    return Spark(bars, round(middle - half, 1), round(2 * half, 1))


def _bar(day: Mapping[str, Any], x: float, step: float, middle: float, scale: float) -> Bar:
    share = day["share"]
    width = round(step * 0.75, 1)
    tone = _tone(day)
    if share is None:  # nothing known, or no supply to speak of
        return Bar(round(x, 1), middle - 0.5, width, 1.0, tone)
    height = max(1.0, min(1.0, abs(share) / scale) * middle)
    top = middle - height if share > 0 else middle
    return Bar(round(x, 1), round(top, 1), width, round(height, 1), tone)


def _tone(day: Mapping[str, Any]) -> str:
    known = _TONES.get(day["verdict"])
    return known or ("unsure" if day["coverage"] == "UNRELIABLE" else "none")

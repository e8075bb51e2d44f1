"""Colours and words: one meaning everywhere, and never a colour without its word.

Green fits, amber is uncertain or incomplete, red is to be acted on, grey is no data. The tones stay apart for
colour-blind people and on light and dark grounds (after Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

GREEN = "#009E73"
AMBER = "#E69F00"
RED = "#D55E00"
GREY = "#8E8E8E"
BLUE = "#0072B2"
LIGHT_BLUE = "#56B4E9"

VERDICTS = {
    "WITHIN_TOLERANCE": ("within tolerance", GREEN),
    "UNDECIDED": ("unreliable", AMBER),
    "SURPLUS": ("SURPLUS", RED),
    "LOSS": ("LOSS", RED),
}
COVERAGES = {
    "COMPLETE": ("complete", GREEN),
    "ESTIMATED": ("estimated", AMBER),
    "UNRELIABLE": ("unreliable", AMBER),
    "NOT_COMPUTABLE": ("not computable", GREY),
}
STATUSES = {
    "RECEIVED": ("received", GREEN),
    "AWAITED": ("awaited", LIGHT_BLUE),
    "PARTIAL": ("partial", AMBER),
    "MISSING": ("missing", RED),
}
NUMBERED = {"NOT_COMPUTABLE": 0, "WITHIN_TOLERANCE": 1, "UNDECIDED": 2, "SURPLUS": 3, "LOSS": 4}
"""Verdicts as numbers, for panels that draw numbers alone."""

Words = Mapping[str, tuple[str, str]]


def mapping(words: Words) -> models.ValueMap:
    """Shows each value by its word, in its colour."""
    return _map({value: (text, colour) for value, (text, colour) in words.items()})


def numbered() -> models.ValueMap:
    """Shows the numbers of NUMBERED by word and colour."""
    words = {**VERDICTS, "NOT_COMPUTABLE": COVERAGES["NOT_COMPUTABLE"]}
    return _map({str(number): words[verdict] for verdict, number in NUMBERED.items()})


def yes_or_no(yes: str, colour: str) -> models.ValueMap:
    """Shows true by a word in a colour and false by nothing."""
    return _map({"true": (yes, colour), "false": ("", "transparent")})


def series(words: Words) -> Sequence[tuple[str, str]]:
    """(name, colour) of one line or bar a value."""
    return [(text, colour) for text, colour in words.values()]


def thresholds(*steps: tuple[float | None, str]) -> builders.ThresholdsConfig:
    """Colours from values on; the first step has None."""
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def _map(words: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )

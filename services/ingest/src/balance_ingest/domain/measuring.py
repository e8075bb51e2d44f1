"""Measurements of data loggers, taken apart into evidence of three channels (docs/domain.md §2.6)."""

from __future__ import annotations

from collections.abc import Iterator

from balance_ingest.domain.packets import CHANNELS, Archive, Measurements

MINIMA_AT = CHANNELS
"""Added to a channel's number: the channel of its minima."""
MAXIMA_AT = 2 * CHANNELS
"""Added to a channel's number: the channel of its maxima."""


def archives_of(measurements: Measurements) -> Iterator[Archive]:
    """Averages, minima and maxima as archives of channels c, c + 16 and c + 32, without registers.

    A device that keeps no minima or maxima has archives without values of them.
    """
    module_id, channel, rank, start, step, averages, minima, maxima, missing, _ = measurements
    yield Archive(module_id, channel, rank, start, step, averages, missing)
    for beside, values in ((MINIMA_AT, minima), (MAXIMA_AT, maxima)):
        yield Archive(module_id, channel + beside, rank, start, step, values, missing if values else ())


def extremes_fault(measurements: Measurements) -> tuple[str, str] | None:
    """(expected, found) when minima or maxima are neither empty nor as long as the averages."""
    count = len(measurements.averages)
    for name, values in (("minima", measurements.minima), ("maxima", measurements.maxima)):
        if len(values) not in (0, count):
            return f"{name} for none or each of {count} averages", f"{len(values)}"
    return None

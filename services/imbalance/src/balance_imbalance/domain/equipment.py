"""What hangs on a usage point's modules: how long it may be silent, and its thermometer (docs/domain.md §4.1,
§4.5).

Instants are seconds since 1970 (UTC), spans half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balance_kernel.plans import Allowance, allowance_at


@dataclass(frozen=True, slots=True)
class ThermometerSpan:
    """On days that start from ``start`` up to, not including, ``end`` the thermometer of a usage point is
    this one.
    """

    start: int
    end: int
    thermometer: int


@dataclass(frozen=True)
class Equipment:
    """Allowances and thermometers by usage point; those without are left out. Spans of one do not overlap."""

    allowances: Mapping[int, Sequence[Allowance]] = field(default_factory=dict)
    thermometers: Mapping[int, Sequence[ThermometerSpan]] = field(default_factory=dict)

    def allowance_days(self, usage_point: int, day_start: int) -> int:
        """The allowance (§3.17) of a usage point on the day that starts then, in days; 0 without any."""
        return allowance_at(self.allowances.get(usage_point, ()), day_start)

    def thermometer_of(self, usage_point: int, day_start: int) -> int | None:
        """The usage point (surrogate) whose temperature is that of this one on the day that starts then.

        Only usage points of gas have one (§4.5).
        """
        spans = self.thermometers.get(usage_point, ())
        return next((span.thermometer for span in spans if span.start <= day_start < span.end), None)

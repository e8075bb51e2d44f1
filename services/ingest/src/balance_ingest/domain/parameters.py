"""Parameters of the rules by resource and size of meter (docs/domain.md §3.16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from balance_kernel.quantity import Resource, Unit


@dataclass(frozen=True, slots=True)
class Parameters:
    """`zero_days` N, `stuck_hours` K, `usual_factor` F, `spike_share` A of Qmax, `sum_tolerance` of §3.4 in
    pulses.
    """

    zero_days: int = 14
    stuck_hours: int = 24
    usual_factor: float = 3.0
    spike_share: float = 0.5
    sum_tolerance: int = 2


METERED = frozenset(resource for resource in Resource if resource.unit in (Unit.MILLILITRE, Unit.WATT_HOUR))
"""Resources of which a meter counts consumption."""

_LARGE_FLOW = {
    Resource.GAS: 25_000_000,
    Resource.WATER: 25_000_000,
    Resource.HOT_WATER: 25_000_000,
    Resource.HEAT: 100_000,
    Resource.ELECTRICITY: 100_000,
}
"""From this Qmax on, in base units an hour, a meter is large: 25 m³/h or 100 kWh/h."""

_USUAL = Parameters()
_OF_LARGE = replace(_USUAL, zero_days=3, usual_factor=2.0)


@dataclass(frozen=True)
class ParameterTable:
    """Parameters of ordinary meters by resource, and of large ones."""

    ordinary: Mapping[Resource, Parameters] = field(
        default_factory=lambda: {
            Resource.HEAT: replace(_USUAL, zero_days=60, stuck_hours=48),
            Resource.ELECTRICITY: replace(_USUAL, zero_days=7),
        }
    )
    large: Parameters = _OF_LARGE

    def of(self, resource: Resource, q_max: int) -> Parameters:
        """Parameters of a meter; `q_max` in base units an hour."""
        if q_max >= _LARGE_FLOW.get(resource, q_max + 1):
            return self.large
        return self.ordinary.get(resource, _USUAL)

    @property
    def reach_days(self) -> int:
        """How many days after one its reading may bear on `vee.zero`, `vee.stuck` and `vee.above_usual`."""
        return max(max(p.zero_days, p.stuck_hours // 23 + 2) for p in self._every) + USUAL_DAYS + 1

    @property
    def least_factor(self) -> float:
        """The least of all factors F."""
        return min(p.usual_factor for p in self._every)

    @property
    def least_share(self) -> float:
        """The least of all shares A."""
        return min(p.spike_share for p in self._every)

    @property
    def _every(self) -> Sequence[Parameters]:
        return (*self.ordinary.values(), self.large, _USUAL)


DEFAULTS = ParameterTable()

USUAL_DAYS = 28
"""How far back the usual lies."""

"""Every metric of this service beside those of the chassis."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class GatewayMetrics:
    """How much is on the register."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all of them."""
        self.entities = Gauge(
            "balance_gateway_entities",
            "Entities that stand on the register, by kind",
            ["kind"],
            registry=registry,
        )

"""Every metric of this service beside those of the chassis."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from balance_ingest.handlers import Outcome


class IngestMetrics:
    """Counters of what was heard, computed and refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all of them."""
        self.channel_days_touched = Counter(
            "balance_ingest_channel_days_touched_total",
            "Channel-days whose evidence said something new",
            registry=registry,
        )
        self.plain_days = Counter(
            "balance_ingest_plain_days_total",
            "Touched channel-days that were computed all at once, without thought",
            registry=registry,
        )
        self.elements_refused = Counter(
            "balance_ingest_elements_refused_total",
            "Elements of packets that were refused and kept with their finding",
            registry=registry,
        )
        self.days_marked = Counter(
            "balance_ingest_channel_days_marked_by_assets_total",
            "Channel-days marked because the register changed",
            registry=registry,
        )

    def handled(self, outcome: Outcome) -> None:
        """Count one batch of packets."""
        self.channel_days_touched.inc(outcome.touched)
        self.plain_days.inc(outcome.plain)
        self.elements_refused.inc(outcome.refused)

"""Every metric of this service beside those of the chassis."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

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
        self.days_decided = Counter(
            "balance_ingest_days_marked_by_decisions_total",
            "Days of usage points marked because an operator's decision changed",
            registry=registry,
        )
        self.days_marked = Counter(
            "balance_ingest_channel_days_marked_by_assets_total",
            "Channel-days marked because the register changed",
            registry=registry,
        )

        self.set_aside = Counter(
            "balance_ingest_channels_set_aside_total",
            "Channels whose marked days could not be computed and were set aside",
            registry=registry,
        )
        self.delivery_looks = Counter(
            "balance_ingest_delivery_looks_total",
            "Looks at delivery after which nothing was left to judge",
            registry=registry,
        )
        self.edge_connected = Gauge(
            "balance_ingest_edge_connected",
            "1 while the edge is subscribed at its MQTT broker",
            registry=registry,
        )
        self.edge_in_hand = Gauge(
            "balance_ingest_edge_messages_in_hand",
            "Messages of devices that are under way to Kafka",
            registry=registry,
        )
        self.edge_packets = Counter(
            "balance_ingest_edge_messages_total",
            "Messages of devices that Kafka has, by the topic they went to; refused ones have their own",
            ["topic"],
            registry=registry,
        )
        self.edge_receipts_failed = Counter(
            "balance_ingest_edge_receipts_failed_total",
            "Receipts and refusals that the MQTT broker did not take; the device sends its packet again",
            registry=registry,
        )
        self.edge_counter_restarts = Counter(
            "balance_ingest_edge_counter_restarts_total",
            "Packet counters of devices that began anew",
            registry=registry,
        )

    def handled(self, outcome: Outcome) -> None:
        """Count one batch of packets."""
        self.channel_days_touched.inc(outcome.touched)
        self.plain_days.inc(outcome.plain)
        self.elements_refused.inc(outcome.refused)

"""Every metric of this service beside those of the chassis."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class ImbalanceMetrics:
    """Counters of what was told, computed and changed, and gauges of what waits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reading_days_changed = Counter(
            "balance_imbalance_reading_days_changed_total",
            "Reading days whose values or qualities changed",
            registry=registry,
        )
        self.group_days_marked = Counter(
            "balance_imbalance_group_days_marked_by_assets_total",
            "Group-days marked because the register changed",
            registry=registry,
        )
        self.weather_days_changed = Counter(
            "balance_imbalance_weather_days_changed_total",
            "Weather days of sources whose temperatures changed",
            registry=registry,
        )
        self.group_days_marked_by_weather = Counter(
            "balance_imbalance_group_days_marked_by_weather_total",
            "Group-days marked because the weather changed",
            registry=registry,
        )
        self.weather_asked = Counter(
            "balance_imbalance_weather_service_asked_total",
            "Questions to the weather service, by whether there was weather in the answer",
            ["outcome"],
            registry=registry,
        )
        self.group_days_computed = Counter(
            "balance_imbalance_group_days_computed_total", "Group-days computed", registry=registry
        )
        self.group_days_changed = Counter(
            "balance_imbalance_group_days_changed_total",
            "Group-days whose figures changed and were named to the publisher",
            registry=registry,
        )
        self.inadequacy_markers_taken = Counter(
            "balance_imbalance_inadequacy_markers_taken_total",
            "Marks of homes and thermometers for which inadequacy days were computed",
            registry=registry,
        )
        self.inadequacy_days_changed = Counter(
            "balance_imbalance_inadequacy_days_changed_total",
            "Inadequacy days that changed and were named to the publisher",
            registry=registry,
        )
        self.forecasts_computed = Counter(
            "balance_imbalance_forecasts_computed_total", "Forecasts computed", registry=registry
        )
        self.forecasts_changed = Counter(
            "balance_imbalance_forecasts_changed_total",
            "Forecasts whose figures changed and were named to the publisher",
            registry=registry,
        )
        self.onset_days_followed = Counter(
            "balance_imbalance_onset_days_followed_total",
            "Group-days gone over for onsets and hourly alarms",
            registry=registry,
        )
        self.onsets_changed = Counter(
            "balance_imbalance_onsets_changed_total",
            "Onsets that changed or were withdrawn, and were named to the publisher",
            registry=registry,
        )
        self.hour_alarms_changed = Counter(
            "balance_imbalance_hour_alarms_changed_total",
            "Hourly alarms that changed or were withdrawn, and were named to the publisher",
            registry=registry,
        )
        self.markers_waiting = Gauge(
            "balance_imbalance_markers_waiting",
            "Markers of results to compute, by kind and lane; 100,000 stands for more",
            ["kind", "lane"],
            registry=registry,
        )
        self.markers_oldest = Gauge(
            "balance_imbalance_markers_oldest_seconds",
            "How long the oldest of these waits; 0 without any",
            ["kind", "lane"],
            registry=registry,
        )
        self.nightly_done_to = Gauge(
            "balance_imbalance_nightly_done_to_timestamp_seconds",
            "Start of the last metering day that fell due, by kind of nightly results",
            ["kind"],
            registry=registry,
        )

    def waiting(
        self, markers: Mapping[tuple[str, str], tuple[int, float]], done_to: Mapping[str, float]
    ) -> None:
        """Show what waits: (kind, lane) to number and age in seconds, kind to the last day that fell due."""
        for labels, (number, age_s) in markers.items():
            self.markers_waiting.labels(*labels).set(number)
            self.markers_oldest.labels(*labels).set(age_s)
        for kind, day in done_to.items():
            self.nightly_done_to.labels(kind).set(day)

    def watched(self, days: int, onsets: int, alarms: int) -> None:
        """Count one transaction on onsets and hourly alarms."""
        self.onset_days_followed.inc(days)
        self.onsets_changed.inc(onsets)
        self.hour_alarms_changed.inc(alarms)

    def inadequacy_computed(self, taken: int, changed: int) -> None:
        """Count one transaction on inadequacy days."""
        self.inadequacy_markers_taken.inc(taken)
        self.inadequacy_days_changed.inc(changed)

    def forecast(self, computed: int, changed: int) -> None:
        """Count one transaction of forecasts."""
        self.forecasts_computed.inc(computed)
        self.forecasts_changed.inc(changed)

    def computed(self, computed: int, changed: int) -> None:
        """Count one transaction of the worker."""
        self.group_days_computed.inc(computed)
        self.group_days_changed.inc(changed)

"""The page of metrics lists what services register: each once, with its labels and its own words."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from balance_chassis.metrics import ChassisMetrics
from balance_gateway.metrics import GatewayMetrics
from balance_imbalance.metrics import ImbalanceMetrics
from balance_ingest.metrics import IngestMetrics
from prometheus_client import CollectorRegistry, Metric

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


class Described(CollectorRegistry):
    """A registry that remembers the labels of what is registered, which have no sample as yet."""

    def rows(self) -> Iterator[str]:
        """A row of the page for each."""
        for collector in self._collector_to_names:
            (metric,) = collector.collect()
            labels: Sequence[str] = getattr(collector, "_labelnames", ())
            yield f"| `{_name(metric)}` | {', '.join(labels)} | {metric.documentation} |"


def _name(metric: Metric) -> str:
    return metric.name + ("_total" if metric.type == "counter" else "")


def registered(part: str) -> list[str]:
    registry = Described()
    if part == "Every process":
        ChassisMetrics("a-service", registry)
        return [row.replace("balance_a_service_", "balance_<service>_") for row in registry.rows()]
    {"gateway": GatewayMetrics, "ingest": IngestMetrics, "imbalance": ImbalanceMetrics}[part](registry)
    return list(registry.rows())


@pytest.mark.parametrize("part", ["Every process", "gateway", "ingest", "imbalance"])
def test_the_page_lists_every_metric(part: str) -> None:
    _, _, rest = PAGE.read_text().partition(f"\n## {part}\n")
    section, *_ = rest.partition("\n## ")
    told = [line for line in section.splitlines() if line.startswith("| `")]
    assert told == registered(part)

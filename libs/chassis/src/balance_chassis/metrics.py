"""The metrics every process has: one object with a registry, to which a service adds its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class ChassisMetrics:
    """Counters of sink, publisher, worker, outbox and dead letters:
    `balance_<service>_<noun>_<unit>[_total]`.

    Labels are names of topics, groups and runnables, and kinds of errors: few and known.
    """

    def __init__(self, service: str, registry: CollectorRegistry | None = None) -> None:
        self.service = service
        self.registry = registry or CollectorRegistry()
        self.sink_records = self._counter("sink_records_total", "Records handled, or given up", "group")
        self.sink_weight = self._counter("sink_weight_total", "Weight (days) of what was handled", "group")
        self.sink_batch_seconds = self._histogram(
            "sink_batch_seconds", "Time a batch took to handle", "group"
        )
        self.dead_letters = self._counter("dead_letters_total", "Records given up", "group", "kind")
        self.retries = self._counter(
            "retries_total", "Tries repeated because a dependency was away", "runnable"
        )
        self.waiting = self._gauge("waiting_for_dependency", "1 while a dependency is waited for", "runnable")
        self.outbox_rows = self._counter("outbox_rows_total", "Outbox rows published and deleted", "topic")
        self.published = self._counter(
            "published_records_total", "Records acknowledged by the broker", "topic"
        )
        self.unpublished = self._counter(
            "unpublished_records_total", "Records given up as too large for their topic", "topic"
        )
        self.worker_steps = self._counter("worker_steps_total", "Pieces of work done", "worker")
        self.worker_step_seconds = self._histogram("worker_step_seconds", "Time a step took", "worker")
        self.set_aside = self._counter(
            "set_aside_total", "Marked days set aside because they failed alone", "markers"
        )
        self.days_aside = self._gauge("set_aside_days", "Marked days that are set aside now", "markers")
        self.errors = self._counter(
            "unforeseen_errors_total", "Errors that are neither data nor dependency", "runnable"
        )

    def _name(self, name: str) -> str:
        return f"balance_{self.service.replace('-', '_')}_{name}"

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(self._name(name), text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(self._name(name), text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(self._name(name), text, labels, registry=self.registry, buckets=_BATCH_SECONDS)

"""The worker: does what is due, step after step, and sleeps when nothing is."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from balance_chassis.errors import FailureLimit, Fatal
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, pause
from balance_chassis.threads import OneThread

_AFTER_ERROR_S = 1.0
_GIVES_WAY_S = 60.0
"""A step that gives way is done once in this time all the same."""
_log = logging.getLogger(__name__)


class Worker:
    """Runs `step` in a thread of its own until it gives 0 (nothing was due), then again after `idle_s`.

    With a `share`, it idles the longer the longer a step took that found nothing due: looking takes at most
    that share of the time.
    While `gives_way` says so, what goes before is due, and a step is done once a minute at most.
    A step is one transaction, or several, and bears being repeated. Transient errors are waited out; others
    are logged and counted, and too many of them end the process.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], int],
        *,
        metrics: ChassisMetrics,
        idle_s: float = 0.1,
        share: float = 1.0,
        gives_way: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = f"worker {name}"
        self.progress = Progress(self.name)
        self._label = name
        self._step = step
        self._metrics = metrics
        self._idle_s = idle_s
        self._share = share
        self._gives_way = gives_way
        self._stepped_at = -math.inf
        self._failures = FailureLimit()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; a step under way is finished. Raises Fatal after too many unforeseen errors."""
        self._thread = OneThread(self.name)
        self.progress.ready = True
        try:
            while not stop.is_set():
                done, idle_s = await self._stepped(stop)
                if not done:
                    await pause(stop, idle_s)
        except Stopped:
            _log.info("%s stopped while it waited; what is due stays due", self.name)
        finally:
            self.progress.ready = False
            self._thread.close()

    async def _stepped(self, stop: asyncio.Event) -> tuple[int, float]:
        try:
            with self._metrics.worker_step_seconds.labels(self._label).time():
                done, took = await patiently(
                    lambda: self._thread(self._timed),
                    progress=self.progress,
                    stop=stop,
                    metrics=self._metrics,
                )
        except (Fatal, Stopped):
            raise
        except Exception:
            _log.exception("%s: an unforeseen error; the step is tried again", self.name)
            self._metrics.errors.labels(self.name).inc()
            self._failures.admit()
            return 0, _AFTER_ERROR_S
        self.progress.done += done
        self._metrics.worker_steps.labels(self._label).inc(done)
        return done, max(self._idle_s, took / self._share - took)

    def _timed(self) -> tuple[int, float]:
        """What the step did and how long it took: what was waited before for a dependency is no work."""
        began = time.monotonic()
        if began < self._stepped_at + _GIVES_WAY_S and self._gives_way():
            return 0, 0.0
        done = self._step()
        self._stepped_at = time.monotonic()
        return done, self._stepped_at - began

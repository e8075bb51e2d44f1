"""The watchdog: a thread that ends a process which looks alive and does nothing, and the door for probes.

It needs nothing of the process's event loop: it has its own, and every look at the broker is by a client
made for it, so what stalls an old client cannot stall this one.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiokafka import TopicPartition

from balance_chassis.errors import EXIT_STALLED
from balance_chassis.lag import expect_answer, group_lag
from balance_chassis.patience import Progress
from balance_chassis.settings import KafkaSettings

_LOOK_TIMEOUT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass
class _Watched:
    progress: Progress
    seen: tuple[int, int] = (-1, -1)
    """What was done, and the sum of the group's committed offsets."""
    since: float = 0.0


class Watchdog:
    """Ends the process (exit 75) when something is to be done and for `limit_s` nothing is.

    Something is to be done when the consumer group lags on the partitions assigned here, or on any while
    none are, or when a runnable says it is busy. Waiting for a dependency, and a broker that does not
    answer, do not count.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        limit_s: float = 60.0,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._kafka = kafka
        self._limit_s = limit_s
        self._every_s = every_s
        self._clock = clock
        self._end = end
        self._watched: list[_Watched] = []
        self._stopped = threading.Event()

    @property
    def watched(self) -> Iterable[Progress]:
        """What is looked at."""
        return [one.progress for one in self._watched]

    def watch(self, progress: Progress) -> None:
        """Look at a runnable from now on."""
        self._watched.append(_Watched(progress, since=self._clock()))

    def start(self) -> None:
        """Look every few seconds, in a thread that does not keep the process alive."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def is_ready(self) -> bool:
        """Whether every runnable has started and none waits for a dependency."""
        return all(progress.ready and not progress.waiting_for for progress in self.watched)

    def look(self) -> None:
        """Look once at everything; end the process if something stands still."""
        for one in self._watched:
            if not self._moves(one) and self._clock() - one.since > self._limit_s:
                _log.critical(
                    "%s has work to do and did nothing for %g s: ending the process, to be started again",
                    one.progress.name,
                    self._clock() - one.since,
                )
                self._end(EXIT_STALLED)

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self.look()
            except Exception:
                _log.exception("the watchdog could not look; it looks again")

    def _moves(self, one: _Watched) -> bool:
        """Whether it did something since the last look, or has nothing to do, or cannot do anything."""
        progress = one.progress
        if progress.waiting_for or progress.done != one.seen[0]:
            one.seen, one.since = (progress.done, -1), self._clock()
            return True
        if self._clock() - one.since < self._limit_s / 2:
            return False
        try:
            committed, lag = asyncio.run(
                asyncio.wait_for(_committed_and_lag(self._kafka, progress), _LOOK_TIMEOUT_S)
            )
        except Exception as error:
            _log.warning("the watchdog has no answer from the broker: %s: %s", type(error).__name__, error)
            one.since = self._clock()
            return True
        # While nothing is assigned here, another member that moves is enough.
        moved = progress.group and not progress.partitions and committed != one.seen[1]
        one.seen = (progress.done, committed)
        if moved or not (lag or progress.busy):
            one.since = self._clock()
            return True
        return False


async def _committed_and_lag(kafka: KafkaSettings, progress: Progress) -> tuple[int, int]:
    """Sum of the group's committed offsets and its lag, on what is assigned here, or else on everything.

    Nothing of either for who consumes nothing; that the broker answers is asked all the same.
    """
    if not progress.group:
        await expect_answer(kafka)
        return 0, 0
    offsets = await group_lag(kafka, progress.group, progress.topics)
    held = {TopicPartition(*partition) for partition in progress.partitions} or set(offsets)
    ours = [lag for at, lag in offsets.items() if at in held]
    return sum(lag.committed for lag in ours), sum(lag.records for lag in ours)

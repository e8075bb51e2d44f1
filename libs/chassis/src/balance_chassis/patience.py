"""Retrying for as long as a dependency is away, in the sight of the watchdog."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import stamina

from balance_chassis.errors import is_transient
from balance_chassis.metrics import ChassisMetrics

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 - not an error: the process is asked to end
    """The process is ending while a dependency was waited for; what was in hand is left unacknowledged."""


@dataclass
class Progress:
    """What a runnable tells the watchdog. Written by its loop, read by the watchdog's thread."""

    name: str
    ready: bool = False
    done: int = 0
    """Raised by whatever is finished."""
    busy: bool = False
    """Something is in hand that should be finished soon, as the runnable itself knows."""
    waiting_for: str = ""
    """The dependency that is away, and what it said; empty when none is."""
    group: str = ""
    """Consumer group whose lag shows that something is to be done, with the topics it reads; full names."""
    topics: tuple[str, ...] = ()
    partitions: frozenset[tuple[str, int]] = field(default_factory=frozenset)
    """Topic and number of what is assigned here now."""


async def patiently(
    attempt: Callable[[], Awaitable[T]],
    *,
    progress: Progress,
    stop: asyncio.Event,
    metrics: ChassisMetrics,
) -> T:
    """Result of an attempt, repeated with back-off (0.1 to 5 s, for ever) while its errors are transient.

    Raises what is not transient, and Stopped when `stop` is set while a dependency is away.
    """

    def again(error: Exception) -> bool:
        if not is_transient(error) or stop.is_set():
            return False
        progress.waiting_for = f"{type(error).__name__}: {error}".strip()
        metrics.retries.labels(progress.name).inc()
        metrics.waiting.labels(progress.name).set(1)
        _log.warning("%s waits for a dependency: %s", progress.name, progress.waiting_for)
        return True

    try:
        async for trial in stamina.retry_context(on=again, attempts=None, timeout=None, wait_jitter=0.2):
            with trial:
                return await attempt()
    except Exception as error:
        if stop.is_set() and is_transient(error):
            raise Stopped from error
        raise
    finally:
        if progress.waiting_for:
            progress.waiting_for = ""
            metrics.waiting.labels(progress.name).set(0)
    raise AssertionError("a retry without a limit ended without a result")


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event, grace_s: float = 0.0) -> T:
    """Result of something that may take for ever.

    Raises Stopped, the work cancelled, when it has not ended `grace_s` after `stop` was set.
    """
    task = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=grace_s)
        if not task.done():
            raise Stopped
        return task.result()
    finally:
        stopping.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait some time, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)

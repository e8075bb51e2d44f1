"""The life of a process: settings, logs, metrics, watchdog, runnables, signals, exit code."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import stamina.instrumentation

from balance_chassis import door, logs
from balance_chassis.errors import EXIT_BUG, EXIT_STALLED, Fatal
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress
from balance_chassis.settings import Settings, SettingsError, load
from balance_chassis.watchdog import Watchdog

EXIT_SETTINGS = 78
"""EX_CONFIG: the environment is wrong; starting again does not help."""
STOPPING_S = 300.0
"""How long what runs may take to stop; each has its own, shorter patience."""
LEFT_OVER_S = 20.0
"""How long a process that is ending bears what does not: a thread, a task that swallows its cancellation."""
_OBJECTS_BEFORE_CYCLES = 50_000
_log = logging.getLogger(__name__)


class Runnable(Protocol):
    """Something that runs until it is told to stop: a sink, a worker, a publisher."""

    name: str
    progress: Progress

    async def run(self, stop: asyncio.Event) -> None:
        """Return soon after `stop` is set, nothing lost. Raises what cannot be borne."""


@dataclass
class Process:
    """What a service builds its runnables from; `closing` closes pools and files when all have ended."""

    service: str
    role: str
    version: str
    settings: Settings
    metrics: ChassisMetrics
    closing: ExitStack = field(default_factory=ExitStack)
    timers: list[threading.Timer] = field(default_factory=list)
    """What ends the process if its own end does not come."""


Build = Callable[[Process], Sequence[Runnable]]
"""Makes the runnables, in the running loop. They stop in reverse order: name what others need first."""


def run_process(service: str, role: str, build: Build, settings: Settings | None = None) -> int:
    """Run until SIGTERM or SIGINT (0), a fatal error (its exit code) or any other (70); give the exit code.

    Wrong settings are said in words on standard error (78).
    """
    try:
        settings = settings or load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    logs.configure(service, role, settings.log_level)
    stamina.instrumentation.set_on_retry_hooks(())  # our own line says what is waited for
    process = Process(service, role, _version(service), settings, ChassisMetrics(service))
    _look_rarely_for_cycles()
    try:
        asyncio.run(_live(process, build))
    except Exception as error:
        if isinstance(error, Fatal):
            _log.critical("%s", error)
        else:
            _log.critical("ended by an error that nothing here bears", exc_info=True)
        return _code_of(error)
    finally:
        for timer in process.timers:
            timer.cancel()
    return 0


def end_within(seconds: float, code: int) -> threading.Timer:
    """End this process with that code, whatever hinders it, unless it ended or the timer was cancelled.

    `asyncio.run` waits for every task that is left over, and Python for every thread, for ever.
    """

    def end() -> None:
        left = ", ".join(thread.name for thread in threading.enumerate() if not thread.daemon)
        _log.critical("did not end within %g s, and is ended: exit %d; threads: %s", seconds, code, left)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _code_of(error: BaseException | None) -> int:
    if error is None:
        return 0
    return error.exit_code if isinstance(error, Fatal) else EXIT_BUG


def _look_rarely_for_cycles() -> None:
    """A batch is thousands of objects without a cycle; looking for some after every 700 took a quarter of a
    sink's time.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_CYCLES, 20, 50)


def refuse_uvloop(loop: asyncio.AbstractEventLoop) -> None:
    """Raise Fatal on uvloop: with it aiokafka stalls for ever on a connection reset, alive and silent."""
    if type(loop).__module__.split(".")[0] == "uvloop":
        raise Fatal(
            "expected the event loop of asyncio, found uvloop: aiokafka loses its tasks on it. Uninstall it"
        )


async def _live(process: Process, build: Build) -> None:
    loop = asyncio.get_running_loop()
    refuse_uvloop(loop)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    watchdog = Watchdog(process.settings.kafka)
    with process.closing as closing:
        runnables = build(process)
        for runnable in runnables:
            watchdog.watch(runnable.progress)
        closing.enter_context(door.opened(process.settings.http_port, process.metrics.registry, watchdog))
        watchdog.start()
        closing.callback(watchdog.stop)
        _log.info("started", extra={"version": process.version, "runnables": [r.name for r in runnables]})
        error: BaseException | None = None
        try:
            await _run_all(runnables, ending, process.timers)
        except BaseException as raised:
            error = raised
            raise
        finally:
            process.timers.append(end_within(LEFT_OVER_S, _code_of(error)))
        _log.info("stopped")


async def _run_all(
    runnables: Sequence[Runnable], ending: asyncio.Event, timers: list[threading.Timer]
) -> None:
    """Run all until `ending`, or until one ends by itself; stop them in reverse. Raises the first error.

    `timers` are given what ends the process if one does not stop.
    """
    stops = [asyncio.Event() for _ in runnables]
    tasks = [
        asyncio.create_task(runnable.run(stop), name=runnable.name)
        for runnable, stop in zip(runnables, stops, strict=True)
    ]
    signalled = asyncio.create_task(ending.wait())
    await asyncio.wait([*tasks, signalled], return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    first = next((task for task in tasks if task.done()), None)
    timers.append(end_within(STOPPING_S, _code_when_stuck(first)))
    for task, stop in reversed(list(zip(tasks, stops, strict=True))):
        stop.set()
        await asyncio.wait([task])
    for task in [first, *tasks] if first else tasks:
        task.result()
    if first:
        raise Fatal(f"{first.get_name()} ended by itself, which nothing asked it to")


def _code_when_stuck(first: asyncio.Task[None] | None) -> int:
    """Exit code if not all stop: `first` ended by itself, or all were asked to."""
    if first is None:
        return EXIT_STALLED
    return _code_of(None if first.cancelled() else first.exception()) or EXIT_BUG


def _version(service: str) -> str:
    try:
        return version(f"balance-{service}")
    except PackageNotFoundError:
        return "unknown"

"""A process in which something never ends: a `task` that swallows its cancellation, a `thread`, or a `part`.

Arguments: which of them; `stop` to be asked to end, `fail` to end by an error.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from balance_chassis import command_line, lifecycle
from balance_chassis.errors import Fatal
from balance_chassis.lifecycle import Process, Runnable
from balance_chassis.patience import Progress
from balance_chassis.settings import load
from balance_chassis.threads import OneThread

for module in (lifecycle, command_line):
    setattr(module, "LEFT_OVER_S", 0.5)  # noqa: B010 - each has its name for it
lifecycle.STOPPING_S = 0.5 if sys.argv[1] == "part" else 20
WHAT, HOW = sys.argv[1:]
_LEFT: list[Any] = []


async def swallowing() -> None:
    """As some parts of a library do that is cancelled while it waits for its own end."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()


class Part:
    """Starts what never ends, and ends itself."""

    name = "part"
    progress = Progress("part")

    async def run(self, stop: asyncio.Event) -> None:
        """See the protocol."""
        if WHAT == "task":
            _LEFT.append(asyncio.create_task(swallowing()))
        elif WHAT == "thread":
            thread = OneThread("left over")
            _LEFT.append(asyncio.create_task(thread(threading.Event().wait)))
            await asyncio.sleep(0.1)
            thread.close()
        if HOW == "fail":
            raise Fatal("as asked", 71)
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()


class Deaf:
    """Does not hear that it is to stop."""

    name = "deaf"
    progress = Progress("deaf")

    async def run(self, stop: asyncio.Event) -> None:  # noqa: ARG002 - it does not look at it
        """See the protocol."""
        await asyncio.get_running_loop().create_future()


def build(_: Process) -> Sequence[Runnable]:
    """One part, and beside it one that does not stop."""
    return [Deaf(), Part()] if WHAT == "part" else [Part()]


def settings() -> Any:
    """Those of the environment, as those of a service."""
    return type("Settings", (), {"installation": load()})


if __name__ == "__main__":
    sys.argv[1:] = ["run", "--role", "live"]
    code = command_line.main(
        "trial", "", load=settings, roles=["live"], build=lambda *_: build, migrate=lambda _: []
    )
    sys.exit(code)

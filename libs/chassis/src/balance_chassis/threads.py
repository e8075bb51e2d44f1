"""One worker thread, so that blocking work goes on in order while the event loop stays free."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class OneThread:
    """Runs functions one after another in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def __call__(self, function: Callable[[], T]) -> T:
        """Result of the function. Cancelling the caller does not interrupt a function that has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def close(self) -> None:
        """Take no more functions; one that has begun goes on to its end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

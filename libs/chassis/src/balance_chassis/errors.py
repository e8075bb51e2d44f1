"""What can go wrong, in one place: what is retried, what is dead-lettered, what ends the process."""

import socket
import time
from collections import deque
from collections.abc import Callable

import psycopg
from aiokafka.errors import KafkaError, KafkaTimeoutError

EXIT_BUG = 70
"""EX_SOFTWARE: too many unforeseen errors, or one outside a batch. Nothing was acknowledged."""
EXIT_STALLED = 75
"""EX_TEMPFAIL: the watchdog found work waiting and nothing done."""

_BUGS_AMONG_OPERATIONAL = ("53400", "54", "55000")
"""A limit of configuration or program, an object in the wrong state: the same the next time."""
_PASSING_ELSEWHERE = frozenset({"25006", "25P03", "25P04"})
"""A database that is a standby for now, a session that was cut off while idle or slow."""


class BadRecord(Exception):  # noqa: N818 - a verdict on a record, not a failure of ours
    """A record that can never be processed; `reason` says what was expected and what was found."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fatal(Exception):  # noqa: N818 - the name of what it does
    """Ends the process with `exit_code`, to be started again; nothing unfinished is acknowledged."""

    def __init__(self, message: str, exit_code: int = EXIT_BUG) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def is_transient(error: BaseException) -> bool:
    """Whether the same thing, tried again unchanged, may well succeed.

    Database: lost or refused connections, an empty pool, shutdown, failover, 40001, 40P01, full disk.
    Broker: what aiokafka calls retriable, and its time-outs, which it does not. Network: refused, reset,
    timed out, a name that does not resolve now.
    """
    if isinstance(error, psycopg.Error):
        state = error.sqlstate or ""
        if isinstance(error, psycopg.OperationalError):
            return not state.startswith(_BUGS_AMONG_OPERATIONAL)
        return state in _PASSING_ELSEWHERE
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror)


class FailureLimit:
    """Counts unforeseen errors; more than `most` in `window_s` are fatal: it is us then, not the data."""

    def __init__(
        self, most: int = 20, window_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._window_s = window_s
        self._clock = clock
        self._seen: deque[float] = deque()

    def admit(self, failures: int = 1) -> None:
        """Count some more failures. Raises Fatal (exit 70) when they are too many."""
        now = self._clock()
        self._seen.extend([now] * failures)
        while self._seen and self._seen[0] <= now - self._window_s:
            self._seen.popleft()
        if len(self._seen) > self.most:
            raise Fatal(
                f"{len(self._seen)} unforeseen errors within {self._window_s:g} s, at most {self.most} are "
                "borne: see the errors logged before; nothing of the last batch was acknowledged"
            )

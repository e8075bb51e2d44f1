"""The door for probes: /livez, /readyz and /metrics over HTTP, in threads of its own."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from balance_chassis.patience import Progress


class Watching(Protocol):
    """What the door asks: the watchdog."""

    @property
    def watched(self) -> Iterable[Progress]:
        """What is looked at."""

    def is_ready(self) -> bool:
        """Whether everything has started and nothing is waited for."""


@contextmanager
def opened(port: int, registry: CollectorRegistry, watching: Watching) -> Iterator[int]:
    """Answer on the port (on every interface) until left; gives the port. Port 0 opens nothing."""
    if not port:
        yield 0
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/livez":
                self._answer(200, b"alive\n")
            elif self.path == "/readyz":
                self._answer(200 if watching.is_ready() else 503, _state(watching))
            else:
                self._answer(404, b"expected /livez, /readyz or /metrics\n")

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line."""

        def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("", port), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="door", daemon=True).start()
        try:
            yield port
        finally:
            server.shutdown()


def _state(watching: Watching) -> bytes:
    return "".join(f"{one.name}: {_state_of(one)}\n" for one in watching.watched).encode()


def _state_of(progress: Progress) -> str:
    if progress.waiting_for:
        return f"waits: {progress.waiting_for}"
    return "ready" if progress.ready else "starting"

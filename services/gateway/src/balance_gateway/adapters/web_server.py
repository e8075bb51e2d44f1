"""Waitress as a part of a process: it serves until the process is asked to end."""

from __future__ import annotations

import asyncio
from typing import Any

from balance_chassis.patience import Progress
from balance_chassis.threads import OneThread
from waitress.server import create_server

_LARGEST_BODY = 128 * 1024 * 1024
"""What anybody may make us keep on disk; above what the application takes, so that it is who says no."""


class WebServer:
    """Serves a WSGI application on a host's port, with so many threads; host * is every interface."""

    def __init__(self, app: Any, host: str, port: int, threads: int) -> None:
        """Nothing listens yet."""
        self._app, self._host, self._port, self._threads = app, host, port, threads
        self.name = f"web {port}"
        self.progress = Progress(self.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; requests under way are answered. Raises OSError when the port is taken."""
        server = create_server(
            self._app,
            host=self._host,
            port=self._port,
            threads=self._threads,
            ident="balance",
            max_request_body_size=_LARGEST_BODY,
        )
        thread = OneThread(self.name)
        serving = asyncio.create_task(thread(server.run))
        self.progress.ready = True
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.progress.ready = False
            stopped.cancel()
            server.task_dispatcher.shutdown()
            server.close()
            thread.close()

"""Logs as JSON lines on standard output."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = {"aiokafka": logging.ERROR, "kafka": logging.ERROR, "psycopg.pool": logging.ERROR}
"""Libraries that shout at every reconnection; what matters of it is logged by the one who waits."""


class JsonLines(logging.Formatter):
    """One JSON object a line: ts, level, logger, message, service, role, then whatever `extra` held."""

    def __init__(self, service: str, role: str) -> None:
        super().__init__()
        self._process = {"service": service, "role": role}

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; values JSON does not know are shown as text."""
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
            **{key: value for key, value in vars(record).items() if key not in _OWN},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(service: str, role: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the logs of this process, warnings included, to `stream` (standard output) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(service, role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name, quieter in _CHATTY.items():
        logging.getLogger(name).setLevel(max(quieter, root.level))

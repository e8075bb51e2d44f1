"""Logs are JSON lines that say which process wrote them."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from balance_chassis.logs import configure


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure("ingest", "live", "INFO", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_what_one_filters_by(stream: io.StringIO) -> None:
    logging.getLogger("balance.trial").info("stored %d days", 5, extra={"topic": "t", "at": {1}})
    logging.getLogger("balance.trial").debug("not shown")
    line = json.loads(stream.getvalue())
    assert line.pop("ts").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "balance.trial",
        "message": "stored 5 days",
        "service": "ingest",
        "role": "live",
        "topic": "t",
        "at": "{1}",
    }


def test_errors_and_warnings_are_lines_too(stream: io.StringIO) -> None:
    try:
        raise ZeroDivisionError("nought")
    except ZeroDivisionError:
        logging.getLogger("balance.trial").exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    error, warning = map(json.loads, stream.getvalue().splitlines())
    assert "ZeroDivisionError: nought" in error["exception"]
    assert "DeprecationWarning: old" in warning["message"]

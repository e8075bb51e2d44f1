"""The same tables on TimescaleDB, also when a backlog arrives in chunks that are compressed already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest
from balance_chaos.settling import wait_until_equal, waiting
from balance_chaos.stage import codec_of, fresh_installation, own_stack, settings_of
from balance_chaos.traffic import encoded, send
from balance_local import stack
from balance_local.installation import Installation
from balance_oracle.worlds import delivered, make_town
from stamina import retry_context

pytestmark = pytest.mark.stack
HYPERTABLES = {"evidence_days", "reading_days", "group_days"}


@pytest.fixture(scope="module")
def _root() -> Iterator[Path]:
    with own_stack("timescale") as folder:
        yield folder
        stack.down()


def _drained(made: Installation) -> None:
    for attempt in retry_context(on=AssertionError, attempts=None, timeout=120, wait_max=1):
        with attempt:
            assert not waiting(made)


@pytest.mark.usefixtures("_root")
def test_a_backlog_into_compressed_chunks_gives_the_oracles_tables() -> None:
    random = Random(5)
    world = make_town(random, 12, days=8)
    with fresh_installation("timescale", world.place.zone, world.place.day_start_hour) as made:
        with psycopg.connect(made.dsn, autocommit=True) as connection:
            storage = connection.execute("SELECT storage FROM balance_installation").fetchone()
            assert storage == ("timescaledb",), "name a server with TimescaleDB in BALANCE_POSTGRES_BIN"
            tables = connection.execute("SELECT hypertable_name FROM timescaledb_information.hypertables")
            assert {name for (name,) in tables} >= HYPERTABLES
        messages = delivered(world, random)
        traffic = [encoded(message, codec_of(made), random) for message in messages]
        kafka = settings_of(made).kafka
        half = len(traffic) // 2
        send(kafka, traffic[:half])
        _drained(made)
        with psycopg.connect(made.dsn, autocommit=True) as connection:
            compressed = connection.execute(
                "SELECT count(compress_chunk(format('%I.%I', chunk_schema, chunk_name)::regclass)) "
                "FROM timescaledb_information.chunks"
            ).fetchone()
            assert compressed
            assert compressed[0] >= len(HYPERTABLES)
        send(kafka, traffic[half:])
        wait_until_equal(made, world.as_delivered(messages).tables(), 180)

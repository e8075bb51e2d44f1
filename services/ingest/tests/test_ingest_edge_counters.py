"""Numbers of packets, kept in the real database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from balance_chassis.migrations import migrate
from balance_chassis.postgres import make_pool
from balance_chassis.testing import Installation
from balance_ingest.adapters.edge_counters import PostgresNumbering
from balance_ingest.adapters.work import Pool
from balance_ingest.domain.edge import sequence_of
from balance_ingest.ports import Counted

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def pool(installation: Installation) -> Iterator[Pool]:
    settings = installation.settings()
    migrate(installation.dsn, "ingest", "balance_ingest", settings.calendar)
    with make_pool(settings.postgres, "test") as made:
        yield made


def packet(number: int, evidence: int = 0, of: str = "J-1", name: str = "") -> Counted:
    return Counted(of, name or f"{of}/{number}", evidence, number)


def test_a_packet_keeps_its_number_whatever_came_between(pool: Pool) -> None:
    numbering = PostgresNumbering(pool)
    first = [packet(9000), packet(3), packet(8999), packet(4)]
    begun = [9000, sequence_of(1, 3), 8999, sequence_of(1, 4)]
    assert numbering.number(first) == (begun, 1)
    assert numbering.number([packet(5)]) == ([sequence_of(1, 5)], 0)
    # Another process, the other way round, each twice.
    assert PostgresNumbering(pool).number([*first[::-1], *first]) == ([*begun[::-1], *begun], 0)


def test_an_id_used_again_for_other_evidence_is_another_packet(pool: Pool) -> None:
    numbering = PostgresNumbering(pool)
    assert numbering.number([packet(1, 10, "J-2"), packet(2, 20, "J-2")]) == ([1, 2], 0)
    assert numbering.number([packet(1, 11, "J-2")]) == ([sequence_of(1, 1)], 1)
    assert numbering.number([packet(1, 10, "J-2"), packet(1, 11, "J-2")]) == ([1, sequence_of(1, 1)], 0)


def test_a_packet_counted_anew_keeps_its_first_number(pool: Pool) -> None:
    numbering = PostgresNumbering(pool)
    assert numbering.number([packet(7, of="J-3", name="same")])[0] == [7]
    assert numbering.number([packet(8, of="J-3", name="same")])[0] == [7]


def test_edges_at_once_give_each_packet_one_number(pool: Pool) -> None:
    def all_of_them(start: int) -> dict[str, int]:
        packets = [packet(number, of=f"J-{number % 3 + 4}") for number in range(60)]
        packets = packets[start:] + packets[:start]
        found: dict[str, int] = {}
        for at in range(0, 60, 6):
            batch = packets[at : at + 6]
            numbers, _ = PostgresNumbering(pool).number(batch)
            found |= {one.packet_id: sequence for one, sequence in zip(batch, numbers, strict=True)}
        return found

    with ThreadPoolExecutor(3) as threads:
        one, two, three = threads.map(all_of_them, (0, 20, 40))
    assert one == two == three
    assert sorted(one.values()) == list(range(60))


def test_packets_are_forgotten_after_five_weeks(pool: Pool) -> None:
    numbering = PostgresNumbering(pool)
    numbering.number([packet(1, of="J-7"), packet(2, of="J-7")])
    with pool.connection() as conn:
        conn.execute(
            "UPDATE ingest.edge_packets SET numbered_at = now() - interval '36 days' "
            "WHERE packet_id = 'J-7/1'"
        )
    numbering.number([packet(3, of="J-7")])
    with pool.connection() as conn:
        kept = conn.execute(
            "SELECT packet_id FROM ingest.edge_packets WHERE concentrator_id = 'J-7'"
        ).fetchall()
    assert sorted(name for (name,) in kept) == ["J-7/2", "J-7/3"]
    # What is forgotten gets the same number, for its counter says so.
    assert numbering.number([packet(1, of="J-7")]) == ([1], 0)

"""The join of evidence: order, repetition and splitting do not matter (docs/domain.md §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import numpy as np
from balance_ingest.domain.cutting import Harvest, harvest
from balance_ingest.domain.days import HOUR_S, Days
from balance_ingest.domain.join import Slots, fold, join
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Packet, Registers
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()))

slots = st.builds(
    lambda revision, low, spread: Slots(
        *(np.array([n], np.int64) for n in (revision, *((0, 0) if revision < 0 else (low, low + spread))))
    ),
    st.integers(-1, 2),
    st.integers(-3, 3),
    st.integers(0, 2),
)


def same(one: Slots, other: Slots) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


@given(slots, slots, slots)
def test_it_is_commutative_associative_and_idempotent(a: Slots, b: Slots, c: Slots) -> None:
    assert same(join(a, b), join(b, a))
    assert same(join(join(a, b), c), join(a, join(b, c)))
    assert same(join(join(a, b), b), join(a, b))


@given(st.lists(st.tuples(slots, st.integers(0, 2)), min_size=1, max_size=8))
def test_folding_joins_each_group(rows: Sequence[tuple[Slots, int]]) -> None:
    used = sorted({group for _, group in rows})
    group = np.array([used.index(g) for _, g in rows], np.int64)
    all_rows = Slots(*(np.concatenate(parts) for parts in zip(*(row for row, _ in rows), strict=True)))
    folded = fold(all_rows, group, len(used))
    for number, name in enumerate(used):
        wanted = Slots.absent(1)
        for row, g in rows:
            wanted = join(wanted, row) if g == name else wanted
        assert same(folded.at(slice(number, number + 1)), wanted)


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    step = draw(st.sampled_from([900, 1800, 3600]))
    start = DAY + step * draw(st.integers(0, 30 * HOUR_S // step))
    values = draw(st.lists(st.integers(-1, 3), min_size=1, max_size=60))
    missing = draw(st.lists(st.integers(0, len(values) - 1), max_size=3))
    edges = (draw(st.one_of(st.none(), st.integers(0, 9))) for _ in "12")
    rank = draw(st.sampled_from([0, ARCHIVED_RANK]))
    return Archive("R-1", draw(st.integers(1, 2)), rank, start, step, values, missing, *edges)


@st.composite
def registers(draw: st.DrawFn) -> Registers:
    offsets = draw(st.lists(st.integers(0, 40 * HOUR_S), min_size=1, max_size=6))
    values = draw(st.lists(st.integers(0, 9), min_size=len(offsets), max_size=len(offsets)))
    return Registers("R-1", draw(st.integers(1, 2)), DAY, offsets, values)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    sequence = draw(st.integers(0, 2))
    told = draw(st.lists(archives(), max_size=3)), draw(st.lists(registers(), max_size=2))
    return Packet(f"P-{draw(st.integers(0, 99))}", "J-1", sequence, DAY + 40 * 86_400, *told)


def split(packet: Packet) -> list[Packet]:
    """The same by one element a packet, archives in halves."""
    alone = (packet.packet_id, packet.concentrator_id, packet.sequence, packet.received)
    pieces = [Packet(*alone, [one], []) for archive in packet.archives for one in halves(archive)]
    return [*pieces, *(Packet(*alone, [], [one]) for one in packet.registers)]


def halves(archive: Archive) -> list[Archive]:
    """An archive as two that follow one another; each keeps the register at its own outer edge."""
    middle = len(archive.values) // 2
    if middle == 0:
        return [archive]
    first = archive._replace(
        values=archive.values[:middle],
        missing=[p for p in archive.missing if p < middle],
        register_end=None,
    )
    second = archive._replace(
        start=archive.start + middle * archive.step,
        values=archive.values[middle:],
        missing=[p - middle for p in archive.missing if p >= middle],
        register_start=None,
    )
    return [first, second]


def rows(found: Harvest) -> dict[object, object]:
    """Evidence by what it is about."""
    told: dict[object, object] = {}
    for block in found.blocks:
        for row, (channel, day) in enumerate(zip(block.channel.tolist(), block.day.tolist(), strict=True)):
            key = found.channels[channel], day, block.shape.step
            parts = (block.slots, block.start, block.end)
            told[key] = [numbers[row].tolist() for part in parts for numbers in part]
    for row, (channel, instant) in enumerate(
        zip(found.points.channel.tolist(), found.points.instant.tolist(), strict=True)
    ):
        told[found.channels[channel], instant] = [int(numbers[row]) for numbers in found.points.slots]
    return told


@given(st.lists(packets(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_order_repetition_and_splitting_make_the_same_rows(told: list[Packet], random: Random) -> None:
    wanted = rows(harvest(told, DAYS, Limits()))
    again = [piece for packet in told for piece in (split(packet) if random.random() < 0.5 else [packet])]
    again += random.sample(again, len(again) // 2)
    random.shuffle(again)
    assert rows(harvest(again, DAYS, Limits())) == wanted


def test_an_archive_over_the_clocks_change_is_cut_at_midnight() -> None:
    archive = Archive("R-1", 1, ARCHIVED_RANK, DAY, HOUR_S, list(range(24 + 23 + 1)), [], 5, 9)
    found = harvest([Packet("P", "J", 3, DAY + 9 * 86_400, [archive])], DAYS, Limits())
    first, second = found.blocks
    assert [first.shape.hours, second.shape.hours] == [23, 24]
    assert_array_equal(first.slots.low, [list(range(24, 47))])
    assert_array_equal(second.slots.there.sum(axis=1), [24, 1])
    assert second.start.low.tolist() == [5, 0]
    assert found.points.instant.tolist() == [archive.end]


def test_an_archive_that_says_nothing_is_no_evidence() -> None:
    archive = Archive("R-1", 1, ARCHIVED_RANK, DAY, HOUR_S, [1] * 24, list(range(24)))
    found = harvest([Packet("P", "J", 3, DAY + 86_400, [archive])], DAYS, Limits())
    assert [len(block) for block in found.blocks] == [0]

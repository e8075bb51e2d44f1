"""From amounts to packets: pulses, registers, archives, sessions, lanes, and what happens on the way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from balance_schemas.codec import Codec
from balance_simulator import counting, delivery, packets, playbook, reports
from balance_simulator.fleet import BALANCE_GROUP, USAGE_POINT, Fleet, Meter, UsagePoint
from balance_simulator.localtime import Days
from balance_simulator.playbook import Playbook
from balance_simulator.scenario import CutOut, Delivery, Silence
from balance_simulator.series import Increments, Registers, Series

DAYS = Days("Europe/Chisinau")
FIRST = date(2025, 10, 25)
METER = Meter("1", DAYS.start(FIRST), None, 20_000, 10_000, 5, 6_000_000, initial_register=99_990)


def point(name: str = "A", concentrator: str = "J-1", meters: tuple[Meter, ...] = (METER,)) -> UsagePoint:
    return UsagePoint(name, "GAS", meters, f"M-{name}", 1, concentrator)


def increments(name: str = "A", count: int = 73, amount: int = 12_345, seed: int | None = None) -> Increments:
    values = np.full(count, amount, np.int64)
    if seed is not None:
        values = np.random.default_rng(seed).integers(0, 50_000, count)
    return Increments(name, round(DAYS.start(FIRST).timestamp()), 3600, values, np.ones(count, np.bool_))


def sent(
    plan: Delivery, series: Mapping[str, Series], points: Mapping[str, UsagePoint]
) -> list[dict[str, Any]]:
    made, _ = playbook.report_all(series, Fleet(points, ()), DAYS, plan)
    return playbook.deliver(delivery.schedule(made, plan), plan)


def test_the_remainder_of_a_pulse_is_carried() -> None:
    counts, _ = counting.count(increments(), point())
    assert counts.pulses.tolist()[:5] == [1, 1, 1, 1, 2]
    assert counts.pulses.sum() == 73 * 12_345 // 10_000


def test_the_register_wraps_at_its_digits() -> None:
    counts, _ = counting.count(increments(), point())
    assert counts.before is not None
    assert counts.after is not None
    assert counts.before[0] == 99_990
    assert counts.after[-1] == (99_990 + 73 * 12_345 // 10_000) % 100_000
    assert (counts.after[:-1] == counts.before[1:]).all()


def test_an_exchanged_meter_starts_at_its_own_register_and_weight() -> None:
    at = DAYS.start(FIRST) + timedelta(hours=10)
    new = replace(METER, number="2", fitted_at=at, pulse_weight=1_000, initial_register=7)
    old = replace(METER, removed_at=at)
    counts, pairs = counting.count(increments(), point(meters=(old, new)))
    assert counts.before is not None
    assert counts.before[10] == 7
    assert counts.pulses[10:14].tolist() == [12, 12, 13, 12]
    assert pairs == [(99_990, (99_990 + 12) % 100_000), (7, None)]


def test_a_day_has_23_24_or_25_hours() -> None:
    counts, _ = counting.count(increments(count=24 + 25 + 24), point())
    lengths = [len(report.body["values"]) for report in reports.archives(counts, point(), DAYS)]
    assert lengths == [24, 25, 24]


def test_archives_sum_to_the_counts_and_their_registers_agree() -> None:
    counts, _ = counting.count(increments(seed=3), point())
    made = [report.body for report in reports.archives(counts, point(), DAYS)]
    assert sum(sum(body["values"]) for body in made) == counts.pulses.sum()
    for before, after in pairwise(made):
        assert before["register_end"] == after["register_start"]
    for body in made:
        assert (body["register_end"] - body["register_start"]) % 100_000 == sum(body["values"])


def test_gaps_are_named_and_claim_no_register() -> None:
    series = increments(count=48)
    series.present[[3, 5]] = False
    series.present[24:] = False
    counts, _ = counting.count(series, point())
    (body,) = [report.body for report in reports.archives(counts, point(), DAYS)]
    assert body["missing"] == [3, 5]
    assert (body["register_start"], body["register_end"]) == (None, None)


def test_whole_days_beside_a_gap_claim_no_register_either() -> None:
    series = increments(count=72)
    series.present[24:49] = False
    counts, _ = counting.count(series, point())
    first, last = [report.body for report in reports.archives(counts, point(), DAYS)]
    assert first["missing"] == []
    assert [body[edge] for body in (first, last) for edge in ("register_start", "register_end")] == [None] * 4


def test_a_day_that_begins_late_lists_what_it_lacks() -> None:
    series = replace(increments(count=4), start_s=increments().start_s + 20 * 3600)
    counts, _ = counting.count(series, point())
    (body,) = [report.body for report in reports.archives(counts, point(), DAYS)]
    assert body["missing"] == list(range(20))
    assert body["start_at"] == increments().start_s * 1000


def test_a_thermometer_reports_what_it_shows() -> None:
    thermometer = replace(point(), resource="TEMPERATURE", channel=0)
    counts, _ = counting.count(increments(amount=21_500, count=24), thermometer)
    (body,) = [report.body for report in reports.archives(counts, thermometer, DAYS)]
    assert (body["channel"], body["values"][0], body["register_start"]) == (0, 21_500, None)


def test_registers_are_cut_by_metering_day() -> None:
    start = round(DAYS.start(FIRST).timestamp())
    series = Registers(
        "A", np.array([start + 100, start + 4_000, start + 90_000]), np.array([10_000, 20_000, 59_999])
    )
    made = list(reports.registers(series.at_s, counting.register_pulses(series, point()), point(), DAYS))
    assert [report.body["offsets_s"] for report in made] == [[0, 3900], [0]]
    assert [report.body["values"] for report in made] == [[1, 2], [5]]


def test_a_day_is_sent_the_day_after_and_numbered_in_order() -> None:
    found = sent(Delivery(), {"A": increments()}, {"A": point()})
    assert [packet["sequence"] for packet in found] == [1, 2, 3]
    for packet, (_, _, end) in zip(
        found, DAYS.between(DAYS.start(FIRST), DAYS.start(date(2025, 10, 28))), strict=True
    ):
        late_s = packet["sent_at"] / 1000 - end.timestamp()
        assert 300 <= late_s <= 10_801
        assert packet["received_at"] > packet["sent_at"]
        assert packet["lane"] == "live"


def test_the_shape_is_that_of_the_record() -> None:
    names = (packets.RECORD, USAGE_POINT, BALANCE_GROUP)
    codec = Codec({name: number for number, name in enumerate(names)}, raw_timestamps=True)
    found = sent(Delivery(), {"A": increments()}, {"A": point()})
    for packet in found:
        name, value = codec.decode(codec.encode(packets.RECORD, packets.record(packet)))
        assert (name, value) == (packets.RECORD, packets.record(packet))
    book = Playbook(Fleet({"A": point()}, ()), found)
    assert codec.decode(codec.encode(USAGE_POINT, book.usage_points[0]))[1] == book.usage_points[0]


def test_large_sessions_are_split() -> None:
    names = [f"A{number}" for number in range(120)]
    series = {n: replace(increments(n, count=96, amount=10**12), step_s=900, in_pulses=True) for n in names}
    points = {n: point(n, meters=(replace(METER, digits=15),)) for n in names}
    codec = Codec({packets.RECORD: 1}, raw_timestamps=True)
    found = sent(Delivery(), dict(series), points)
    sizes = [len(codec.encode(packets.RECORD, packets.record(packet))) for packet in found]
    assert len(found) == 1
    more = sent(
        Delivery(),
        {
            n: replace(s, values=np.tile(s.values, 40), present=np.tile(s.present, 40))
            for n, s in series.items()
        },
        points,
    )
    assert max(sizes) <= packets.MAX_BYTES
    assert (
        max(len(codec.encode(packets.RECORD, packets.record(packet))) for packet in more) <= packets.MAX_BYTES
    )
    assert len(more) > 40 - 1


def test_a_silent_concentrator_comes_back_with_a_backlog_newest_day_first() -> None:
    since, until = datetime(2025, 10, 26, 12, tzinfo=UTC), datetime(2025, 11, 4, 12, tzinfo=UTC)
    plan = Delivery(silences=(Silence("J-1", since, until),))
    found = sent(plan, {"A": increments(count=24 * 9 + 1)}, {"A": point()})
    back = [packet for packet in found if packet["sent_at"] >= until.timestamp() * 1000]
    assert len(found) == 9
    starts = [packet["archives"][0]["start_at"] for packet in back]
    assert starts == sorted(starts, reverse=True)
    assert [packet["lane"] for packet in back] == ["live"] + ["backlog"] * 7
    assert [packet["sequence"] for packet in found] == list(range(1, 10))


def test_what_is_cut_out_never_comes() -> None:
    cut = CutOut("A", DAYS.start(date(2025, 10, 26)), DAYS.start(date(2025, 10, 27)))
    found = sent(Delivery(cut_outs=(cut,)), {"A": increments()}, {"A": point()})
    starts = [archive["start_at"] / 1000 for packet in found for archive in packet["archives"]]
    assert starts == [DAYS.start(day).timestamp() for day in (FIRST, date(2025, 10, 27))]


def test_intraday_archives_are_current_and_add_up() -> None:
    plan = Delivery(intraday=("A",), intraday_h=4)
    archives = [a for p in sent(plan, {"A": increments(count=24)}, {"A": point()}) for a in p["archives"]]
    current = [a for a in archives if a["kind"] == "CURRENT"]
    (archived,) = [a for a in archives if a["kind"] == "ARCHIVED"]
    assert len(current) == 6
    assert [value for a in current for value in a["values"]] == archived["values"]


def test_duplicates_and_disorder_change_no_packet() -> None:
    series, points = {"A": increments(count=24 * 40)}, {"A": point()}
    calm = sent(Delivery(), series, points)
    wild = sent(Delivery(shuffle=True, duplicate=0.3), series, points)
    names = [packet["packet_id"] for packet in wild]
    assert len(names) > len(set(names)) == len(calm)
    assert names != sorted(names, key=[p["packet_id"] for p in calm].index)
    assert all(packet in calm for packet in wild)


def test_a_duplicate_comes_after_its_original() -> None:
    found = sent(Delivery(duplicate=1.0), {"A": increments(count=24 * 20)}, {"A": point()})
    order = [packet["packet_id"] for packet in found]
    assert len(order) == 40
    assert list(dict.fromkeys(order)) == [f"J-1-{n}" for n in range(1, 21)]


def test_some_days_are_lost_and_some_late() -> None:
    series, points = {"A": increments(count=24 * 200)}, {"A": point()}
    assert 140 < len(sent(Delivery(lose=0.2), series, points)) < 180
    late = sent(Delivery(delay=0.2, delay_h=100), series, points)
    assert 20 < sum(packet["lane"] == "backlog" for packet in late) < 60


def test_the_same_seed_gives_the_same_packets() -> None:
    plan = Delivery(seed=5, shuffle=True, duplicate=0.2, delay=0.2, lose=0.1)
    series, points = {"A": increments(count=480, seed=1)}, {"A": point()}
    assert sent(plan, series, points) == sent(plan, series, points)
    assert sent(plan, series, points) != sent(replace(plan, seed=6), series, points)


@pytest.mark.parametrize(("hours", "lane"), [(47, "live"), (50, "backlog")])
def test_the_newest_interval_decides_the_lane(hours: int, lane: str) -> None:
    counts, _ = counting.count(increments(count=24), point())
    (report,) = reports.archives(counts, point(), DAYS)
    (packet,) = packets.pack([delivery.Sending(report, report.end_s + hours * 3600)])
    assert packet["lane"] == lane

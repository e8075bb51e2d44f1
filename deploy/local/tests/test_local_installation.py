"""An installation on the real stack: topics, schemas, assets, dead letters."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from balance_chassis.dead_letters import BAD_RECORD, DeadLetter, DeadLetters
from balance_chassis.kafka import Record, client_options, make_producer, record_of, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_kernel.calendar import Calendar
from balance_local import assets, dead_letters, installation, lag, topics, weather, weather_file
from balance_local.installation import Installation, InstallationError
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids

pytestmark = pytest.mark.stack

NAME = "local_test"
GROUP = "ingest-packets"
SINCE_MS = 1_727_730_000_000


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    if installation.described(NAME):  # left by a run that was killed
        installation.opened(NAME).drop()
    chosen = installation.create(NAME, zone="Europe/Madrid", day_start_hour=6, clock="packets")
    chosen.topics_apply()
    chosen.migrate()
    chosen.services_up(names=("gateway",))
    yield chosen
    chosen.drop()


def read(chosen: Installation, topic: str) -> list[Any]:
    """Every record of a topic, by partition and offset."""

    async def ask() -> list[Any]:
        consumer = AIOKafkaConsumer(**client_options(chosen.settings().kafka), auto_offset_reset="earliest")
        await consumer.start()
        try:
            name = topic_name(chosen.settings().kafka, topic)
            counts = {known.name: known.partitions for known in topics.all_topics()}
            partitions = [TopicPartition(name, number) for number in range(counts[topic])]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[Any] = []
            async with asyncio.timeout(30):
                while len(records) < sum(ends.values()):
                    for fetched in (await consumer.getmany(timeout_ms=200)).values():
                        records += fetched
            return records
        finally:
            await consumer.stop()

    return asyncio.run(ask())


def usage_point(name: str) -> dict[str, Any]:
    meter = {
        "meter_number": name,
        "fitted_at": SINCE_MS,
        "accuracy_class_ppm": 15000,
        "pulse_weight": 10,
        "register_digits": 8,
        "q_max": 6_000_000,
    }
    channel = {"module_id": f"m-{name}", "channel": 0, "fitted_at": SINCE_MS}
    return {"usage_point_id": name, "resource": "GAS", "meters": [meter], "channels": [channel]}


def test_it_stays_as_it_was_made(made: Installation) -> None:
    assert installation.opened(NAME) == made
    with pytest.raises(InstallationError, match=r"expected installation local_test to be in Europe/Chisinau"):
        installation.create(NAME)
    settings = made.settings()
    assert (settings.calendar.zone, settings.calendar.day_start_hour, settings.clock) == (
        "Europe/Madrid",
        6,
        "packets",
    )


@pytest.mark.parametrize("name", ["", "Main", "a-b", "../x", "x" * 41])
def test_a_name_must_fit_a_database_and_a_topic(name: str) -> None:
    with pytest.raises(InstallationError, match="expected an installation's name"):
        installation.create(name)


def test_one_that_was_never_made_is_not_opened() -> None:
    with pytest.raises(InstallationError, match="there is no installation nobody"):
        installation.opened("nobody")


def test_topics_are_those_of_the_catalogue_and_to_apply_again_changes_nothing(made: Installation) -> None:
    before = (made.folder / "schema-ids.json").read_text()
    made.topics_apply()
    assert (made.folder / "schema-ids.json").read_text() == before

    async def found() -> dict[str, int]:
        async with topics.admin_client(made.settings().kafka) as admin:
            described = await admin.describe_topics()
            return {t["topic"]: len(t["partitions"]) for t in described if t["topic"].startswith(f"{NAME}.")}

    assert asyncio.run(found()) == {f"{NAME}.{topic.name}": topic.partitions for topic in topics.all_topics()}


def test_a_topic_with_other_partitions_is_refused() -> None:
    odd = installation.create("local_test_odd")
    try:
        kafka = odd.settings().kafka
        name = topic_name(kafka, catalogue.PACKETS)

        async def create() -> None:
            async with topics.admin_client(kafka) as admin:
                await admin.create_topics([NewTopic(name, 3, 1)])

        asyncio.run(create())
        with pytest.raises(topics.TopicsError, match="expected 24 partitions, found 3"):
            odd.topics_apply()
    finally:
        odd.drop()


def test_a_file_is_imported_published_and_its_versions_rise_with_it(
    made: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "points.csv"

    def load(digits: int, **options: Any) -> list[str]:
        path.write_text(
            "usage_point_id,resource,meters.meter_number,meters.fitted_at,meters.accuracy_class_ppm,"
            "meters.pulse_weight,meters.register_digits,meters.q_max\n"
            f"UP-1,GAS,4711,2024-10-01,15000,10,{digits},6000000\n"
            "UP-2,GAS,4712,2024-10-01,15000,10,8,6000000\n"
        )
        return [change.entity.name for change in assets.load(made, path, **options).changes]

    assert load(8, dry=True) == ["UP-1", "UP-2"]
    assert load(8) == ["UP-1", "UP-2"]
    assert load(9, reason="a digit more") == ["UP-1"]
    assert load(9) == []
    with pytest.raises(assets.FileError, match=r"points.csv: row 2, column meters.register_digits: expected"):
        load(0)
    codec = Codec(load_ids(made.folder / "schema-ids.json"), raw_timestamps=True)
    found = [(r.key.decode(), codec.decode(r.value)[1]) for r in read(made, catalogue.ASSETS)]
    assert sorted((key, value["version"]) for key, value in found) == [
        ("usage-point/UP-1", 1),
        ("usage-point/UP-1", 2),
        ("usage-point/UP-2", 1),
    ]
    newest = next(value for key, value in found if (key, value["version"]) == ("usage-point/UP-1", 2))
    assert newest["meters"][0]["register_digits"] == 9


def test_a_decision_withdrawn_and_standing_again_has_three_versions(
    made: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "edits.yaml"
    for state, changed in (("STANDING", 1), ("STANDING", 0), ("WITHDRAWN", 1), ("STANDING", 1)):
        path.write_text(
            f"""edits:
  - edit_id: E-1
    state: {state}
    action: CONFIRM
    usage_point_id: UP-1
    start_at: 2026-03-10T00:00:00+01:00
    end_at: 2026-03-10T02:00:00+01:00
    reason: METER_CHECKED
    decided_by: operator-7
    decided_at: 2026-03-12T09:30:00+01:00
"""
        )
        assert len(assets.load(made, path).changes) == changed
    codec = Codec(load_ids(made.folder / "schema-ids.json"), raw_timestamps=True)
    found = [(r.key, codec.decode(r.value)[1]) for r in read(made, catalogue.READING_EDITS)]
    assert [(key, value["version"], value["state"]) for key, value in found] == [
        (b"E-1", 1, "STANDING"),
        (b"E-1", 2, "WITHDRAWN"),
        (b"E-1", 3, "STANDING"),
    ]


def test_weather_of_a_file_rises_where_it_changes(made: Installation, tmp_path: Path) -> None:
    path = tmp_path / "winter.csv"
    said: list[str] = []

    def load(*temperatures: str) -> weather.Loaded:
        rows = [f"2026-01-{10 + n // 2} {6 + n % 2:02}:00,{value}" for n, value in enumerate(temperatures)]
        path.write_text("\n".join(["time,temperature", *rows]))
        read = weather_file.read_file(
            path, None, "Nowhere > At all", "", Calendar("Europe/Madrid"), said.append
        )
        return weather.load(made, read, said.append)

    assert load("1", "2", "", "4") == weather.Loaded(2, 0)
    assert "Nowhere > At all: hours not known: 23, the first 2026-01-10 07:00 UTC" in said
    assert any(
        "lies in Nowhere > At all" in words or "no usage points are on the register" in words
        for words in said
    )
    assert load("1", "2", "", "4") == weather.Loaded(0, 2)
    assert load("1", "2", "85", "5") == weather.Loaded(1, 1)
    assert load("1", "2") == weather.Loaded(0, 1)
    codec = Codec(load_ids(made.folder / "schema-ids.json"), raw_timestamps=True)
    found = [(r.key, codec.decode(r.value)[1]) for r in read(made, catalogue.WEATHER)]
    assert {key for key, _ in found} == {b'[["Nowhere","At all"],"FILE","winter"]'}
    assert [(value["version"], value["values"][:3]) for _, value in found] == [
        (1, [1000, 2000, None]),
        (1, [None, 4000, None]),
        (2, [None, 5000, None]),
    ]
    assert {len(value["values"]) for _, value in found} == {24}


def test_a_dead_letter_returns_once_to_its_group_alone(made: Installation) -> None:
    kafka = made.settings().kafka
    headers = (("ce_id", b"7"),)
    bad = Record(catalogue.PACKETS, 3, 14, b"c-1", b"garbage", headers, timestamp_ms=SINCE_MS)

    async def give_up() -> None:
        producer = make_producer(kafka)
        await producer.start()
        letters = DeadLetters(producer, kafka, GROUP, "1", ChassisMetrics("ingest"))
        await letters.send([DeadLetter(bad, BAD_RECORD, "expected a packet, found garbage")])
        await producer.stop()

    asyncio.run(give_up())
    (letter,) = dead_letters.listed(kafka)
    assert (letter.group, letter.partition, letter.origin_offset, letter.kind) == (
        GROUP,
        "3",
        "14",
        BAD_RECORD,
    )
    assert (letter.reason, letter.returned) == ("expected a packet, found garbage", False)
    assert {g.group: g.dead_letters for g in lag.of_groups(kafka)}[GROUP] == 1

    assert dead_letters.replay(kafka) == {group: int(group == GROUP) for group in dead_letters.groups()}
    assert dead_letters.replay(kafka, GROUP) == {GROUP: 0}
    assert [one.returned for one in dead_letters.listed(kafka, GROUP)] == [True]
    (message,) = read(made, catalogue.dead_letters_retry(GROUP))
    back = record_of(message, kafka.topic_prefix)
    assert (back.topic, back.key, back.value) == (bad.topic, b"c-1", b"garbage")
    assert dict(back.headers)["ce_id"] == b"7"
    assert read(made, catalogue.PACKETS) == []


def test_a_group_nobody_knows_is_refused(made: Installation) -> None:
    with pytest.raises(dead_letters.GroupError, match="expected a group of imbalance-assets"):
        dead_letters.replay(made.settings().kafka, "nobody")


def test_lag_counts_what_no_group_has_read(made: Installation) -> None:
    before = {g.group: g.records for g in lag.of_groups(made.settings().kafka)}
    assets.publish(made, [usage_point("UP-20"), usage_point("UP-21")], [])
    after = {g.group: g.records for g in lag.of_groups(made.settings().kafka)}
    assert {group: after[group] - before[group] for group in after if after[group] != before[group]} == {
        "imbalance-assets": 2,
        "ingest-assets": 2,
    }

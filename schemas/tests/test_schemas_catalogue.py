"""The catalogue agrees with itself, and tells every error of a wrong one at once."""

from pathlib import Path

import pytest
import yaml
from balance_schemas import avsc, catalogue, examples

RIGHT = {
    "summary": "What meters say.",
    "owner": "ingest",
    "producers": ["ingest"],
    "consumers": [{"service": "imbalance", "group": "imbalance-things"}],
    "key": "thing_id",
    "records": ["balance.v1.FindingChanged"],
    "partitions": 24,
    "retention_days": 35,
    "compacted": False,
    "max_message_bytes": 1048576,
}


def read(folder: Path, **topics: object) -> catalogue.Catalogue:
    for name, document in topics.items():
        file = folder / f"{name.replace('_', '.')}.yaml"
        file.write_text(document if isinstance(document, str) else yaml.safe_dump(document), "utf-8")
    return catalogue.read(folder, avsc.names())


def test_every_topic_of_the_house_is_named_by_a_constant() -> None:
    constants = {
        catalogue.PACKETS,
        catalogue.PACKETS_BACKLOG,
        catalogue.REFUSED_PACKETS,
        catalogue.READINGS,
        catalogue.READINGS_BACKLOG,
        catalogue.FINDINGS,
        catalogue.IMBALANCE,
        catalogue.ASSETS,
        catalogue.MODULE_EVENTS,
        catalogue.READING_EDITS,
        catalogue.WEATHER,
        catalogue.INADEQUACY,
        catalogue.FORECASTS,
    }
    assert constants == set(catalogue.load().topics)


def test_both_lanes_carry_the_same_in_the_same_way() -> None:
    topics = catalogue.load().topics
    for live, backlog in (
        (catalogue.PACKETS, catalogue.PACKETS_BACKLOG),
        (catalogue.READINGS, catalogue.READINGS_BACKLOG),
    ):
        for field in ("owner", "key", "records", "partitions", "max_message_bytes"):
            assert getattr(topics[live], field) == getattr(topics[backlog], field), (live, field)


def test_every_topic_has_24_partitions() -> None:
    assert {t.partitions for t in catalogue.load().topics.values()} == {24}


def test_every_record_has_the_same_key_wherever_it_travels() -> None:
    for record in avsc.names():
        keys = {t.key for t in catalogue.load().topics.values() if record in t.records}
        assert len(keys) == 1, f"{record}: expected one topic at least and one key, found {keys}"


def test_every_topic_has_an_example_of_each_of_its_records() -> None:
    assert examples.topics() == sorted(catalogue.load().topics)
    for topic in catalogue.load().topics.values():
        shown = {e.record for e in examples.of_topic(topic.name)}
        assert shown == set(topic.records), f"{topic.name}: examples of {shown}"


def test_every_group_has_a_dead_letter_topic_with_room_for_the_greatest_message() -> None:
    by_name = {t.name: t for t in catalogue.load().dead_letter_topics()}
    groups = catalogue.groups()
    assert set(by_name) == {
        name for g in groups for name in (catalogue.dead_letters(g), catalogue.dead_letters_retry(g))
    }
    for group, topic in groups.items():
        assert by_name[catalogue.dead_letters(group)].max_message_bytes > topic.max_message_bytes
        assert by_name[catalogue.dead_letters(group)].retention_days == 35


def test_a_right_topic_is_read(tmp_path: Path) -> None:
    topic = read(tmp_path, balance_things_v1=RIGHT).topics["balance.things.v1"]
    assert topic.consumers == (catalogue.Consumer("imbalance", "imbalance-things"),)
    assert topic.dead_letters


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"owner": None}, "owner: expected"),
        ({"owner": "edge"}, "expected the owner alone"),
        ({"producers": []}, "producers: expected a list of at least one"),
        ({"consumers": [{"service": "x"}]}, "consumers: expected"),
        ({"consumers": [{"service": "x", "group": "Y_z"}]}, "consumers: expected"),
        ({"records": ["balance.v1.Nothing"]}, "there is no records/balance.v1.Nothing.avsc"),
        ({"partitions": 0}, "partitions: expected"),
        ({"partitions": True}, "partitions: expected"),
        ({"retention_days": 36}, "retention_days: expected 1 to 35"),
        ({"retention_days": None}, "retention_days: expected 1 to 35"),
        ({"compacted": True}, "expected null, for the topic is compacted"),
        ({"compacted": "yes"}, "compacted: expected true or false"),
        ({"max_message_bytes": 10**9}, "max_message_bytes: expected at most"),
        ({"retentiondays": 3}, "unknown field 'retentiondays'"),
    ],
)
def test_a_wrong_topic_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(catalogue.CatalogueError) as refused:
        read(tmp_path, balance_things_v1={**RIGHT, **change})
    assert len(refused.value.errors) == 1
    assert said in refused.value.errors[0]


def test_every_error_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    same_group = {**RIGHT, "partitions": 0, "key": ""}
    with pytest.raises(catalogue.CatalogueError) as refused:
        read(
            tmp_path,
            balance_Things_v1=RIGHT,
            balance_things_v2=same_group,
            balance_other_v1=RIGHT,
            balance_more_v1=RIGHT,
            balance_none_v1="[",
            balance_list_v1="[]",
        )
    told = "\n".join(refused.value.errors)
    for part in ("Things.v1.yaml: expected a file name", "partitions", "key", "expected one topic a group"):
        assert part in told
    assert "none.v1.yaml: expected YAML" in told
    assert "list.v1.yaml: expected the fields of a topic" in told

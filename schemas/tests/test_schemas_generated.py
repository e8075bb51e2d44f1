"""The generated pages are those of the catalogue as it is."""

import pytest
import yaml
from balance_schemas import asyncapi, avsc, catalogue
from balance_schemas.__main__ import DOCS, GENERATED


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_has_not_drifted(name: str) -> None:
    found = (DOCS / name).read_text("utf-8")
    assert found == GENERATED[name](), "run `python -m balance_schemas generate` and commit docs/"


def test_the_document_names_every_topic_group_and_record_and_its_references_lead_somewhere() -> None:
    document = yaml.safe_load(asyncapi.text())
    assert set(document["channels"]) == set(catalogue.load().topics)
    assert set(document["components"]["messages"]) == set(avsc.names())
    received = {
        operation["bindings"]["kafka"]["groupId"]["enum"][0]
        for operation in document["operations"].values()
        if operation["action"] == "receive"
    }
    assert received == set(catalogue.groups())
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            name = message["$ref"].removeprefix("#/components/messages/")
            assert name in document["components"]["messages"]
